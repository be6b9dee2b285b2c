//! What operators are told without asking. Pure.
//!
//! It is level-triggered, as all of this crate: a *notice* follows from the state, and its key says whether it
//! was told already. Whoever tells keeps the keys ([`Told`]).

mod attention;
mod sample;
mod told;

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::message::OccurrencesMissed;
use crate::name::RunId;
use crate::report::Report;
use crate::schedule::missed_words;
use crate::state::{Fleet, Run};

pub use attention::Attention;
pub use sample::{Sample, samples};
pub use told::Told;

/// When an operator is told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// A run is over, however it ended.
    Finished,
    /// A run is over, and something failed or was held back.
    Failed,
    /// Something waits for an operator.
    NeedsAttention,
    /// A schedule has missed runs.
    Missed,
}

impl Occasion {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Finished,
        Self::Failed,
        Self::NeedsAttention,
        Self::Missed,
    ];
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::NeedsAttention => "needs_attention",
            Self::Missed => "missed",
        })
    }
}

/// Something that an operator is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What tells it from all others. It is the same for whoever looks.
    pub key: String,
    /// When it is told.
    pub occasion: Occasion,
    /// What it is about.
    pub subject: Subject,
}

/// What a notice is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A run that is over, by its first round.
    Run(RunId),
    /// What a schedule has missed.
    Missed(OccurrencesMissed),
    /// Something that waits for an operator.
    Attention(Attention),
    /// So many dead letters.
    DeadLetters(u64),
}

/// The namespace of the ids of notices.
const NOTICES: Uuid = Uuid::from_u128(0x3f0a_8d47_21c6_4c1b_8a3e_6be4_0d19_57e2);
/// The key of dead letters.
const DEAD_LETTERS: &str = "dead-letters";

impl Notice {
    /// What tells one telling of it to one recipient from all others: the same in every try. `found` is when
    /// it was found.
    pub fn id(&self, recipient: &str, found: Timestamp) -> Uuid {
        let mut text = format!("{recipient}\n{}", self.key);
        // What waits for somebody can wait again later; a run ends once.
        if self.occasion == Occasion::NeedsAttention {
            text.push_str(&format!("\n{found}"));
        }
        Uuid::new_v5(&NOTICES, text.as_bytes())
    }

    /// Whether somebody who wants to be told at these occasions is told of it.
    pub fn is_wanted(&self, on: &BTreeSet<Occasion>) -> bool {
        let is_end = self.occasion == Occasion::Failed && on.contains(&Occasion::Finished);
        on.contains(&self.occasion) || is_end
    }

    /// It in one line.
    pub fn headline(&self) -> String {
        match &self.subject {
            Subject::Run(run) => match self.occasion {
                Occasion::Failed => format!("run {} ended with failures", run.short()),
                _ => format!("run {}: every guest is up to date", run.short()),
            },
            Subject::Missed(missed) => missed_words(missed),
            Subject::Attention(attention) => attention.what.clone(),
            Subject::DeadLetters(number) => attention::of_dead_letters(*number).what,
        }
    }

    /// What waits for an operator, where it is about that.
    pub fn attention(&self) -> Option<Attention> {
        match &self.subject {
            Subject::Attention(attention) => Some(attention.clone()),
            Subject::DeadLetters(number) => Some(attention::of_dead_letters(*number)),
            Subject::Run(_) | Subject::Missed(_) => None,
        }
    }
}

/// The notice of a run whose rounds are all over; none of one that goes on, or of which nothing is told.
pub fn of_run(fleet: &Fleet, run: RunId) -> Option<Notice> {
    let run = fleet.runs.get(&run)?;
    let is_over = !is_silent(run) && rounds(fleet, run).all(|round| round.finished.is_some());
    is_over.then(|| Notice {
        key: key_of(run.id),
        occasion: match Report::of(fleet, run).is_complete() {
            true => Occasion::Finished,
            false => Occasion::Failed,
        },
        subject: Subject::Run(run.id),
    })
}

/// Whether nothing is told of it: of a further round its first one tells, and the answer of a scan is looked at by
/// who asked for it.
fn is_silent(run: &Run) -> bool {
    run.follows.is_some() || run.is_scan_only()
}

fn key_of(run: RunId) -> String {
    format!("run/{run}")
}

fn rounds<'f>(fleet: &'f Fleet, first: &'f Run) -> impl Iterator<Item = &'f Run> {
    std::iter::successors(Some(first), |run| {
        let next = fleet.runs.get(&run.id.following())?;
        (next.follows == Some(run.id)).then_some(next.as_ref())
    })
}

/// What schedules have missed and what waits in the state.
fn others(fleet: &Fleet) -> impl Iterator<Item = Notice> {
    let missed = fleet.schedules.values().flat_map(|it| &it.missed);
    let missed = missed.map(|missed| {
        let missed = &missed.occurrences;
        Notice {
            key: format!("missed/{}/{}", missed.schedule, missed.last.as_second()),
            occasion: Occasion::Missed,
            subject: Subject::Missed(missed.clone()),
        }
    });
    let attention = attention::in_state(fleet).into_iter();
    let attention = attention.map(|(key, attention)| Notice {
        key,
        occasion: Occasion::NeedsAttention,
        subject: Subject::Attention(attention),
    });
    missed.chain(attention)
}
