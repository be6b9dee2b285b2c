//! `dead`: messages that could not be used, with their causes.

mod arguments;
mod change;
mod letter;
mod list;
mod select;
mod show;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use gentoo_updater_bus::{DeadLetter, Inspect};
use gentoo_updater_fleet::config::Settings;

pub(crate) use arguments::DeadCommand;

/// How many dead letters are looked at. Where there are more, something sends them all the time.
const MOST: usize = 10_000;

/// Carries out one of the commands.
pub(crate) async fn dead(settings: &Arc<Settings>, command: DeadCommand) -> anyhow::Result<u8> {
    match command {
        DeadCommand::List(options) => list::list(settings, &options).await,
        DeadCommand::Show(options) => show::show(settings, &options).await,
        DeadCommand::Retry(options) => change::retry(settings, &options).await,
        DeadCommand::Drop(options) => change::drop(settings, &options).await,
    }
}

/// The dead letters; says so where these are not all.
async fn letters(inspect: &dyn Inspect) -> anyhow::Result<Vec<DeadLetter>> {
    let letters = inspect.dead_letters(MOST).await?;
    if letters.len() >= MOST {
        eprintln!("These are the oldest {MOST} dead letters; there may be more.");
    }
    Ok(letters)
}
