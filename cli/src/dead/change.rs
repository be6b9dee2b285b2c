//! `dead retry` and `dead drop`.

use std::collections::BTreeSet;
use std::sync::Arc;

use gentoo_updater_bus::{Inspect, LetterId, NoWayBack, Retried};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::words::counted;
use jiff::Timestamp;
use serde::Serialize;

use super::arguments::{Choice, DropOptions, RetryOptions};
use super::list::{text, views};
use super::select::{SelectError, check_queue, chosen};
use crate::ask::agreed;
use crate::open;
use crate::output;

/// What is done with dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Put back where they came from.
    Retry,
    /// Deleted, after a question unless this is `yes`.
    Drop { yes: bool },
}

/// The document of `dead retry --json` and `dead drop --json`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ChangeDocument {
    /// `retry` or `drop`.
    pub(super) action: &'static str,
    /// Whether this only says what would be done.
    pub(super) dry_run: bool,
    /// The dead letters that were chosen.
    pub(super) chosen: Vec<String>,
    /// Those that were there, and with which it is done.
    pub(super) done: Vec<String>,
    /// Those that cannot go back where they came from.
    pub(super) stayed: Vec<Stayed>,
}

/// A letter that cannot go back.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Stayed {
    /// The letter.
    pub(super) id: String,
    /// The queue that it came from.
    pub(super) queue: String,
    /// Why.
    pub(super) cause: String,
}

impl From<NoWayBack> for Stayed {
    fn from(stays: NoWayBack) -> Self {
        Self {
            id: stays.letter.to_string(),
            queue: stays.queue,
            cause: stays.cause,
        }
    }
}

pub(super) async fn retry(settings: &Arc<Settings>, options: &RetryOptions) -> anyhow::Result<u8> {
    change(settings, &options.choice, Change::Retry).await
}

pub(super) async fn drop(settings: &Arc<Settings>, options: &DropOptions) -> anyhow::Result<u8> {
    let yes = options.yes;
    change(settings, &options.choice, Change::Drop { yes }).await
}

async fn change(settings: &Arc<Settings>, choice: &Choice, change: Change) -> anyhow::Result<u8> {
    let opened = if choice.dry_run {
        open::to_look(settings).await?
    } else {
        Some(open::to_change(settings).await?)
    };
    let Some(opened) = opened else {
        return crate::nothing_kept(settings, choice.json);
    };
    let (queues, now) = (crate::queue::declared(settings), Timestamp::now());
    let changed = change_opened(opened.inspect.as_ref(), choice, change, &queues, now).await;
    opened.bus.close().await;
    let Some(document) = changed? else {
        eprintln!("Nothing was dropped.");
        return Ok(crate::EXIT_WITH_FAILURES);
    };
    if choice.json {
        output::print_json(&document)?;
    }
    conclude(&document, choice.json)
}

/// What was done; nothing where the operator did not agree. `queues` are those of the configuration.
pub(super) async fn change_opened(
    inspect: &dyn Inspect,
    choice: &Choice,
    change: Change,
    queues: &[String],
    now: Timestamp,
) -> anyhow::Result<Option<ChangeDocument>> {
    let letters = super::letters(inspect).await?;
    check_queue(&choice.filters, &letters, queues).map_err(SelectError::refusal)?;
    let chosen = chosen(&letters, choice, now).map_err(SelectError::refusal)?;
    let ids: BTreeSet<LetterId> = chosen.iter().map(|letter| letter.id.clone()).collect();
    let changed = if choice.dry_run || ids.is_empty() {
        Retried::default()
    } else {
        match change {
            Change::Retry => inspect.retry_dead(&ids).await?,
            Change::Drop { yes } => {
                eprint!("{}", text(&views(&chosen), now));
                let letters = counted(ids.len(), "dead letter");
                let question = format!("Delete {letters} for good?");
                if !agreed(&question, yes, "use --yes if it is meant").await? {
                    return Ok(None);
                }
                Retried {
                    returned: inspect.drop_dead(&ids).await?,
                    stayed: Vec::new(),
                }
            }
        }
    };
    if choice.dry_run && !choice.json && !chosen.is_empty() {
        let text = text(&views(&chosen), now);
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    let action = match change {
        Change::Retry => "retry",
        Change::Drop { .. } => "drop",
    };
    let names = |ids: &mut dyn Iterator<Item = &LetterId>| ids.map(LetterId::to_string).collect();
    Ok(Some(ChangeDocument {
        action,
        dry_run: choice.dry_run,
        chosen: names(&mut ids.iter()),
        done: names(&mut changed.returned.iter()),
        stayed: changed.stayed.into_iter().map(Stayed::from).collect(),
    }))
}

/// Says what was done, and gives the exit code.
fn conclude(document: &ChangeDocument, json: bool) -> anyhow::Result<u8> {
    let (chosen, done) = (document.chosen.len(), document.done.len());
    if chosen == 0 {
        let message = "no dead letter matches that; `gentoo-updater dead list` shows those that there \
                       are";
        return Err(crate::NotThere(message.to_owned()).into());
    }
    let words = match document.action {
        "retry" => "put back where they came from",
        _ => "deleted",
    };
    if document.dry_run {
        eprintln!("{} would be {words}.", counted(chosen, "dead letter"));
        return Ok(crate::EXIT_DONE);
    }
    if !json {
        println!("{} {words}.", counted(done, "dead letter"));
    }
    for Stayed { id, queue, cause } in &document.stayed {
        let (queue, cause) = (output::harmless(queue), output::harmless(cause));
        eprintln!("{id} from {queue} cannot go back and stays: {cause}");
    }
    let gone = chosen.saturating_sub(done + document.stayed.len());
    if gone > 0 {
        eprintln!("{} gone by then.", counted(gone, "dead letter"));
    }
    if done < chosen {
        return Ok(crate::EXIT_WITH_FAILURES);
    }
    Ok(crate::EXIT_DONE)
}
