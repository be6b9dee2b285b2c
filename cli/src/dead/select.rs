//! Which dead letters are meant. Pure.

use std::collections::BTreeSet;

use gentoo_updater_bus::DeadLetter;
use jiff::Timestamp;

use super::arguments::{Choice, Filters};
use super::letter::LetterView;
use crate::queue::no_such_queue;

/// Why it is not clear which dead letters are meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SelectError {
    /// None begins like this.
    #[error("there is no dead letter {0}; `gentoo-updater dead list` shows those that there are")]
    Unknown(String),
    /// Several begin like this.
    #[error("{text} is the beginning of several dead letters: {}", ids.join(", "))]
    Ambiguous {
        /// The beginning.
        text: String,
        /// What begins like it.
        ids: Vec<String>,
    },
    /// No dead letter can be of this queue.
    #[error("{}", no_such_queue(name, known))]
    NoQueue {
        /// The name.
        name: String,
        /// The queues that there are.
        known: Vec<String>,
    },
    /// Nothing was chosen.
    #[error(
        "name the dead letters by their ids, choose them by --queue, --cause, --kind or --older, \
         or take --all"
    )]
    Nothing,
}

/// The one dead letter whose id is or begins with `text`.
pub(super) fn by_id<'a>(
    letters: &'a [DeadLetter],
    text: &str,
) -> Result<&'a DeadLetter, SelectError> {
    let wanted = text.to_ascii_lowercase();
    if let Some(exact) = letters.iter().find(|letter| letter.id.0 == wanted) {
        return Ok(exact);
    }
    let begins = |letter: &&DeadLetter| !wanted.is_empty() && letter.id.0.starts_with(&wanted);
    let found: Vec<&DeadLetter> = letters.iter().filter(begins).collect();
    match found.as_slice() {
        [] => Err(SelectError::Unknown(text.to_owned())),
        [one] => Ok(one),
        several => Err(SelectError::Ambiguous {
            text: text.to_owned(),
            ids: several.iter().map(|letter| letter.id.to_string()).collect(),
        }),
    }
}

/// # Errors
/// When the filters ask for a queue that is none of the configuration's, and that no dead letter
/// was in either: nothing would ever match.
pub(super) fn check_queue(
    filters: &Filters,
    letters: &[DeadLetter],
    queues: &[String],
) -> Result<(), SelectError> {
    let Some(name) = &filters.queue else {
        return Ok(());
    };
    let from = letters.iter().map(|letter| &letter.queue);
    let known: BTreeSet<&String> = queues.iter().chain(from).collect();
    if known.contains(name) {
        return Ok(());
    }
    Err(SelectError::NoQueue {
        name: name.clone(),
        known: known.into_iter().cloned().collect(),
    })
}

/// The dead letters that the filters let through, in their order.
pub(super) fn by_filters<'a>(
    letters: &'a [DeadLetter],
    filters: &Filters,
    now: Timestamp,
) -> Vec<&'a DeadLetter> {
    let is_of_kind = |letter: &DeadLetter, kind: &str| {
        let own = LetterView::of(letter).kind;
        own.is_some_and(|own| own.eq_ignore_ascii_case(kind))
    };
    let takes = |letter: &&DeadLetter| {
        let Filters {
            queue,
            cause,
            kind,
            older,
        } = filters;
        queue.as_ref().is_none_or(|queue| letter.queue == *queue)
            && cause
                .as_ref()
                .is_none_or(|cause| letter.cause.contains(cause.as_str()))
            && kind.as_ref().is_none_or(|kind| is_of_kind(letter, kind))
            && older
                .as_ref()
                .is_none_or(|older| now.duration_since(letter.at) > older.0)
    };
    letters.iter().filter(takes).collect()
}

/// The dead letters that are to be changed.
pub(super) fn chosen<'a>(
    letters: &'a [DeadLetter],
    choice: &Choice,
    now: Timestamp,
) -> Result<Vec<&'a DeadLetter>, SelectError> {
    if choice.all {
        return Ok(letters.iter().collect());
    }
    if !choice.ids.is_empty() {
        return choice.ids.iter().map(|id| by_id(letters, id)).collect();
    }
    let Filters {
        queue,
        cause,
        kind,
        older,
    } = &choice.filters;
    if queue.is_none() && cause.is_none() && kind.is_none() && older.is_none() {
        return Err(SelectError::Nothing);
    }
    Ok(by_filters(letters, &choice.filters, now))
}

impl SelectError {
    /// What the command line makes of it: who is not there, or wrong usage.
    pub(super) fn refusal(self) -> anyhow::Error {
        let text = self.to_string();
        match self {
            Self::Unknown(_) => crate::NotThere(text).into(),
            Self::Ambiguous { .. } | Self::NoQueue { .. } | Self::Nothing => {
                crate::WrongUsage(text).into()
            }
        }
    }
}
