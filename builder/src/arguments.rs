//! The command line of `gentoo-updater-builder`.

use clap::Parser;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_runtime::{WorkerArguments, worker_help};

/// Builds packages on one builder of the configuration, on this machine or over ssh
#[derive(Debug, Parser)]
#[command(
    name = "gentoo-updater-builder",
    version,
    after_help = worker_help(
        "Example:\n  gentoo-updater-builder --builder fast --config /etc/gentoo-updater/fleet.toml"
    )
)]
pub struct Arguments {
    /// Configuration, logging and monitoring.
    #[command(flatten)]
    pub worker: WorkerArguments,

    /// The builder of the configuration that this process serves
    #[arg(long, value_name = "NAME")]
    pub builder: BuilderName,
}
