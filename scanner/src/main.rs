//! `gentoo-updater-scanner`: the scanner as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use gentoo_updater_runtime::{CommonArguments, host_name, parse_arguments, worker_main};

/// Asks guests over ssh what they need, and publishes their answers
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  gentoo-updater-scanner --config /etc/gentoo-updater/fleet.toml"
)]
struct Arguments {
    #[command(flatten)]
    common: CommonArguments,

    /// Tells several scanners apart; keep it over restarts
    #[arg(long, value_name = "NAME", default_value_t = host_name())]
    instance: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = parse_arguments();
    worker_main(
        env!("CARGO_BIN_NAME"),
        arguments.common,
        |context| async move { gentoo_updater_scanner::serve(&context, &arguments.instance).await },
    )
    .await
}
