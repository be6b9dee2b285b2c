//! `gentoo-updater`: the operator's command.

mod arguments;
mod ask;
mod back;
mod broker;
mod completions;
mod config_check;
mod cruft;
mod dashboard;
mod dead;
mod doctor;
mod events;
mod follow;
mod hold;
mod listen;
mod man;
#[cfg(test)]
mod named;
mod notices;
mod notify;
mod open;
mod output;
mod parse;
mod pause;
mod plan;
mod planner;
mod programs;
mod progress;
mod queue;
mod report;
mod retry;
mod roles;
mod run;
mod said;
mod schedule;
mod standing;
mod status;
mod store;
#[cfg(test)]
mod testing;
mod time;
mod trace;
mod trust;
mod why;
mod workers;

use std::process::ExitCode;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_runtime::EXIT_USAGE;

use crate::arguments::{Arguments, ConfigCommand, Subcommand};
use crate::schedule::ScheduleCommand;
use crate::store::StoreCommand;

/// Exit code of what was done as asked.
const EXIT_DONE: u8 = 0;
/// Exit code of a run after which every guest is up to date.
const EXIT_ALL_UPDATED: u8 = EXIT_DONE;
/// Exit code of a run that ended and in which something failed, and of a question whose answer is
/// that something is not there or not as it should be.
const EXIT_WITH_FAILURES: u8 = 1;
/// What was asked for is not there.
const EXIT_NOT_THERE: u8 = 1;

/// What the operator named is not there: wrong usage, and nothing was tried.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUsage(String);

/// What the operator asks for is not there: the history or the broker does not know it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotThere(String);

/// Says where these commands look when the configuration names no broker, and that there is nothing
/// to be seen there yet.
fn nothing_kept(settings: &Settings, json: bool) -> anyhow::Result<u8> {
    if json {
        println!("null");
    }
    eprintln!(
        "There was no run yet. The configuration names no broker, so what happens is kept in {}, \
         which the first `gentoo-updater run` makes. Where the workers are processes of their own, \
         name their broker here as well: url in [broker], or GENTOO_UPDATER__BROKER__URL.",
        open::journal(settings).display()
    );
    Ok(EXIT_DONE)
}

/// The same, where one run or package was asked for: it is not there.
fn nothing_to_tell(settings: &Settings, json: bool) -> anyhow::Result<u8> {
    nothing_kept(settings, json)?;
    Ok(EXIT_NOT_THERE)
}

/// Says that there is nothing to be told of, because nothing has happened.
fn no_run_yet(json: bool) -> anyhow::Result<u8> {
    if json {
        println!("null");
    }
    eprintln!("There was no run yet.");
    Ok(EXIT_NOT_THERE)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Arguments = gentoo_updater_runtime::parse_arguments();
    ExitCode::from(dispatch(arguments).await)
}

async fn dispatch(arguments: Arguments) -> u8 {
    match carry_out(arguments).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}", output::harmless(&format!("{error:#}")));
            if error.is::<WrongUsage>() {
                EXIT_USAGE
            } else if error.is::<NotThere>() {
                EXIT_WITH_FAILURES
            } else {
                gentoo_updater_runtime::EXIT_COULD_NOT_RUN
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
        Subcommand::Report(options) => report::report(&settings()?, &options).await,
        Subcommand::Events(options) => events::events(&settings()?, options).await,
        Subcommand::Queue { command } => queue::queue(&settings()?, command).await,
        Subcommand::Dead { command } => dead::dead(&settings()?, command).await,
        Subcommand::Doctor(options) => doctor::doctor(settings()?, &common.config, &options).await,
        Subcommand::Plan(options) => plan::plan(&settings()?, &options).await,
        Subcommand::Trace(options) => trace::trace(&settings()?, &options).await,
        Subcommand::Retry(options) => retry::retry(settings()?, &options).await,
        Subcommand::Cruft { command } => cruft::cruft(settings()?, command).await,
        Subcommand::Store { command } => {
            // What serves for months says what it does; the others print what was asked for.
            let settings = match command {
                StoreCommand::Serve(_) => common
                    .start()
                    .map_err(|error| WrongUsage(format!("{error:#}")))?,
                _ => settings()?,
            };
            store::store(settings, command).await
        }
        Subcommand::Why(options) => why::why(&settings()?, &options).await,
        Subcommand::Notify { command } => notify::notify(settings()?, command).await,
        Subcommand::Schedule { command } => {
            // What serves for months says what it does.
            let settings = match command {
                ScheduleCommand::Serve(_) => common
                    .start()
                    .map_err(|error| WrongUsage(format!("{error:#}")))?,
                ScheduleCommand::List(_) => settings()?,
            };
            schedule::schedule(settings, command).await
        }
        Subcommand::Workers(options) => workers::workers(&settings()?, &options).await,
        Subcommand::Pause(options) => pause::pause(&settings()?, &options).await,
        Subcommand::Resume(options) => pause::resume(&settings()?, &options).await,
        Subcommand::Hold(options) => hold::hold(&settings()?, &options).await,
        Subcommand::Approve(options) => hold::approve(&settings()?, &options).await,
        Subcommand::Rollback(options) => back::rollback(&settings()?, &options).await,
        Subcommand::Bisect(options) => back::bisect(&settings()?, &options).await,
        Subcommand::Man(options) => man::man(&options),
        Subcommand::Completions(options) => completions::completions(&options),
        Subcommand::Trust(options) => trust::trust(settings()?.as_ref(), options).await,
        Subcommand::Dashboard(options) => {
            let settings = common
                .start()
                .map_err(|error| WrongUsage(format!("{error:#}")))?;
            dashboard::dashboard(settings, options).await
        }
        Subcommand::Broker { command } => broker::broker(settings()?.as_ref(), command),
        Subcommand::Config {
            command: ConfigCommand::Check,
        } => config_check::check(settings()?.as_ref(), &common.config),
        Subcommand::Parse { command } => parse::parse(&command),
    }
}
