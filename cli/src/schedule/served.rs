//! `schedule serve`: the one process that begins what is due and does the work, where there is no broker.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use gentoo_updater_bus::embedded::{Embedded, OpenError};
use gentoo_updater_bus::{Bus, Health, Pulse};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_runtime::monitor::{Vitals, monitor};
use gentoo_updater_runtime::{Context, ServiceManager, stop_on_signals};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::arguments::ServeOptions;
use crate::WrongUsage;
use crate::open;
use crate::roles::Roles;
use crate::run::journal_when_free;

/// Serves until a signal comes.
pub(super) async fn serve(settings: Arc<Settings>, options: ServeOptions) -> anyhow::Result<u8> {
    if settings.broker.is_some() {
        let words = "there is a [broker], so each role is a process of its own: start \
                     gentoo-updater-scheduler, and the other workers";
        return Err(WrongUsage(words.to_owned()).into());
    }
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone());
    let vitals = Vitals::default();
    let name = "gentoo-updater schedule serve";
    let monitored = monitor(&options.monitor, name, &vitals, &stop).await;
    monitored.map_err(|error| WrongUsage(error.to_string()))?;
    vitals.await_bus();
    // The loop that begins what is due is the one that has to turn.
    let pulse = Pulse::default();
    // The journal is a file, which is never away.
    let (_, no_broker) = watch::channel(Health::Good);
    let manager = ServiceManager::of_environment();
    let _watching = manager.watch(pulse.clone(), no_broker, stop.clone());
    let bus = match Embedded::open_and_keep(open::journal(&settings), settings.history).await {
        Ok(bus) => bus,
        Err(OpenError::InUse { path }) => {
            tracing::info!(
                "another gentoo-updater works on this fleet and holds {}; waiting until it has ended",
                path.display()
            );
            tokio::select! {
                bus = journal_when_free(&settings) => bus?,
                () = stop.cancelled() => return Ok(crate::EXIT_DONE),
            }
        }
        Err(error) => return Err(error.into()),
    };
    let bus: Arc<dyn Bus> = Arc::new(bus);
    let context = Context::new(settings, bus.clone(), stop).with_vitals(vitals);
    let served = at_work(context, pulse).await;
    bus.close().await;
    served.map(|()| crate::EXIT_DONE)
}

async fn at_work(context: Context, pulse: Pulse) -> anyhow::Result<()> {
    let _served = mark(&context.settings)?;
    context.forget_dead_workers().await;
    let mut roles = Roles::start(&context);
    let mut watched = context.clone();
    watched.pulse = pulse;
    roles.start_scheduler(&watched);
    roles.start_notifier(&context);
    let stopped = roles.first_stop().await;
    let is_told = context.stop.is_cancelled();
    context.stop.cancel();
    let joined = roles.join().await;
    stopped?;
    anyhow::ensure!(is_told, "a role stopped before it was told to");
    joined
}

/// The file that such a process holds the lock of for as long as it lives.
fn mark_of(settings: &Settings) -> PathBuf {
    settings.state_directory.join("schedule.lock")
}

fn mark(settings: &Settings) -> anyhow::Result<File> {
    let path = mark_of(settings);
    let marked = File::create(&path).and_then(|file| {
        file.lock()?;
        Ok(file)
    });
    marked.with_context(|| format!("{} cannot be locked", path.display()))
}

/// Whether such a process works on this fleet: one that takes further runs, and does not end with its own.
pub(crate) fn is_served(settings: &Settings) -> bool {
    let Ok(file) = File::open(mark_of(settings)) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}
