//! `gentoo-updater-installer`: the installer as a process of its own.

use std::process::ExitCode;

use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_installer::Arguments;
use gentoo_updater_runtime::{parse_arguments, worker_main};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = parse_arguments();
    worker_main(
        env!("CARGO_BIN_NAME"),
        arguments.worker,
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
