//! `gentoo-updater-planner`: the planner as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use gentoo_updater_runtime::{CommonArguments, parse_arguments, worker_main};

/// Merges what all guests need into one batch of builds, and orders builds and installations
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  gentoo-updater-planner --config /etc/gentoo-updater/fleet.toml\n\nSeveral planners may run: one is active, the others take over when it is gone."
)]
struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = parse_arguments();
    worker_main(
        env!("CARGO_BIN_NAME"),
        arguments.common,
        |context| async move { gentoo_updater_planner::serve(&context).await },
    )
    .await
}
