//! `gentoo-updater`: the operator's command.

mod arguments;
mod config_check;
mod events;
mod follow;
mod open;
mod progress;
mod roles;
mod run;
mod status;
mod trust;

use std::process::ExitCode;

use clap::Parser;
use gentoo_updater_runtime::EXIT_USAGE;

use crate::arguments::{Arguments, ConfigCommand, Subcommand};

/// Exit code of a run after which every guest is up to date.
const EXIT_ALL_UPDATED: u8 = 0;
/// Exit code of a run that ended and in which something failed.
const EXIT_WITH_FAILURES: u8 = 1;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors; everything else is wrong usage.
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            // Nothing is left to do when the terminal cannot be written to.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    ExitCode::from(dispatch(arguments).await)
}

async fn dispatch(arguments: Arguments) -> u8 {
    let common = arguments.common;
    let settings = match common.start_quietly() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error:#}");
            return EXIT_USAGE;
        }
    };
    let result = match arguments.subcommand {
        Subcommand::Run(options) => run::run(settings, options).await,
        Subcommand::Scan(options) => run::scan(settings, options).await,
        Subcommand::Status(options) => status::status(&settings, options).await,
        Subcommand::Events(options) => events::events(&settings, options).await,
        Subcommand::Trust(options) => trust::trust(&settings, options).await,
        Subcommand::Config {
            command: ConfigCommand::Check,
        } => Ok(config_check::check(&settings, &common.config)),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            gentoo_updater_runtime::EXIT_COULD_NOT_RUN
        }
    }
}
