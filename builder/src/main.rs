//! `gentoo-updater-builder`: one builder as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_runtime::{CommonArguments, parse_arguments, worker_main};

/// Builds packages on one builder of the configuration, on this machine or over ssh
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  gentoo-updater-builder --builder fast --config /etc/gentoo-updater/fleet.toml"
)]
struct Arguments {
    #[command(flatten)]
    common: CommonArguments,

    /// The builder of the configuration that this process serves
    #[arg(long, value_name = "NAME")]
    builder: BuilderName,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = parse_arguments();
    worker_main(
        env!("CARGO_BIN_NAME"),
        arguments.common,
        |context| async move { gentoo_updater_builder::serve(&context, &arguments.builder).await },
    )
    .await
}
