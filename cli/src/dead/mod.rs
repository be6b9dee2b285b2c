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
use jiff::Timestamp;
use serde::Serialize;

use self::arguments::Choice;
use self::change::Change;

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

/// What `dead list` shows, as a document.
///
/// # Errors
/// When the dead letters cannot be read.
pub(crate) async fn look(inspect: &dyn Inspect) -> anyhow::Result<impl Serialize + use<>> {
    let letters = letters(inspect).await?;
    let all: Vec<&DeadLetter> = letters.iter().collect();
    let dead_letters = list::views(&all);
    Ok(list::ListDocument { dead_letters })
}

/// What `dead retry` does with the letters of these ids, as a document.
///
/// # Errors
/// When one of them is not there, or nothing can be changed.
pub(crate) async fn put_back(
    inspect: &dyn Inspect,
    ids: Vec<String>,
    now: Timestamp,
) -> anyhow::Result<impl Serialize + use<>> {
    let choice = Choice {
        ids,
        json: true,
        ..Choice::default()
    };
    change::change_opened(inspect, &choice, Change::Retry, &[], now).await
}

/// The dead letters; says so where these are not all.
async fn letters(inspect: &dyn Inspect) -> anyhow::Result<Vec<DeadLetter>> {
    let letters = inspect.dead_letters(MOST).await?;
    if letters.len() >= MOST {
        eprintln!("These are the oldest {MOST} dead letters; there may be more.");
    }
    Ok(letters)
}
