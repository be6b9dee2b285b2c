//! The life of one worker.

use std::sync::{Arc, Mutex};

use gentoo_updater_fleet::message::{BuilderMachine, Event, WorkerRegistered};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::claim::others;
use super::heartbeat::beat;
use super::job::{Worker, publish_result};
use super::meters::{Condition, Gauges};
use super::pause;
use super::readiness::{Pauses, Readiness, Verdict, registered_with, tell};
use super::store::{Found, Store};
use super::{Handler, WorkerError, WorkerSpec};
use crate::follow::FleetView;
use crate::pulse::Doing;
use crate::seam::{Bus, BusError, CommandDelivery, Commands};
use crate::spans;

/// Serves until `stop` is cancelled: then it takes no new work, waits for running work for the
/// grace, and returns. What is not finished by then stays claimed on the disk, and the worker
/// goes on with it when it comes up again.
///
/// # Errors
/// [`WorkerError`], when the bus cannot go on, the state directory cannot be used, or another
/// process works under the same id.
pub async fn serve(
    bus: Arc<dyn Bus>,
    spec: WorkerSpec,
    handler: Arc<dyn Handler>,
    stop: CancellationToken,
) -> Result<(), WorkerError> {
    serve_pausing(bus, spec, handler, stop, Pauses::default()).await
}

/// As [`serve`], with other pauses.
pub(super) async fn serve_pausing(
    bus: Arc<dyn Bus>,
    spec: WorkerSpec,
    handler: Arc<dyn Handler>,
    stop: CancellationToken,
    pauses: Pauses,
) -> Result<(), WorkerError> {
    let store = Store::open(&spec).await?;
    let begun = tokio::select! {
        biased;
        begun = begin(bus, spec, store, handler, stop.clone()) => begun,
        () = stop.cancelled() => return Ok(()),
    };
    match begun {
        Ok(worker) => {
            let ended = worker.clone().run(pauses).await;
            worker.absolve().await;
            ended
        }
        Err(WorkerError::Bus(BusError::Closed)) if stop.is_cancelled() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Everything that comes before the first command: finished work is published, and the history
/// is read as far as the worker's own registration.
async fn begin(
    bus: Arc<dyn Bus>,
    spec: WorkerSpec,
    store: Store,
    handler: Arc<dyn Handler>,
    stop: CancellationToken,
) -> Result<Arc<Worker>, WorkerError> {
    for Found { id, message } in store.results().await? {
        tracing::info!(
            result = message.message.kind(),
            "a result is published after a restart"
        );
        let speaker = spec.speaker();
        publish_result(&bus, &store, handler.as_ref(), &speaker, id, &message).await?;
    }
    let view = match spec.read_back {
        true => Some(FleetView::follow(bus.clone(), stop.clone()).await?),
        false => None,
    };
    let machine = handler.machine();
    let worker = Arc::new(Worker {
        bus,
        spec,
        store,
        handler,
        view,
        stop,
        taken: Arc::new(watch::Sender::default()),
        working_on: Arc::new(watch::Sender::default()),
        finished: Mutex::default(),
        begun: Mutex::default(),
        alone: tokio::sync::Mutex::default(),
        registered: machine,
    });
    let registered = worker.say(registration(&worker.spec, worker.registered.clone()));
    worker.bus.publish(&registered).await?;
    if let Some(view) = &worker.view {
        view.wait_for_event(registered.id).await?;
    }
    tracing::info!(worker = %worker.spec.id, queues = ?worker.spec.queues, "ready");
    Ok(worker)
}

/// That this worker serves its queues, on this machine.
pub(super) fn registration(spec: &WorkerSpec, machine: Option<BuilderMachine>) -> Event {
    Event::WorkerRegistered(WorkerRegistered {
        worker: spec.id.clone(),
        role: spec.role,
        queues: spec.queues.clone(),
        machine,
    })
}

/// What is worked on, with the slots that each takes.
#[derive(Default)]
struct Jobs {
    all: JoinSet<(u16, Result<Verdict, WorkerError>)>,
    taken: u16,
}

impl Jobs {
    fn spawn(
        &mut self,
        slots: u16,
        job: impl Future<Output = Result<Verdict, WorkerError>> + Send + 'static,
    ) {
        self.taken = self.taken.saturating_add(slots);
        self.all.spawn(async move { (slots, job.await) });
    }

    /// The next that ends; `None` where nothing is worked on.
    async fn next(&mut self) -> Option<Result<Verdict, WorkerError>> {
        let ended = self.all.join_next().await?;
        Some(match ended {
            Ok((slots, ended)) => {
                self.taken = self.taken.saturating_sub(slots);
                ended
            }
            Err(error) => of_task(error),
        })
    }
}

impl Worker {
    async fn run(self: Arc<Self>, pauses: Pauses) -> Result<(), WorkerError> {
        let paused = pause::look(self.view.as_ref(), &self.spec);
        let mut is_paused = paused.get();
        let obeying = pause::obey(self.view.clone(), self.spec.clone(), paused.clone());
        let mut obeying = AbortOnDropHandle::new(tokio::spawn(obeying));
        let (bus, working_on) = (self.bus.clone(), self.working_on.clone());
        let (spec, handler) = (self.spec.clone(), self.handler.clone());
        let beating = beat(bus, spec, handler, working_on, paused.clone());
        let mut heartbeat = AbortOnDropHandle::new(tokio::spawn(beating));
        let mut jobs = Jobs::default();
        for claim in self.store.claims().await? {
            let slots = self.handler.slots_for(&claim.message.message);
            let span = spans::of_work(&claim.message.message.work());
            jobs.spawn(slots, self.clone().resume(claim).instrument(span));
        }
        let told = registered_with(self.registered.clone());
        let (bus, view) = (self.bus.clone(), self.view.clone());
        let telling = tell(bus, self.spec.clone(), view, &told);
        let mut telling = AbortOnDropHandle::new(tokio::spawn(telling));
        let mut readiness = Readiness::new(self.handler.clone(), pauses, told);
        // Absent while no commands are taken: what was on its way here goes to others.
        let mut commands: Option<Box<dyn Commands>> = None;
        let mut is_fit = false;
        let mut gauges = Gauges::new(self.spec.role);
        loop {
            // How many the machine can do at once may be known better after each look at it.
            let slots = self.spec.slots(self.handler.as_ref());
            let taken = jobs.taken;
            gauges.tell(Condition {
                slots,
                taken,
                is_paused,
                is_fit,
            });
            if is_fit && commands.is_none() && jobs.taken < slots && !is_paused {
                commands = Some(self.bus.commands(&self.spec.queues).await?);
            }
            self.spec.pulse.turn(match jobs.taken {
                _ if is_paused => Doing::IsPaused,
                0 if !is_fit => Doing::IsUnfit,
                0 => Doing::Waits,
                taken => Doing::Works { taken, slots },
            });
            tokio::select! {
               biased;
                () = self.stop.cancelled() => break,
                Some(ended) = jobs.next() => {
                    if !readiness.conclude(&ended?, self.has_others()) {
                        is_fit = false;
                        commands = None;
                    }
                }
                beaten = &mut heartbeat => {
                    return ended(beaten.map(|beaten| beaten.map_err(WorkerError::from)));
                }
                told = &mut telling => {
                    return ended(told.map(|told| told.map_err(WorkerError::from)));
                }
                obeyed = &mut obeying => {
                    return ended(obeyed.map(|obeyed| obeyed.map_err(WorkerError::from)));
                }
                now = paused.until(|paused| *paused != is_paused) => {
                    is_paused = now;
                    if is_paused {
                        commands = None;
                    }
                }
                () = self.spec.pulse.asked() => {}
                // Also while it takes nothing: others wait for what it says of its machine.
                () = readiness.ready(), if !is_fit => is_fit = true,
                delivery = next(&mut commands), if jobs.taken < slots => {
                    let delivery = delivery?;
                    let taken = self.handler.slots_for(&delivery.command.message);
                    let span = spans::of_work(&delivery.command.message.work());
                    jobs.spawn(taken, self.clone().take(delivery).instrument(span));
                    // What is fetched ahead while all slots are taken could not be taken by a
                    // worker that is free.
                    if jobs.taken >= slots && let Some(commands) = &mut commands {
                        commands.rest().await;
                    }
                }
            }
        }
        drop(commands);
        self.finish(jobs).await
    }

    fn has_others(&self) -> bool {
        let queues = &self.spec.queues;
        self.view.as_ref().is_some_and(|view| {
            view.read(|fleet| {
                let mut others = queues.iter().flat_map(|q| others(fleet, &self.spec.id, q));
                others.next().is_some()
            })
        })
    }

    /// Waits for running work. The heartbeat goes on meanwhile: its task ends with [`Self::run`].
    async fn finish(&self, mut jobs: Jobs) -> Result<(), WorkerError> {
        let all = async {
            while let Some(ended) = jobs.next().await {
                ended?;
            }
            Ok(())
        };
        match timeout(self.spec.grace, all).await {
            Ok(Err(WorkerError::Bus(BusError::Closed))) => Ok(()),
            Ok(ended) => ended,
            Err(_) => {
                let left = jobs.all.len();
                tracing::info!(worker = %self.spec.id, left, "stopped; unfinished work stays claimed");
                Ok(())
            }
        }
    }
}

async fn next(commands: &mut Option<Box<dyn Commands>>) -> Result<CommandDelivery, BusError> {
    match commands {
        Some(commands) => commands.next().await,
        None => std::future::pending().await,
    }
}

fn ended<T>(task: Result<Result<T, WorkerError>, JoinError>) -> Result<T, WorkerError> {
    task.unwrap_or_else(of_task)
}

fn of_task<T>(error: JoinError) -> Result<T, WorkerError> {
    match error.try_into_panic() {
        // Handlers' panics are caught before; this one is a defect of the worker itself.
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(WorkerError::Bus(BusError::Closed)),
    }
}
