//! The order of steps of one notifier.

use std::future::pending;
use std::time::Duration;

use futures_util::future::join_all;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Doing, Speaker};
use gentoo_updater_fleet::message::Role;
use gentoo_updater_fleet::name::WorkerId;
use gentoo_updater_runtime::monitor::describe;
use gentoo_updater_runtime::{Context, Presence, worker_id};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::kept::Kept;
use crate::letters;
use crate::meters;
use crate::recipient::{Ending, Recipient};

/// Tells what is to be told until the context is stopped.
///
/// # Errors
/// When the bus cannot go on, or the state directory cannot be used.
pub async fn serve(context: &Context, instance: &str) -> anyhow::Result<()> {
    tokio::select! {
        biased;
        () = context.stop.cancelled() => Ok(()),
        served = follow(context, instance) => served,
    }
}

async fn follow(context: &Context, instance: &str) -> anyhow::Result<()> {
    let id = notifier(instance)?;
    if context.vitals.is_served() {
        describe(meters::METRICS);
    }
    let presence = async {
        let speaker = Speaker::new(id.clone(), context.clock.clone());
        let presence = Presence::new(context, Role::Notifier, speaker);
        presence.register().await?;
        let notifications = context.settings.notifications.len();
        tracing::info!(worker = %id, notifications, "ready");
        let mut beats = interval(context.settings.policy.heartbeat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        context.pulse.turn(Doing::Serves);
        loop {
            tokio::select! {
                biased;
                _ = beats.tick() => presence.say_alive(false).await?,
                () = context.pulse.asked() => context.pulse.turn(Doing::Serves),
            }
        }
    };
    tokio::select! {
        ended = tell(context, instance, pending(), || {}) => ended.map(|_| ()),
        ended = presence => ended,
    }
}

/// Tells what is to be told, all at once and each in its order, until it is `over`; and then what is left, for as long
/// as that says. Gives how much is left then. It is `ready` when it is noted from when on each is told.
async fn tell(
    context: &Context,
    instance: &str,
    over: impl Future<Output = Duration>,
    ready: impl FnOnce(),
) -> anyhow::Result<usize> {
    let kept = Kept::of(context, &notifier(instance)?);
    let _lock = kept.lock()?;
    let view = FleetView::follow(context.bus.clone(), context.stop.clone()).await?;
    let (number, _) = watch::channel(letters::count(&*context.bus).await?);
    let recipients = Recipient::all(context, &view, &kept, &number.subscribe())?;
    ready();
    let ending = Ending::default();
    let telling = recipients.into_iter().map(|it| it.tell(ending.clone()));
    let end = async {
        let limit = over.await;
        number.send_replace(letters::count(&*context.bus).await?);
        ending.over.cancel();
        sleep(limit).await;
        ending.late.cancel();
        pending::<anyhow::Result<usize>>().await
    };
    tokio::select! {
        ended = end => ended,
        // The others are told all the same.
        told = join_all(telling) => told.into_iter().sum(),
        counted = letters::watch(&*context.bus, &number) => counted.map(|()| 0),
        error = view.ended() => Err(error.into()),
    }
}

fn notifier(instance: &str) -> anyhow::Result<WorkerId> {
    worker_id(&Role::Notifier.to_string(), instance)
}

/// Telling beside what a process does until it ends.
pub struct Telling {
    over: oneshot::Sender<Duration>,
    task: JoinHandle<anyhow::Result<usize>>,
}

impl Telling {
    /// Begins it, where somebody is to be told something. Whom nothing was told yet is told what comes from now
    /// on.
    ///
    /// # Errors
    /// When the bus cannot go on, or the state directory cannot be used.
    pub async fn begin(context: &Context, instance: &'static str) -> anyhow::Result<Option<Self>> {
        if context.settings.notifications.is_empty() {
            return Ok(None);
        }
        let (over, is_over) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let context = context.clone();
        let task = tokio::spawn(async move {
            // Whose process is gone gets no time.
            let over = async { is_over.await.unwrap_or_default() };
            let ready = || {
                // Who began it may be gone.
                let _ = ready.send(());
            };
            tokio::select! {
                biased;
                () = context.stop.cancelled() => Ok(0),
                told = tell(&context, instance, over, ready) => told,
            }
        });
        match is_ready.await {
            Ok(()) => Ok(Some(Self { over, task })),
            // It has ended before.
            Err(_) => task.await?.map(|_| None),
        }
    }

    /// Tells what is left, for so long at most, and ends. Gives how much could not be told in that time: the next
    /// process that tells does it.
    ///
    /// # Errors
    /// When the bus could not go on, or the state directory could not be used.
    pub async fn end(self, limit: Duration) -> anyhow::Result<usize> {
        // Where it has ended, its task says why.
        let _ = self.over.send(limit);
        self.task.await?
    }
}
