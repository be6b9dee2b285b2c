//! `gentoo-updater-janitor`: the janitor as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_runtime::{CommonArguments, host_name, parse_arguments, worker_main};

/// Removes what a run put on builders
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  gentoo-updater-janitor                  all builders of the configuration\n  gentoo-updater-janitor --builder fast   one builder, which may be this machine"
)]
struct Arguments {
    #[command(flatten)]
    common: CommonArguments,

    /// Only these builders; all without any
    #[arg(long = "builder", value_name = "NAME")]
    builders: Vec<BuilderName>,

    /// Tells several janitors apart; keep it over restarts
    #[arg(long, value_name = "NAME", default_value_t = host_name())]
    instance: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = parse_arguments();
    worker_main(
        env!("CARGO_BIN_NAME"),
        arguments.common,
        |context| async move {
            let builders = match arguments.builders {
                named if named.is_empty() => context.settings.builders.keys().cloned().collect(),
                named => named,
            };
            gentoo_updater_janitor::serve(&context, &arguments.instance, builders).await
        },
    )
    .await
}
