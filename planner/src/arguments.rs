//! The command line of `gentoo-updater-planner`.

use clap::Parser;
use gentoo_updater_runtime::{WorkerArguments, worker_help};

/// Merges what all guests need into one batch of builds, and orders builds and installations
#[derive(Debug, Parser)]
#[command(
    name = "gentoo-updater-planner",
    version,
    after_help = worker_help(
        "Example:\n  gentoo-updater-planner --config /etc/gentoo-updater/fleet.toml\n\nSeveral planners may run: one is active, the others take over when it is gone."
    )
)]
pub struct Arguments {
    /// Configuration, logging and monitoring.
    #[command(flatten)]
    pub worker: WorkerArguments,
}
