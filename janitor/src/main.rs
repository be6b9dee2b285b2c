//! `gentoo-updater-janitor`: the janitor as a process of its own.

use std::process::ExitCode;

use gentoo_updater_janitor::Arguments;
use gentoo_updater_runtime::{parse_arguments, worker_main};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = parse_arguments();
    worker_main(
        env!("CARGO_BIN_NAME"),
        arguments.worker,
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
