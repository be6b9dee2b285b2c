//! The state of the fleet: a pure fold over the history.
//!
//! [`Fleet::apply`] is called with every event in offset order, and with nothing else. The
//! planner, the claims of the workers, the command line and the report all use this one fold.

mod fold;
mod pairs;
mod progress;
mod run;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::message::{Failure, PauseTarget, Role, WorkKey};
use crate::name::{BuilderName, RunId, WorkerId};

pub use progress::JobProgress;
pub use run::{
    Attempt, Claim, Cleaning, Finished, Guest, Installation, Run, TaskOutcome, TaskState,
};

/// The state of the fleet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fleet {
    /// The offset of the newest event that was applied.
    pub offset: Option<u64>,
    /// The runs, oldest first.
    pub runs: BTreeMap<RunId, Run>,
    /// The workers that have registered.
    pub workers: BTreeMap<WorkerId, Registration>,
    /// Who takes no work because an operator wants it so.
    #[serde(with = "pairs")]
    pub pauses: BTreeMap<PauseTarget, Pause>,
}

/// That an operator wants somebody to take no work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    /// Who wants it.
    pub by: WorkerId,
    /// Since when, by the clock of whoever wants it.
    pub since: Timestamp,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

/// A worker that has come up at least once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// Its role.
    pub role: Role,
    /// The queues that it serves.
    pub queues: Vec<String>,
    /// When it last came up.
    pub at: Timestamp,
    /// The builder whose machine is unfit, and why, while the worker takes no work.
    pub paused: Option<(Option<BuilderName>, Failure)>,
}

impl Fleet {
    /// Who holds the claim on this attempt: the first that said so in the history.
    pub fn claim(&self, work: &WorkKey) -> Option<&WorkerId> {
        let attempt = self
            .runs
            .get(&work.run)?
            .tasks
            .get(&work.task)?
            .attempts
            .get(&work.attempt)?;
        attempt.claim.as_ref().map(|claim| &claim.worker)
    }

    /// Whether nothing more is to be done for this task: it has a result, or its run is over.
    pub fn is_finished(&self, work: &WorkKey) -> bool {
        self.runs.get(&work.run).is_some_and(|run| {
            run.finished.is_some()
                || run
                    .tasks
                    .get(&work.task)
                    .is_some_and(|task| task.outcome.is_some())
        })
    }

    /// The runs that are not over.
    pub fn unfinished(&self) -> impl Iterator<Item = &Run> {
        self.runs.values().filter(|run| run.finished.is_none())
    }

    /// Why an operator wants this worker to take no work, if one does: its own pause comes before
    /// that of its role.
    pub fn pause_of(&self, worker: &WorkerId, role: Role) -> Option<&Pause> {
        let own = self.pauses.get(&PauseTarget::Worker(worker.clone()));
        own.or_else(|| self.pauses.get(&PauseTarget::Role(role)))
    }

    /// The newest run.
    pub fn newest(&self) -> Option<&Run> {
        self.runs.values().next_back()
    }
}
