//! `gentoo-updater-chaos-worker`: one worker of a fleet whose work is made up.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use gentoo_updater_chaos::interruption::Interrupted;
use gentoo_updater_chaos::scene::Scene;
use gentoo_updater_chaos::{Role, serve};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_runtime::{Context, WorkerArguments, parse_arguments, worker_main};

/// One worker of a fleet whose work is made up
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    worker: WorkerArguments,

    /// The file that says what the guests need
    #[arg(long, value_name = "FILE")]
    scene: PathBuf,

    /// Kill itself with SIGKILL at this step: before or after a call of the bus, counted from 1
    #[arg(long, value_name = "STEP")]
    die_at: Option<u32>,

    #[command(subcommand)]
    role: Role,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = parse_arguments();
    let name = arguments.role.name();
    let check = |_: &Settings| Ok(());
    worker_main(&name, arguments.worker, check, |context, ()| async move {
        let scene = Scene::read(&arguments.scene)?;
        let bus = match arguments.die_at {
            Some(step) => Interrupted::wrap(context.bus.clone(), step),
            None => context.bus.clone(),
        };
        serve(&arguments.role, &Context { bus, ..context }, scene).await
    })
    .await
}
