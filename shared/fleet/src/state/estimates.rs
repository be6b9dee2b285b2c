//! What was expected of builds and runs, and what it came to: how far estimates are to be trusted.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Fleet, TaskState};
use crate::estimate;
use crate::message::{PackageBuilt, Task};
use crate::name::RunId;

/// Of how many builds, runs and installations it is known: the newest of each.
pub const KEPT_ESTIMATES: usize = 100;

/// What was expected, and what it came to. The oldest come first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimates {
    /// Builds of packages that were known by then.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub builds: VecDeque<Compared>,
    /// Runs, from the time when it was known what is to be built.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub runs: VecDeque<Compared>,
    /// How long installations took that went well, from the claim on, in milliseconds.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub installations: VecDeque<u64>,
}

/// How long something was expected to take, and took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// What was expected.
    pub expected_ms: u64,
    /// What it came to.
    pub took_ms: u64,
}

/// What was expected of a run when it was known what is to be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreseen {
    /// When that was.
    pub at: Timestamp,
    /// How long the rest of it would take, in milliseconds.
    pub expected_ms: u64,
}

impl Estimates {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Fleet {
    /// Compares a build with what was expected of it. To be called before its duration is learnt.
    pub(super) fn compare_build(&mut self, event: &PackageBuilt) {
        let package = &event.binary.cpv.category_package;
        if let Some(expected_ms) = self.durations.get(package).copied() {
            let took_ms = event.duration_ms;
            let compared = Compared {
                expected_ms,
                took_ms,
            };
            keep(&mut self.estimates.builds, compared);
        }
    }

    /// Notes what is expected of a run of which nothing was built yet.
    pub(super) fn foresee(&mut self, run: RunId, at: Timestamp) {
        let Some(known) = self.runs.get(&run) else {
            return;
        };
        let has_begun = known.tasks.keys().any(|it| matches!(it, Task::Build(_)));
        if known.jobs.is_none() || known.finished.is_some() || has_begun {
            return;
        }
        // A graph is much to keep for processes that never look at it again.
        let copy = known.as_ref().clone();
        let expected = estimate::rest_of_run(self, &copy, at);
        let expected_ms = estimate::milliseconds(expected);
        if let Some(run) = self.open(run) {
            run.foreseen = Some(Foreseen { at, expected_ms });
        }
    }

    /// Compares a run that is over with what was expected of it. One that has waited for people or for a
    /// time of day says nothing of how good an estimate was.
    pub(super) fn compare_run(&mut self, run: RunId) {
        let Some(run) = self.runs.get(&run) else {
            return;
        };
        let is_measured = run.rollout.is_plain() && run.retries == 0 && !run.is_scan_only();
        if let Some((foreseen, finished)) = run.foreseen.zip(run.finished).filter(|_| is_measured) {
            let compared = Compared {
                expected_ms: foreseen.expected_ms,
                took_ms: between(foreseen.at, finished.at),
            };
            keep(&mut self.estimates.runs, compared);
        }
    }

    /// Notes how long an installation took.
    pub(super) fn measure_installation(
        &mut self,
        run: RunId,
        task: &Task,
        attempt: u32,
        end: Timestamp,
    ) {
        let state = self.runs.get(&run).and_then(|run| run.tasks.get(task));
        let begin = state.and_then(|state| claimed_at(state, attempt));
        if let Some(begin) = begin {
            keep(&mut self.estimates.installations, between(begin, end));
        }
    }
}

fn claimed_at(state: &TaskState, attempt: u32) -> Option<Timestamp> {
    let attempt = state.attempts.get(&attempt)?;
    attempt.claim.as_ref().map(|claim| claim.at)
}

/// Milliseconds between two times; none where clocks of two machines say that it was backwards.
fn between(begin: Timestamp, end: Timestamp) -> u64 {
    u64::try_from(end.duration_since(begin).as_millis()).unwrap_or(0)
}

fn keep<T>(newest: &mut VecDeque<T>, one: T) {
    newest.push_back(one);
    if newest.len() > KEPT_ESTIMATES {
        newest.pop_front();
    }
}
