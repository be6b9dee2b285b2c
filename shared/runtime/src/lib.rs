//! The wiring that every binary of gentoo-updater shares: arguments, logging, signals, and the
//! way from a name in the configuration to a machine or a bus.
//!
//! **Invariant:** no decision about packages is made here.

mod arguments;
pub mod brought;
mod context;
pub mod emerge;
pub mod examine;
pub mod jobs;
mod logging;
pub mod look;
mod machines;
pub mod manifest;
pub mod monitor;
pub mod portage_api;
mod presence;
pub mod repositories;
mod service_manager;
mod settings;
mod signals;
pub mod signing;
pub mod space;
pub mod store;
pub mod sweep;
pub mod unsettled;
pub mod vdb;

pub use arguments::{
    CommonArguments, DEFAULT_CONFIGURATION, MonitorArguments, WorkerArguments, worker_help,
};
pub use context::{Context, connect, host_name, worker_id};
pub use logging::{LogFormat, LoggingError};
pub use machines::{AddressProblem, Machines, ask, failure_of_host, ssh_settings};
pub use presence::Presence;
pub use service_manager::{ServiceManager, Watching};
pub use settings::portage_settings;
pub use signals::stop_on_signals;

use std::process::ExitCode;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::message::{Command, Failure, FailureClass};
use tokio_util::sync::CancellationToken;

use crate::monitor::Vitals;

/// Exit code of wrong usage or configuration (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;
/// Exit code of a program that could not do its work at all.
pub const EXIT_COULD_NOT_RUN: u8 = 2;

/// Reads the arguments; help and version end the program well, wrong usage with [`EXIT_USAGE`].
pub fn parse_arguments<T: clap::Parser>() -> T {
    T::try_parse().unwrap_or_else(|error| {
        // Nothing is left to do when the terminal cannot be written to.
        let _ = error.print();
        std::process::exit(if error.use_stderr() {
            i32::from(EXIT_USAGE)
        } else {
            0
        })
    })
}

/// Why a worker refuses a command that is meant for another role.
pub fn wrong_command(command: &Command) -> Failure {
    let message = format!("{} came to a worker of another role", command.kind());
    Failure::new(FailureClass::Permanent, "WrongRole", message)
}

/// Runs one worker from its arguments to its end: reads the configuration, opens the bus, serves
/// until a signal comes, and gives the exit code. `name` is what the broker shows of it. `check`
/// finds in the configuration what this worker is for, before anything else is done: what is not
/// there is wrong usage, whether or not the broker is.
pub async fn worker_main<T, F, Fut>(
    name: &str,
    arguments: WorkerArguments,
    check: impl FnOnce(&Settings) -> anyhow::Result<T>,
    serve: F,
) -> ExitCode
where
    F: FnOnce(Context, T) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let WorkerArguments { common, monitor } = arguments;
    let settings = match common.start() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if settings.broker.is_none() {
        eprintln!(
            "{}: there is no [broker], so the roles cannot talk to each other from separate \
             processes; add one, or use `gentoo-updater run`",
            common.config.display()
        );
        return ExitCode::from(EXIT_USAGE);
    }
    let found = match check(&settings) {
        Ok(found) => found,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone());
    let vitals = Vitals::default();
    if let Err(error) = monitor::monitor(&monitor, name, &vitals, &stop).await {
        eprintln!("{error}");
        return ExitCode::from(EXIT_USAGE);
    }
    vitals.await_bus();
    let manager = ServiceManager::of_environment();
    manager.say_status("waits for the broker");
    let opened = tokio::select! {
        opened = Context::with_broker(settings, name, stop.clone()) => opened,
        () = stop.cancelled() => return ExitCode::SUCCESS,
    };
    let context = match opened {
        Ok(context) => context.with_vitals(vitals),
        Err(error) => {
            tracing::error!("{error:#}");
            return ExitCode::from(EXIT_COULD_NOT_RUN);
        }
    };
    let bus = context.bus.clone();
    let _watching = manager.watch(context.pulse.clone(), bus.health(), stop);
    context.forget_dead_workers().await;
    let code = match serve(context, found).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Before the farewell, which can take its time with a broker in trouble.
            tracing::error!("{error:#}");
            ExitCode::from(EXIT_COULD_NOT_RUN)
        }
    };
    bus.close().await;
    code
}
