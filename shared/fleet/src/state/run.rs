//! What is known of one run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::estimates::Foreseen;
use super::pairs;
use super::progress::Known;
use super::rings::{self, BrokenRing};
use super::sharing::{self, Told};
use super::wants::{self, Plan};
use crate::message::{
    Batch, Cruft, Failure, Finding, GuestScanned, HeldBack, Job, PackageBuilt, PackageChange,
    RepositoryRevision, RunKind, RunOutcome, StoreCollected, Task, ToSync,
};
use crate::name::{
    BuilderName, CommandId, GuestName, JobId, PlatformName, RunId, WaveName, WorkerId,
};
use crate::rollout::Rollout;
use crate::schedule::Occurrence;

/// One pass over the fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// How far it goes.
    pub kind: RunKind,
    /// Whether guests are asked anew on which nothing has changed.
    pub force: bool,
    /// The machines whose ebuild repositories are brought up to date first.
    pub sync: ToSync,
    /// When it was requested.
    pub requested_at: Timestamp,
    /// How many further rounds may follow.
    pub more_rounds: u32,
    /// The run that this one is a further round of.
    pub follows: Option<RunId>,
    /// How often operators wanted further attempts at a task of it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// How its guests get their updates.
    #[serde(default, skip_serializing_if = "Rollout::is_plain")]
    pub rollout: Rollout,
    /// The time of a schedule that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Occurrence>,
    /// When the waves ended, one after the other, by the planner's clock.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended_waves: Vec<Timestamp>,
    /// The waves that an operator has approved.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub approved: BTreeSet<WaveName>,
    /// When something of it came to its end for the last time, or it was requested.
    pub progressed_at: Timestamp,
    /// Its guests.
    #[serde(with = "sharing")]
    pub guests: BTreeMap<GuestName, Guest>,
    /// The ebuild repositories of the builders that were brought up to date.
    pub synced: BTreeMap<BuilderName, Vec<RepositoryRevision>>,
    /// Its jobs; absent until all answers were merged.
    pub jobs: Option<Arc<BTreeMap<JobId, Job>>>,
    /// The rings among them, and where each is broken: a part of their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rings: Vec<BrokenRing>,
    /// The binaries that are in the store.
    pub built: BTreeMap<JobId, PackageBuilt>,
    /// What was cleaned.
    pub cleaned: BTreeMap<BuilderName, Cleaning>,
    /// The stores that were collected.
    pub collected: BTreeMap<PlatformName, StoreCollected>,
    /// Every piece of work that was ever issued or claimed.
    #[serde(with = "pairs")]
    pub tasks: BTreeMap<Task, TaskState>,
    /// What was expected of it when it was known what is to be built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreseen: Option<Foreseen>,
    /// How it ended; absent while it goes on.
    pub finished: Option<Finished>,
    /// The rows that its guests have told so far.
    #[serde(skip)]
    pub(super) told: Told,
    /// Which of its jobs wait for which, and how far they are.
    #[serde(skip)]
    pub(super) known: Known,
}

/// One guest in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guest {
    /// Its platform.
    pub platform: PlatformName,
    /// What it said; absent until it was asked, or when that failed.
    pub scan: Option<Arc<GuestScanned>>,
    /// What it wants of the batch.
    pub plan: Option<Arc<Plan>>,
    /// Why no builder compiles for it, if that is so.
    pub unserved: Option<Failure>,
    /// Why it gets none of its updates in this run although it could, if that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Arc<Failure>>,
    /// How the installation ended.
    pub installation: Option<Installation>,
}

/// How an installation ended. Whether it failed says the outcome of its task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Installation {
    /// Whether it had begun, so that the guest may have changed.
    pub begun: bool,
    /// What changed. Guests share what changed alike.
    pub changes: Vec<Arc<PackageChange>>,
    /// What was left out on purpose.
    pub held: Vec<HeldBack>,
    /// What an administrator should know.
    pub findings: Vec<Finding>,
    /// Whether the guest was put back to what it had before, and has that again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub put_back: bool,
}

/// What the janitor did on a builder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cleaning {
    /// What was removed.
    pub removed: Vec<PackageChange>,
    /// What is needed by now.
    pub kept: Vec<Finding>,
    /// What has another version now.
    pub updated: Vec<PackageChange>,
    /// What was there before and is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<PackageChange>,
    /// What became of files that builds left beside packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cruft: Option<Box<Cruft>>,
}

/// One task with all its attempts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskState {
    /// The attempts, by number. Nearly all tasks have one, and a map makes room for eleven: in boxes
    /// they take a seventh of it.
    pub attempts: BTreeMap<u32, Box<Attempt>>,
    /// How it ended; absent while it goes on.
    pub outcome: Option<TaskOutcome>,
    /// Attempts up to this number do not count: an operator wanted others after them. They cannot
    /// be claimed any more, and fail nothing; a result of one of them is a result.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub before_retry: u32,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TaskOutcome {
    /// Done, by this attempt.
    Done {
        /// The attempt.
        attempt: u32,
        /// When.
        at: Timestamp,
    },
    /// Failed for good.
    Failed {
        /// Why.
        failure: Failure,
        /// When.
        at: Timestamp,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One attempt at a task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its command, once a queue has accepted it.
    pub issued: Option<Issued>,
    /// Who works on it.
    pub claim: Option<Claim>,
    /// Why it failed, where another attempt may follow.
    pub failure: Option<(Failure, Timestamp)>,
}

/// A command that its queue has accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Issued {
    /// The command.
    pub command: CommandId,
    /// Its queue.
    pub queue: String,
    /// When it was accepted for the first time, by the planner's clock.
    pub first: Timestamp,
    /// When it was accepted for the last time: it is issued again when its queue has lost it.
    pub last: Timestamp,
    /// How often it was accepted.
    pub times: u32,
}

/// The claim on an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Who.
    pub worker: WorkerId,
    /// On which builder, for builds.
    pub builder: Option<BuilderName>,
    /// When, by the worker's clock.
    pub at: Timestamp,
}

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// How.
    pub outcome: RunOutcome,
    /// When.
    pub at: Timestamp,
}

impl TaskState {
    /// The newest attempt that counts: those before a retry do not.
    pub fn newest(&self) -> Option<(u32, &Attempt)> {
        let (number, attempt) = self.attempts.last_key_value()?;
        (*number > self.before_retry).then_some((*number, attempt))
    }

    /// The number of the last attempt that counts, or of the first one where none was made yet: it may
    /// have been given up before that.
    pub fn last(&self) -> u32 {
        let first = self.before_retry.saturating_add(1);
        self.newest().map_or(first, |(number, _)| number)
    }

    /// Whether it failed for good.
    pub fn has_failed(&self) -> bool {
        matches!(self.outcome, Some(TaskOutcome::Failed { .. }))
    }
}

impl Run {
    /// Whether an attempt has begun on a guest to change it.
    pub(crate) fn is_begun_on(&self, guest: &GuestName) -> bool {
        let guest = self.guests.get(guest);
        let installation = guest.and_then(|guest| guest.installation.as_ref());
        installation.is_some_and(|installation| installation.begun)
    }

    /// What the last attempt on a guest came to that has begun, as long as another one follows.
    pub(super) fn begun_and_open(&self, guest: &GuestName) -> Option<&Installation> {
        let state = self.tasks.get(&Task::Install(guest.clone()))?;
        let installation = self.guests.get(guest)?.installation.as_ref()?;
        let is_open = state.outcome.is_none() && installation.begun;
        is_open.then_some(installation)
    }

    /// Why a task failed for good, if it did.
    pub fn failure(&self, task: &Task) -> Option<&Failure> {
        match self.tasks.get(task)?.outcome.as_ref()? {
            TaskOutcome::Failed { failure, .. } => Some(failure),
            TaskOutcome::Done { .. } => None,
        }
    }

    /// Whether a task came to its end, well or not.
    pub fn is_over(&self, task: &Task) -> bool {
        self.tasks
            .get(task)
            .is_some_and(|state| state.outcome.is_some())
    }

    /// The builders that worked on this run's jobs, in any attempt. Who only looked into the store for
    /// what it holds did not.
    pub fn builders(&self) -> BTreeSet<&BuilderName> {
        let built = self.built.values().filter(|built| !built.reused);
        let tasks = self.tasks.iter();
        let builds = tasks.filter(|(task, _)| matches!(task, Task::Build(_)));
        let claimed = builds.flat_map(|(_, state)| {
            let attempts = state.attempts.values();
            attempts.filter_map(|attempt| attempt.claim.as_ref()?.builder.as_ref())
        });
        built.map(|built| &built.builder).chain(claimed).collect()
    }

    /// The platforms of its guests, whose stores it collects in the end.
    pub fn stores(&self) -> BTreeSet<&PlatformName> {
        self.guests.values().map(|guest| &guest.platform).collect()
    }

    /// Takes over the batch.
    pub(super) fn plan(&mut self, batch: Batch) {
        if self.jobs.is_some() {
            // Two planners may have merged the same answers; the first result stands.
            return;
        }
        let jobs = batch.jobs.into_iter().map(|job| (job.id.clone(), job));
        let mut jobs = jobs.collect();
        self.share_with(&mut jobs);
        for (guest, plan) in wants::of_batch(&self.guests, &mut jobs, batch.guests) {
            if let Some(guest) = self.guests.get_mut(&guest) {
                guest.plan = Some(Arc::new(plan));
            }
        }
        for (guest, failure) in batch.unserved {
            if let Some(guest) = self.guests.get_mut(&guest) {
                guest.unserved = Some(failure);
            }
        }
        self.rings = rings::broken(&jobs);
        self.jobs = Some(Arc::new(jobs));
        self.known = Known::default();
    }
}
