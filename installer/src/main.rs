//! `gentoo-updater-installer`: the installer as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_runtime::{CommonArguments, host_name, parse_arguments, worker_main};

/// Installs finished binaries: on one guest as an agent, or on all guests over ssh
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  gentoo-updater-installer                  all guests of the configuration\n  gentoo-updater-installer --guest web      one guest, which may be this machine\n  gentoo-updater-installer --guest web --agent   the same, with a user of its own on the broker"
)]
struct Arguments {
    #[command(flatten)]
    common: CommonArguments,

    /// Only these guests; all without any
    #[arg(long = "guest", value_name = "NAME")]
    guests: Vec<GuestName>,

    /// Run as the guest's own agent: under the user of the guest, without access to the history
    #[arg(long, requires = "guests", conflicts_with = "instance")]
    agent: bool,

    /// Tells several installers apart; keep it over restarts
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
            if arguments.agent {
                return match <[GuestName; 1]>::try_from(arguments.guests) {
                    Ok([guest]) => gentoo_updater_installer::serve_agent(&context, guest).await,
                    Err(_) => anyhow::bail!("an agent serves one guest: name it with one --guest"),
                };
            }
            let guests = match arguments.guests {
                named if named.is_empty() => context.settings.guests.keys().cloned().collect(),
                named => named,
            };
            gentoo_updater_installer::serve(&context, &arguments.instance, guests).await
        },
    )
    .await
}
