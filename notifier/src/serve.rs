//! The order of steps of one notifier.

use std::future::pending;

use futures_util::future::join_all;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Doing, Speaker};
use gentoo_updater_fleet::message::Role;
use gentoo_updater_fleet::name::WorkerId;
use gentoo_updater_runtime::monitor::describe;
use gentoo_updater_runtime::{Context, Presence, worker_id};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::kept::Kept;
use crate::letters;
use crate::meters;
use crate::recipient::Recipient;

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
    let over = CancellationToken::new();
    tokio::select! {
        ended = tell(context, instance, &over, || {}) => ended,
        ended = presence => ended,
    }
}

/// Tells what is to be told, all at once and each in its order, until `over`; and then what is left. It is `ready`
/// when it is noted from when on each is told.
async fn tell(
    context: &Context,
    instance: &str,
    over: &CancellationToken,
    ready: impl FnOnce(),
) -> anyhow::Result<()> {
    let kept = Kept::of(context, &notifier(instance)?);
    let _lock = kept.lock()?;
    let view = FleetView::follow(context.bus.clone(), context.stop.clone()).await?;
    let (number, _) = watch::channel(letters::count(&*context.bus).await?);
    let recipients = Recipient::all(context, &view, &kept, &number.subscribe())?;
    ready();
    let last = CancellationToken::new();
    let telling = recipients.into_iter().map(|it| it.tell(last.clone()));
    let ending = async {
        over.cancelled().await;
        number.send_replace(letters::count(&*context.bus).await?);
        last.cancel();
        pending::<anyhow::Result<()>>().await
    };
    tokio::select! {
        ended = ending => ended,
        // The others are told all the same.
        told = join_all(telling) => told.into_iter().collect(),
        counted = letters::watch(&*context.bus, &number) => counted,
        error = view.ended() => Err(error.into()),
    }
}

fn notifier(instance: &str) -> anyhow::Result<WorkerId> {
    worker_id(&Role::Notifier.to_string(), instance)
}

/// Telling beside what a process does until it ends.
pub struct Telling {
    over: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
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
        let (context, over) = (context.clone(), CancellationToken::new());
        let until = over.clone();
        let (ready, is_ready) = oneshot::channel();
        let task = tokio::spawn(async move {
            let ready = || {
                // Who began it may be gone.
                let _ = ready.send(());
            };
            tokio::select! {
                biased;
                () = context.stop.cancelled() => Ok(()),
                told = tell(&context, instance, &until, ready) => told,
            }
        });
        match is_ready.await {
            Ok(()) => Ok(Some(Self { over, task })),
            // It has ended before.
            Err(_) => task.await?.map(|()| None),
        }
    }

    /// Tells what is left, and ends.
    ///
    /// # Errors
    /// When the bus could not go on, or the state directory could not be used.
    pub async fn end(self) -> anyhow::Result<()> {
        self.over.cancel();
        self.task.await?
    }
}
