//! A builder that notes when it is called.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gentoo_updater_bus::Position;
use gentoo_updater_bus::worker::{self, Handler, WorkerError, WorkerSpec};
use gentoo_updater_chaos::{built, spec_of};
use gentoo_updater_fleet::message::{Command, Event, Failure, StoreSearched, Task};
use gentoo_updater_fleet::name::{BuilderName, JobId, RunId};
use gentoo_updater_runtime::{Context, wrong_command};
use jiff::Timestamp;
use tokio::task::JoinHandle;

use crate::support::{self, Fleet};

const NAME: &str = "b1";

/// The worker's loop with a handler whose builds take no time.
pub(crate) struct Builder {
    context: Context,
    handler: Arc<Calls>,
    serving: JoinHandle<Result<(), WorkerError>>,
}

/// From the end of a job to the begin of the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HandOver {
    /// Until the handler is called.
    pub(crate) milliseconds: f64,
    /// Until the builder has the command and makes its claim.
    pub(crate) until_claim: f64,
}

struct Calls {
    name: BuilderName,
    /// In the order in which they came.
    calls: Mutex<Vec<(RunId, JobId, Timestamp)>>,
}

#[async_trait]
impl Handler for Calls {
    async fn handle(&self, command: &Command) -> Event {
        let now = Timestamp::now();
        let build = match command {
            Command::BuildPackage(build) => build,
            // There is nothing yet in the store.
            Command::SearchStore(search) => {
                return Event::StoreSearched(StoreSearched {
                    run: search.run,
                    platform: search.platform.clone(),
                    attempt: search.attempt,
                    builder: self.name.clone(),
                    held: BTreeMap::new(),
                });
            }
            _ => return self.failed(command, wrong_command(command)),
        };
        let call = (build.run, build.job.id.clone(), now);
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(call);
        match built(build, self.name.clone(), false, Duration::ZERO) {
            Ok(built) => Event::PackageBuilt(built),
            Err(failure) => self.failed(command, failure),
        }
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        command.failed(Some(&self.name), failure)
    }
}

impl Builder {
    /// Starts it in this process.
    pub(crate) async fn start(fleet: &Fleet, slots: u16) -> Result<Self, Box<dyn Error>> {
        let context = fleet.context("bench").await;
        let spec = WorkerSpec {
            slots,
            ..spec_of(&support::builder(NAME), &context)?
        };
        let handler = Arc::new(Calls {
            name: NAME.parse()?,
            calls: Mutex::default(),
        });
        let (bus, stop) = (context.bus.clone(), context.stop.clone());
        let serving = tokio::spawn(worker::serve(bus, spec, handler.clone(), stop));
        Ok(Self {
            context,
            handler,
            serving,
        })
    }

    /// How long each job of a run that is over took to begin after the end of the one before.
    pub(crate) async fn hand_overs(
        &self,
        fleet: &Fleet,
        run: RunId,
    ) -> Result<Vec<HandOver>, Box<dyn Error>> {
        let calls = self.handler.calls.lock();
        let calls: Vec<(JobId, Timestamp)> = calls
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|(of, ..)| *of == run)
            .map(|(_, job, at)| (job.clone(), *at))
            .collect();
        let (mut claims, mut ends) = (BTreeMap::new(), BTreeMap::new());
        let mut history = fleet.bus.history(Position::First).await?;
        loop {
            let event = history.next().await?.event?;
            match event.message {
                Event::WorkStarted(started) if started.work.run == run => {
                    if let Task::Build(job) = started.work.task {
                        claims.insert(job, event.at);
                    }
                }
                Event::PackageBuilt(built) if built.run == run => {
                    ends.insert(built.job, event.at);
                }
                Event::RunFinished(finished) if finished.run == run => break,
                _ => {}
            }
        }
        let pairs = calls.iter().zip(calls.iter().skip(1));
        let hand_overs = pairs.map(|((before, _), (next, called))| {
            let end = ends.get(before).ok_or("a job without an end")?;
            let claim = claims.get(next).ok_or("a job without a claim")?;
            Ok(HandOver {
                milliseconds: milliseconds(*end, *called),
                until_claim: milliseconds(*end, *claim),
            })
        });
        hand_overs.collect()
    }

    /// Stops it.
    pub(crate) async fn end(self) -> Result<(), Box<dyn Error>> {
        self.context.stop.cancel();
        self.serving.await??;
        self.context.bus.close().await;
        Ok(())
    }
}

fn milliseconds(from: Timestamp, to: Timestamp) -> f64 {
    (to.as_nanosecond() - from.as_nanosecond()) as f64 / 1e6
}
