//! The state of the fleet: a pure fold over the history.
//!
//! [`Fleet::apply`] is called with every event in offset order, and with nothing else. The
//! planner, the claims of the workers, the command line and the report all use this one fold.

mod approvals;
mod barriers;
mod bounds;
mod closing;
mod estimates;
mod fold;
mod holds;
mod learning;
mod pairs;
mod progress;
mod retry;
mod rings;
mod run;
mod schedules;
mod sharing;
mod shortage;
mod steps;
mod suspects;
mod wants;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::name::CategoryPackage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::message::{BuilderMachine, Durations, Failure, HoldTarget, PauseTarget, Role, WorkKey};
use crate::name::{BuilderName, EventId, GuestName, RunId, ScheduleName, WorkerId};
use crate::needs::Needs;

pub use approvals::KEPT_APPROVALS;
pub use barriers::{BarrierUpdate, Barriers};
pub use bounds::{KEPT_LEARNT, KEPT_PLANNERS, KEPT_ROWS, KEPT_RUNS, KEPT_WORKERS, KNOWN_RUNS};
pub use closing::Closing;
pub use estimates::{Compared, Estimates, Foreseen, KEPT_ESTIMATES};
pub use progress::{JobProgress, Progress};
pub use rings::BrokenRing;
pub use run::{
    Attempt, Claim, Cleaning, Finished, Guest, Installation, Issued, Run, TaskOutcome, TaskState,
};
pub use schedules::{Begun, KEPT_OCCURRENCES, KEPT_SCHEDULES, Missed, Scheduled};
pub use suspects::{KEPT_SUSPECTS, Suspect};
pub use wants::Plan;

/// The state of the fleet. It does not grow with the history: see [`KEPT_RUNS`] and its like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fleet {
    /// The offset of the newest event that was applied or left out.
    pub offset: Option<u64>,
    /// The id of that event; absent where it could not be understood. It tells this history from
    /// another one that has got the same offsets.
    pub event: Option<EventId>,
    /// How many events could not be understood and are not part of this state.
    pub left_out: u64,
    /// The runs that go on and the newest of those that are over, by the time of their request.
    /// Copies of the state share each until one of them changes it.
    pub runs: BTreeMap<RunId, Arc<Run>>,
    /// The newest runs that are over, in the order in which they ended.
    pub over: VecDeque<RunId>,
    /// How long the newest build of a package took; of what was never built here, how long a
    /// builder's log says that it takes.
    pub durations: Durations,
    /// The packages of which the duration is from a builder's log, and from whose.
    pub learnt_from: BTreeMap<CategoryPackage, BuilderName>,
    /// What builds of a package need at least, learnt from those that had too little.
    pub needs: BTreeMap<CategoryPackage, Needs>,
    /// How far estimates were off.
    #[serde(default, skip_serializing_if = "Estimates::is_empty")]
    pub estimates: Estimates,
    /// The workers that have registered.
    pub workers: BTreeMap<WorkerId, Registration>,
    /// Who takes no work because an operator wants it so.
    #[serde(with = "pairs")]
    pub pauses: BTreeMap<PauseTarget, Pause>,
    /// What operators hold.
    #[serde(default, with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub holds: BTreeMap<HoldTarget, Hold>,
    /// What nobody gets, because a guest that got it had to be put back, the oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub suspects: VecDeque<Suspect>,
    /// The packages that operators have approved by an atom, the newest last.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub approved_packages: VecDeque<Atom>,
    /// What was decided about the times of schedules.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schedules: BTreeMap<ScheduleName, Scheduled>,
}

/// That an operator wants somebody to take no work. Of several that want it the last one counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    /// Who wants it.
    pub by: WorkerId,
    /// Since when, by the clock of whoever wants it.
    pub since: Timestamp,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

/// That an operator wants nothing to be begun of something. Of several that want it the last one counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hold {
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
    /// The machine that it compiles on, for builders.
    pub machine: Option<BuilderMachine>,
    /// When it last said so.
    pub at: Timestamp,
    /// The offset at which it last said so.
    pub offset: u64,
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
        self.is_over(work.run)
            || self
                .runs
                .get(&work.run)
                .is_some_and(|run| run.is_over(&work.task))
    }

    /// Whether a run has ended, also one of which nothing else is known any more.
    pub fn is_over(&self, run: RunId) -> bool {
        match self.runs.get(&run) {
            Some(run) => run.finished.is_some(),
            None => self.over.contains(&run),
        }
    }

    /// How long a package takes to be built, if that is known.
    pub fn duration(&self, package: &CategoryPackage) -> Option<Duration> {
        self.durations
            .get(package)
            .copied()
            .map(Duration::from_millis)
    }

    /// The runs that are not over.
    pub fn unfinished(&self) -> impl Iterator<Item = &Run> {
        let runs = self.runs.values().map(Arc::as_ref);
        runs.filter(|run| run.finished.is_none())
    }

    /// Why an operator wants this worker to take no work, if one does: its own pause comes before
    /// that of its role.
    pub fn pause_of(&self, worker: &WorkerId, role: Role) -> Option<&Pause> {
        let own = self.pauses.get(&PauseTarget::Worker(worker.clone()));
        own.or_else(|| self.pauses.get(&PauseTarget::Role(role)))
    }

    /// The newest run that is no further round of another one that is known.
    pub fn newest(&self) -> Option<&Run> {
        self.newest_where(|_| true)
    }

    /// The same of those that do more than show what is pending; one that shows it where there is no
    /// other.
    pub fn newest_update(&self) -> Option<&Run> {
        self.newest_where(|run| !run.is_scan_only())
            .or_else(|| self.newest())
    }

    /// The same of those that have this guest.
    pub fn newest_of(&self, guest: &GuestName) -> Option<&Run> {
        self.newest_where(|run| run.guests.contains_key(guest))
    }

    fn newest_where(&self, is_wanted: impl Fn(&Run) -> bool) -> Option<&Run> {
        let is_further = |run: &Run| run.follows.is_some_and(|id| self.runs.contains_key(&id));
        let mut newest_first = self.runs.values().rev().map(Arc::as_ref);
        newest_first.find(|run| !is_further(run) && is_wanted(run))
    }
}
