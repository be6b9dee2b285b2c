//! `gentoo-updater-installer`: the installer as a process of its own.

use std::process::ExitCode;

use gentoo_updater_installer::{Arguments, Served, serve, serve_agent};
use gentoo_updater_runtime::{parse_arguments, worker_main};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: &Arguments = &parse_arguments();
    worker_main(
        env!("CARGO_BIN_NAME"),
        arguments.worker.clone(),
        |settings| arguments.served(settings),
        |context, served| async move {
            match served {
                Served::Agent(guest) => serve_agent(&context, guest).await,
                Served::Guests(guests) => serve(&context, &arguments.instance, guests).await,
            }
        },
    )
    .await
}
