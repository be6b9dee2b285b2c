//! The command line of `gentoo-updater-notifier`.

use anyhow::ensure;
use clap::Parser;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_runtime::{WorkerArguments, host_name, worker_help, worker_id};

use crate::check::check;

/// Tells operators what [notifications.NAME] of the configuration says, by mail, webhook or a program
#[derive(Debug, Parser)]
#[command(
    name = "gentoo-updater-notifier",
    version,
    after_help = worker_help(
        "Example:\n  gentoo-updater-notifier --config /etc/gentoo-updater/fleet.toml\n\nOne notifier is enough: each tells all. `gentoo-updater notify test NAME` tries one way, and `gentoo-updater notify list`, on the same machine, shows what could not be delivered."
    )
)]
pub struct Arguments {
    /// Configuration, logging and monitoring.
    #[command(flatten)]
    pub worker: WorkerArguments,

    /// Tells several notifiers apart, by default the name of this machine; keep it over restarts
    #[arg(long, value_name = "NAME", default_value_t = host_name(), hide_default_value = true)]
    pub instance: String,
}

impl Arguments {
    /// Whether there is something to do, and whether the templates can be used.
    ///
    /// # Errors
    /// When the configuration has no notification, nobody can be told by one, or the instance cannot be part of
    /// a name.
    pub fn check(&self, settings: &Settings) -> anyhow::Result<()> {
        worker_id("notifier", &self.instance)?;
        ensure!(
            !settings.notifications.is_empty(),
            "{}: there is no notification; add a table such as [notifications.ops] with type = \"mail\"",
            self.worker.common.config.display()
        );
        for (name, notification) in &settings.notifications {
            check(settings, name, notification)?;
        }
        Ok(())
    }
}
