//! `gentoo-updater`: the operator's command.

mod arguments;
mod broker;
mod config_check;
mod events;
mod follow;
mod open;
mod output;
mod parse;
mod progress;
mod roles;
mod run;
mod status;
mod trust;

use std::process::ExitCode;

use gentoo_updater_runtime::EXIT_USAGE;

use crate::arguments::{Arguments, ConfigCommand, Subcommand};

/// Exit code of a run after which every guest is up to date.
const EXIT_ALL_UPDATED: u8 = 0;
/// Exit code of a run that ended and in which something failed.
const EXIT_WITH_FAILURES: u8 = 1;

/// What the operator named is not there: wrong usage, and nothing was tried.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUsage(String);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = gentoo_updater_runtime::parse_arguments();
    ExitCode::from(dispatch(arguments).await)
}

async fn dispatch(arguments: Arguments) -> u8 {
    match carry_out(arguments).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            match error.downcast_ref::<WrongUsage>() {
                Some(_) => EXIT_USAGE,
                None => gentoo_updater_runtime::EXIT_COULD_NOT_RUN,
            }
        }
    }
}

async fn carry_out(arguments: Arguments) -> anyhow::Result<u8> {
    let common = arguments.common;
    // Read by those only that need it: a text can be looked at where there is no configuration.
    let settings = || {
        common
            .start_quietly()
            .map_err(|error| WrongUsage(format!("{error:#}")))
    };
    match arguments.subcommand {
        Subcommand::Run(options) => run::run(settings()?, options).await,
        Subcommand::Scan(options) => run::scan(settings()?, options).await,
        Subcommand::Status(options) => status::status(&settings()?, options).await,
        Subcommand::Events(options) => events::events(&settings()?, options).await,
        Subcommand::Trust(options) => trust::trust(settings()?.as_ref(), options).await,
        Subcommand::Broker { command } => broker::broker(settings()?.as_ref(), command),
        Subcommand::Config {
            command: ConfigCommand::Check,
        } => Ok(config_check::check(settings()?.as_ref(), &common.config)),
        Subcommand::Parse { command } => parse::parse(&command),
    }
}
