//! Whether a worker takes commands: not while its machine is unfit.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gentoo_updater_fleet::message::{
    BuilderMachine, Durations, DurationsLearned, Event, Failure, FailureClass, WorkerPaused,
};
use tokio::sync::watch;
use tokio::time::{Instant, interval_at, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::serve::registration;
use super::{Handler, WorkerSpec};
use crate::follow::FleetView;
use crate::seam::{Bus, BusError};

/// How long a worker takes no commands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pauses {
    /// After a failure that speaks against its machine, and the first of a row of pauses, which
    /// double.
    pub(super) first: Duration,
    /// At most, while its machine is not ready.
    pub(super) longest_unready: Duration,
    /// At most, between two looks at a command that is left to another worker. Every look counts
    /// as a delivery, and a queue buries a message after many of them.
    pub(super) longest_left: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            longest_unready: Duration::from_secs(30),
            longest_left: Duration::from_secs(120),
        }
    }
}

impl Pauses {
    fn after(&self, before: u32, longest: Duration) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(before));
        doubled.min(longest)
    }
}

/// What one command said of the worker's machine.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Nothing: it was dropped unworked.
    Silent,
    /// The machine did its part.
    Fit,
    /// It failed for the machine.
    Unfit(Failure),
    /// It was given back, for another worker.
    Left,
}

/// What the last check has found out of the machine, for [`tell`].
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Found {
    /// Why it is unfit, while it is.
    unfit: Option<Failure>,
    /// What it is.
    machine: Option<BuilderMachine>,
    /// How long packages took to be built on it before.
    durations: Arc<Durations>,
}

/// [`Found`], from the check to [`tell`].
pub(super) type Told = Arc<watch::Sender<Found>>;

/// As the worker has registered, before the first check.
pub(super) fn registered_with(machine: Option<BuilderMachine>) -> Told {
    Arc::new(watch::Sender::new(Found {
        machine,
        ..Found::default()
    }))
}

/// Waits until the machine is fit.
pub(super) struct Readiness {
    handler: Arc<dyn Handler>,
    pauses: Pauses,
    told: Told,
    /// Kept over the calls, so that a check is not begun anew whenever something else happens.
    check: Option<BoxFuture<'static, ()>>,
    /// How many commands in a row were left to others.
    left: u32,
}

impl Readiness {
    /// Not ready before the first check.
    pub(super) fn new(handler: Arc<dyn Handler>, pauses: Pauses, told: Told) -> Self {
        let mut readiness = Self {
            handler,
            pauses,
            told,
            check: None,
            left: 0,
        };
        readiness.begin(Duration::ZERO);
        readiness
    }

    fn begin(&mut self, pause: Duration) {
        let check = until_ready(self.handler.clone(), self.pauses, self.told.clone(), pause);
        self.check = Some(check.boxed());
    }

    /// Ends when commands may be taken. It may be cancelled and called again.
    pub(super) async fn ready(&mut self) {
        if let Some(check) = &mut self.check {
            check.await;
        }
        self.check = None;
    }

    /// Draws the conclusion from one command. False when no command is to be taken before
    /// [`Self::ready`] has ended. `has_others` says that other workers serve the same queues.
    pub(super) fn conclude(&mut self, verdict: &Verdict, has_others: bool) -> bool {
        match verdict {
            Verdict::Silent => return true,
            Verdict::Fit => {
                self.left = 0;
                return true;
            }
            Verdict::Unfit(Failure { cause, message, .. }) => {
                // Alone, a pause would only make the run longer.
                let pause = if has_others {
                    self.pauses.first
                } else {
                    Duration::ZERO
                };
                let pause_s = pause.as_secs();
                tracing::warn!(
                    cause,
                    message,
                    pause_s,
                    "the machine failed; it is checked before it gets more work"
                );
                self.left = 0;
                self.begin(pause);
            }
            Verdict::Left => {
                let pause = self.pauses.after(self.left, self.pauses.longest_left);
                self.left = self.left.saturating_add(1);
                self.begin(pause);
            }
        }
        false
    }
}

async fn until_ready(handler: Arc<dyn Handler>, pauses: Pauses, told: Told, pause: Duration) {
    sleep(pause).await;
    let mut failures = 0;
    while let Err(failure) = ask(&handler).await {
        told.send_if_modified(|told| {
            // Told again is another cause, and no other word for it.
            let known = told.unfit.as_ref();
            let is_news = known.is_none_or(|known| known.cause != failure.cause);
            if is_news {
                told.unfit = Some(failure);
            }
            is_news
        });
        sleep(pauses.after(failures, pauses.longest_unready)).await;
        failures += 1;
    }
    let (machine, durations) = (handler.machine(), handler.durations());
    told.send_if_modified(|told| {
        let fit = Found {
            unfit: None,
            machine,
            durations,
        };
        let is_news = *told != fit;
        *told = fit;
        is_news
    });
}

/// How often a worker says again that it serves its queues: the history forgets what is old, and
/// the state forgets those that have not said so for long.
const REGISTERED_AGAIN: Duration = Duration::from_secs(24 * 3600);

/// Says in the log and in the history when the machine is found unfit, and when it is fit again;
/// that the worker is there when its machine is another than it was, and once a day; and how long
/// packages took to be built on the machine before, as far as that is news to `view`.
///
/// What is found out from this call on is told, whenever the future is polled.
pub(super) fn tell(
    bus: Arc<dyn Bus>,
    spec: WorkerSpec,
    view: Option<FleetView>,
    told: &Told,
) -> impl Future<Output = Result<(), BusError>> + use<> {
    let mut changes = told.subscribe();
    let mut said = changes.borrow().clone();
    async move {
        let mut days = interval_at(Instant::now() + REGISTERED_AGAIN, REGISTERED_AGAIN);
        loop {
            let mut registers = tokio::select! {
                biased;
                // The sender lives as long as the worker, so this cannot fail.
                _ = changes.changed() => false,
                _ = days.tick() => true,
            };
            let found = changes.borrow_and_update().clone();
            registers |= found.machine != said.machine;
            // Before the machine is said to be known, which a batch waits for: its order goes by them.
            if found.durations != said.durations
                && let Some(event) = learned(&spec, view.as_ref(), &found.durations)
            {
                match bus.publish(&spec.speaker().say(event)).await {
                    // Its user has the permissions of an older version. Work needs no durations.
                    Err(BusError::AccessRefused { detail }) => tracing::warn!(
                        detail,
                        "how long packages took to be built is not told: the broker refuses it; give this \
                         user the permissions that `gentoo-updater broker permissions` shows"
                    ),
                    published => published?,
                }
            }
            if registers {
                let event = registration(&spec, found.machine.clone());
                bus.publish(&spec.speaker().say(event)).await?;
                // Whoever registers is taken for fit.
                said.unfit = None;
            }
            if found.unfit != said.unfit {
                let event = paused(&spec, found.unfit.clone());
                bus.publish(&spec.speaker().say(event)).await?;
            }
            said = found;
        }
    }
}

/// What of these durations the history does not know; nothing where it knows them all.
fn learned(spec: &WorkerSpec, view: Option<&FleetView>, durations: &Durations) -> Option<Event> {
    let builder = spec.builder.clone()?;
    let durations = view?.read(|fleet| fleet.news_in(&builder, durations));
    let is_news = !durations.is_empty();
    is_news.then_some(Event::DurationsLearned(DurationsLearned {
        builder,
        durations,
    }))
}

/// That the machine is unfit, or fit again.
fn paused(spec: &WorkerSpec, failure: Option<Failure>) -> Event {
    let builder = spec.builder.as_ref();
    let machine = builder.map_or(spec.id.as_str(), |builder| builder.as_str());
    match &failure {
        Some(Failure { cause, message, .. }) => {
            tracing::warn!("{machine} is not usable and gets no work: {cause}: {message}");
        }
        None => tracing::info!("{machine} is usable again and gets work"),
    }
    Event::WorkerPaused(WorkerPaused {
        worker: spec.id.clone(),
        builder: spec.builder.clone(),
        failure,
    })
}

/// Asks in a task of its own: a panic is a machine that is not ready, and no end of the worker.
async fn ask(handler: &Arc<dyn Handler>) -> Result<(), Failure> {
    let handler = handler.clone();
    let asked = tokio::spawn(async move { handler.ready().await });
    AbortOnDropHandle::new(asked).await.unwrap_or_else(|error| {
        let message = format!("the check of the machine ended: {error}");
        Err(Failure::new(
            FailureClass::Machine,
            "WorkerPanicked",
            message,
        ))
    })
}
