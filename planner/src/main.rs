//! `gentoo-updater-planner`: the planner as a process of its own.

use std::process::ExitCode;

use gentoo_updater_planner::Arguments;
use gentoo_updater_runtime::{parse_arguments, worker_main};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = parse_arguments();
    worker_main(
        env!("CARGO_BIN_NAME"),
        arguments.worker,
        |_| Ok(()),
        |context, ()| async move { gentoo_updater_planner::serve(&context).await },
    )
    .await
}
