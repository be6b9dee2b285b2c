//! Runs as people name them: by their id, or by the end of it that is shown on a screen.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::name::RunId;
use crate::state::{Fleet, Run};

/// How many characters of a run's id are shown.
const SHORT: usize = 12;

/// A run, named by its id or by the last twelve characters of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunName {
    /// By its id.
    Id(RunId),
    /// By the end of its id, as [`RunId::short`] gives it.
    Short(String),
}

/// A text that names no run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no id of a run; the whole id is one, and so are its last {SHORT} characters, as \
     `gentoo-updater events` shows them"
)]
pub struct InvalidRunName(String);

impl RunName {
    /// Whether this run is meant.
    pub fn is(&self, run: RunId) -> bool {
        match self {
            Self::Id(id) => *id == run,
            Self::Short(short) => *short == run.short(),
        }
    }

    /// The run of this name, if it is known; the newest, should two end alike.
    pub fn find<'a>(&self, fleet: &'a Fleet) -> Option<&'a Run> {
        let mut newest_first = fleet.runs.values().rev().map(Arc::as_ref);
        newest_first.find(|run| self.is(run.id))
    }

    /// The run of this name of which the state knows no more than that it is over, if that much:
    /// the history may tell the rest.
    pub fn forgotten(&self, fleet: &Fleet) -> Option<RunId> {
        match self.find(fleet) {
            Some(_) => None,
            None => match self {
                Self::Id(id) => Some(*id),
                Self::Short(_) => fleet.over.iter().rev().copied().find(|run| self.is(*run)),
            },
        }
    }
}

impl FromStr for RunName {
    type Err = InvalidRunName;

    fn from_str(text: &str) -> Result<Self, InvalidRunName> {
        let is_short = text.len() == SHORT && text.chars().all(|c| c.is_ascii_hexdigit());
        if is_short {
            return Ok(Self::Short(text.to_ascii_lowercase()));
        }
        let invalid = |_| InvalidRunName(text.to_owned());
        text.parse().map(Self::Id).map_err(invalid)
    }
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Short(short) => f.write_str(short),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_by_its_id_and_by_what_is_shown_of_it() {
        let (run, other) = (RunId::generate(), RunId::generate());
        let shown = run.short().to_uppercase();
        for text in [run.to_string(), run.short(), shown] {
            let name: RunName = text.parse().unwrap();
            assert!(name.is(run) && !name.is(other), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_id_is_refused_with_what_would_be_one() {
        for text in ["", "12", "0123456789ag", "all"] {
            let error = text.parse::<RunName>().unwrap_err();
            assert!(error.to_string().contains("last 12 characters"), "{error}");
        }
    }
}
