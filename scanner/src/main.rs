//! `gentoo-updater-scanner`: the scanner as a process of its own.

use std::process::ExitCode;

use gentoo_updater_runtime::{parse_arguments, worker_id, worker_main};
use gentoo_updater_scanner::Arguments;

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { worker, instance } = &parse_arguments();
    worker_main(
        env!("CARGO_BIN_NAME"),
        worker.clone(),
        |_| worker_id("scanner", instance).map(drop),
        |context, ()| async move { gentoo_updater_scanner::serve(&context, instance).await },
    )
    .await
}
