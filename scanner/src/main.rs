//! `gentoo-updater-scanner`: the scanner as a process of its own.

use std::process::ExitCode;

use gentoo_updater_runtime::{parse_arguments, worker_main};
use gentoo_updater_scanner::Arguments;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = parse_arguments();
    worker_main(
        env!("CARGO_BIN_NAME"),
        arguments.worker,
        |context| async move { gentoo_updater_scanner::serve(&context, &arguments.instance).await },
    )
    .await
}
