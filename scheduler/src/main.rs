//! `gentoo-updater-scheduler`: the scheduler as a process of its own.

use std::process::ExitCode;

use gentoo_updater_runtime::{parse_arguments, worker_main};
use gentoo_updater_scheduler::Arguments;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: &Arguments = &parse_arguments();
    worker_main(
        env!("CARGO_BIN_NAME"),
        arguments.worker.clone(),
        |settings| arguments.check(settings),
        |context, ()| async move {
            gentoo_updater_scheduler::serve(&context, &arguments.instance).await
        },
    )
    .await
}
