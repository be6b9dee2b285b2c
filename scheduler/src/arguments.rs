//! The command line of `gentoo-updater-scheduler`.

use anyhow::ensure;
use clap::Parser;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_runtime::{WorkerArguments, host_name, worker_help, worker_id};

/// Begins runs by calendar: what [schedules.NAME] of the configuration says
#[derive(Debug, Parser)]
#[command(
    name = "gentoo-updater-scheduler",
    version,
    after_help = worker_help(
        "Example:\n  gentoo-updater-scheduler --config /etc/gentoo-updater/fleet.toml\n\nSeveral schedulers may run: what is due begins once. `gentoo-updater schedule list` shows what comes, and `gentoo-updater pause scheduler` keeps it from beginning."
    )
)]
pub struct Arguments {
    /// Configuration, logging and monitoring.
    #[command(flatten)]
    pub worker: WorkerArguments,

    /// Tells several schedulers apart, by default the name of this machine; keep it over restarts
    #[arg(long, value_name = "NAME", default_value_t = host_name(), hide_default_value = true)]
    pub instance: String,
}

impl Arguments {
    /// Whether there is something to do.
    ///
    /// # Errors
    /// When the configuration has no schedule, or the instance cannot be part of a name.
    pub fn check(&self, settings: &Settings) -> anyhow::Result<()> {
        worker_id("scheduler", &self.instance)?;
        ensure!(
            !settings.schedules.is_empty(),
            "{}: there is no schedule; add a table such as [schedules.nightly] with calendar = \"30 3 * * *\"",
            self.worker.common.config.display()
        );
        Ok(())
    }
}
