//! The command line of `gentoo-updater-scanner`.

use clap::Parser;
use gentoo_updater_runtime::{WorkerArguments, host_name, worker_help};

/// Asks guests over ssh what they need, and publishes their answers
#[derive(Debug, Parser)]
#[command(
    name = "gentoo-updater-scanner",
    version,
    after_help = worker_help(
        "Example:\n  gentoo-updater-scanner --config /etc/gentoo-updater/fleet.toml"
    )
)]
pub struct Arguments {
    /// Configuration, logging and monitoring.
    #[command(flatten)]
    pub worker: WorkerArguments,

    /// Tells several scanners apart, by default the name of this machine; keep it over restarts
    #[arg(long, value_name = "NAME", default_value_t = host_name(), hide_default_value = true)]
    pub instance: String,
}
