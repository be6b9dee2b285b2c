//! `gentoo-updater-notifier`: the notifier as a process of its own.

use std::process::ExitCode;

use gentoo_updater_notifier::Arguments;
use gentoo_updater_runtime::{parse_arguments, worker_main};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: &Arguments = &parse_arguments();
    worker_main(
        env!("CARGO_BIN_NAME"),
        arguments.worker.clone(),
        |settings| arguments.check(settings),
        |context, ()| async move {
            gentoo_updater_notifier::serve(&context, &arguments.instance).await
        },
    )
    .await
}
