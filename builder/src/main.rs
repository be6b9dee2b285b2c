//! `gentoo-updater-builder`: one builder as a process of its own.

use std::process::ExitCode;

use gentoo_updater_builder::Arguments;
use gentoo_updater_runtime::{parse_arguments, worker_main};

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { worker, builder } = &parse_arguments();
    worker_main(
        env!("CARGO_BIN_NAME"),
        worker.clone(),
        |settings| Ok(settings.builder(builder).map(drop)?),
        |context, ()| async move { gentoo_updater_builder::serve(&context, builder).await },
    )
    .await
}
