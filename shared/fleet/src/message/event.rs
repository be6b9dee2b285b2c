//! Events: what happened. Past participles.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_portage::cpv::Cpv;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::hold::HoldTarget;
use super::machine::{BuilderMachine, Durations};
use super::package::{Batch, PauseTarget, Role, Task, WorkKey};
use super::result::{
    BuildFailed, BuilderCleaned, BuilderSynced, CleanFailed, CollectFailed, GuestScanned,
    GuestUpdated, InstallFailed, PackageBuilt, ScanFailed, SearchFailed, StoreCollected,
    StoreSearched, SyncFailed,
};
use super::schedule::{OccurrencesMissed, ScheduleAdopted};
use crate::name::{BuilderName, CommandId, GuestName, PlatformName, RunId, WaveName, WorkerId};
use crate::rollout::Rollout;
use crate::schedule::Occurrence;

/// Everything that can have happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "body")]
pub enum Event {
    /// Somebody wants a run.
    RunRequested(RunRequested),
    /// A command was accepted by its queue.
    CommandIssued(CommandIssued),
    /// A worker claims an attempt; the first claim in the history wins.
    WorkStarted(WorkStarted),
    /// The ebuild repositories of a builder are up to date.
    BuilderSynced(BuilderSynced),
    /// The ebuild repositories of a builder could not be brought up to date.
    SyncFailed(SyncFailed),
    /// A guest said what it needs.
    GuestScanned(GuestScanned),
    /// A guest could not be asked, or its answer is not to be believed.
    ScanFailed(ScanFailed),
    /// All answers were merged.
    BatchPlanned(BatchPlanned),
    /// It was looked which binaries of the batch a store holds.
    StoreSearched(StoreSearched),
    /// A store could not be searched.
    SearchFailed(SearchFailed),
    /// A binary that fits its key is in the store.
    PackageBuilt(PackageBuilt),
    /// A job could not be built.
    BuildFailed(BuildFailed),
    /// A guest has its updates, and its new state was read.
    GuestUpdated(GuestUpdated),
    /// A guest did not get all of its updates.
    InstallFailed(InstallFailed),
    /// What a run put on a builder was removed.
    BuilderCleaned(BuilderCleaned),
    /// A builder could not be cleaned.
    CleanFailed(CleanFailed),
    /// What nobody needs was deleted from a store.
    StoreCollected(StoreCollected),
    /// A store could not be collected.
    CollectFailed(CollectFailed),
    /// The planner gives a task up after too many attempts.
    TaskAbandoned(TaskAbandoned),
    /// Every guest of a wave has its updates, or gets none in this run.
    WaveEnded(WaveEnded),
    /// Guests get none of their updates in this run, and nothing was begun on them.
    GuestsLeftOut(GuestsLeftOut),
    /// A run is over.
    RunFinished(RunFinished),
    /// A worker has come up.
    WorkerRegistered(WorkerRegistered),
    /// A worker takes no work because its machine is unfit, or takes it again.
    WorkerPaused(WorkerPaused),
    /// A builder's machine has a log of builds before, and the worker has read it.
    DurationsLearned(DurationsLearned),
    /// An operator wants further attempts at a task that failed for good.
    RetryRequested(RetryRequested),
    /// An operator wants a worker, or all of a role, to take no new work.
    PauseRequested(PauseRequested),
    /// An operator wants a worker, or all of a role, to take work again.
    ResumeRequested(ResumeRequested),
    /// An operator wants nothing to be begun of something.
    HoldRequested(HoldRequested),
    /// An operator approves something that was held, or that waits for it.
    ApprovalGiven(ApprovalGiven),
    /// An operator has put a guest back to what it had before a run.
    GuestRolledBack(GuestRolledBack),
    /// A scheduler follows a calendar from now on.
    ScheduleAdopted(ScheduleAdopted),
    /// At times of a schedule nothing has begun.
    OccurrencesMissed(OccurrencesMissed),
    /// A worker lives. Not kept in the history.
    WorkerAlive(WorkerAlive),
    /// A planner lives: the clock of all leases. Not kept in the history.
    PlannerAlive(PlannerAlive),
}

impl Event {
    /// The types of the events that the history keeps, as they are written on the wire.
    pub const KEPT_KINDS: [&str; 33] = [
        "RunRequested",
        "CommandIssued",
        "WorkStarted",
        "BuilderSynced",
        "SyncFailed",
        "GuestScanned",
        "ScanFailed",
        "BatchPlanned",
        "StoreSearched",
        "SearchFailed",
        "PackageBuilt",
        "BuildFailed",
        "GuestUpdated",
        "InstallFailed",
        "BuilderCleaned",
        "CleanFailed",
        "StoreCollected",
        "CollectFailed",
        "TaskAbandoned",
        "WaveEnded",
        "GuestsLeftOut",
        "RunFinished",
        "WorkerRegistered",
        "WorkerPaused",
        "DurationsLearned",
        "RetryRequested",
        "PauseRequested",
        "ResumeRequested",
        "HoldRequested",
        "ApprovalGiven",
        "GuestRolledBack",
        "ScheduleAdopted",
        "OccurrencesMissed",
    ];

    /// The run that it belongs to, if it belongs to one.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::RunRequested(e) => Some(e.run),
            Self::CommandIssued(e) => Some(e.work.run),
            Self::WorkStarted(e) => Some(e.work.run),
            Self::BuilderSynced(e) => Some(e.run),
            Self::SyncFailed(e) => Some(e.run),
            Self::GuestScanned(e) => Some(e.run),
            Self::ScanFailed(e) => Some(e.run),
            Self::BatchPlanned(e) => Some(e.run),
            Self::StoreSearched(e) => Some(e.run),
            Self::SearchFailed(e) => Some(e.run),
            Self::PackageBuilt(e) => Some(e.run),
            Self::BuildFailed(e) => Some(e.run),
            Self::GuestUpdated(e) => Some(e.run),
            Self::InstallFailed(e) => Some(e.run),
            Self::BuilderCleaned(e) => Some(e.run),
            Self::CleanFailed(e) => Some(e.run),
            Self::StoreCollected(e) => Some(e.run),
            Self::CollectFailed(e) => Some(e.run),
            Self::TaskAbandoned(e) => Some(e.work.run),
            Self::WaveEnded(e) => Some(e.run),
            Self::GuestsLeftOut(e) => Some(e.run),
            Self::RunFinished(e) => Some(e.run),
            Self::RetryRequested(e) => Some(e.work.run),
            Self::GuestRolledBack(e) => Some(e.run),
            Self::WorkerRegistered(_)
            | Self::WorkerPaused(_)
            | Self::DurationsLearned(_)
            | Self::PauseRequested(_)
            | Self::ResumeRequested(_)
            | Self::HoldRequested(_)
            | Self::ApprovalGiven(_)
            | Self::ScheduleAdopted(_)
            | Self::OccurrencesMissed(_)
            | Self::WorkerAlive(_)
            | Self::PlannerAlive(_) => None,
        }
    }

    /// Its type as it is written on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RunRequested(_) => "RunRequested",
            Self::CommandIssued(_) => "CommandIssued",
            Self::WorkStarted(_) => "WorkStarted",
            Self::BuilderSynced(_) => "BuilderSynced",
            Self::SyncFailed(_) => "SyncFailed",
            Self::GuestScanned(_) => "GuestScanned",
            Self::ScanFailed(_) => "ScanFailed",
            Self::BatchPlanned(_) => "BatchPlanned",
            Self::StoreSearched(_) => "StoreSearched",
            Self::SearchFailed(_) => "SearchFailed",
            Self::PackageBuilt(_) => "PackageBuilt",
            Self::BuildFailed(_) => "BuildFailed",
            Self::GuestUpdated(_) => "GuestUpdated",
            Self::InstallFailed(_) => "InstallFailed",
            Self::BuilderCleaned(_) => "BuilderCleaned",
            Self::CleanFailed(_) => "CleanFailed",
            Self::StoreCollected(_) => "StoreCollected",
            Self::CollectFailed(_) => "CollectFailed",
            Self::TaskAbandoned(_) => "TaskAbandoned",
            Self::WaveEnded(_) => "WaveEnded",
            Self::GuestsLeftOut(_) => "GuestsLeftOut",
            Self::RunFinished(_) => "RunFinished",
            Self::WorkerRegistered(_) => "WorkerRegistered",
            Self::WorkerPaused(_) => "WorkerPaused",
            Self::DurationsLearned(_) => "DurationsLearned",
            Self::RetryRequested(_) => "RetryRequested",
            Self::PauseRequested(_) => "PauseRequested",
            Self::ResumeRequested(_) => "ResumeRequested",
            Self::HoldRequested(_) => "HoldRequested",
            Self::ApprovalGiven(_) => "ApprovalGiven",
            Self::GuestRolledBack(_) => "GuestRolledBack",
            Self::ScheduleAdopted(_) => "ScheduleAdopted",
            Self::OccurrencesMissed(_) => "OccurrencesMissed",
            Self::WorkerAlive(_) => "WorkerAlive",
            Self::PlannerAlive(_) => "PlannerAlive",
        }
    }

    /// Why something could not be done, if that is what it tells.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::SyncFailed(e) => Some(&e.failure),
            Self::ScanFailed(e) => Some(&e.failure),
            Self::SearchFailed(e) => Some(&e.failure),
            Self::BuildFailed(e) => Some(&e.failure),
            Self::InstallFailed(e) => Some(&e.failure),
            Self::CleanFailed(e) => Some(&e.failure),
            Self::CollectFailed(e) => Some(&e.failure),
            Self::TaskAbandoned(e) => Some(&e.failure),
            Self::GuestsLeftOut(e) => Some(&e.failure),
            Self::RunRequested(_)
            | Self::CommandIssued(_)
            | Self::WorkStarted(_)
            | Self::BuilderSynced(_)
            | Self::GuestScanned(_)
            | Self::BatchPlanned(_)
            | Self::StoreSearched(_)
            | Self::PackageBuilt(_)
            | Self::GuestUpdated(_)
            | Self::BuilderCleaned(_)
            | Self::StoreCollected(_)
            | Self::WaveEnded(_)
            | Self::RunFinished(_)
            | Self::WorkerRegistered(_)
            | Self::WorkerPaused(_)
            | Self::DurationsLearned(_)
            | Self::RetryRequested(_)
            | Self::PauseRequested(_)
            | Self::ResumeRequested(_)
            | Self::HoldRequested(_)
            | Self::ApprovalGiven(_)
            | Self::GuestRolledBack(_)
            | Self::ScheduleAdopted(_)
            | Self::OccurrencesMissed(_)
            | Self::WorkerAlive(_)
            | Self::PlannerAlive(_) => None,
        }
    }

    /// Whether it is a sign of life, which the history does not keep.
    pub fn is_alive(&self) -> bool {
        matches!(self, Self::WorkerAlive(_) | Self::PlannerAlive(_))
    }
}

/// How far a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunKind {
    /// Scan, build, install and clean.
    Update,
    /// Only show what is pending; change nothing.
    ScanOnly,
}

/// Somebody wants a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequested {
    /// The new run.
    pub run: RunId,
    /// How far it goes.
    pub kind: RunKind,
    /// The guests, each with the platform that it is of.
    pub guests: BTreeMap<GuestName, PlatformName>,
    /// Whether guests are asked anew on which nothing has changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// The machines whose ebuild repositories are brought up to date first.
    #[serde(default, skip_serializing_if = "ToSync::is_empty")]
    pub sync: ToSync,
    /// How many further rounds may follow for guests that want more when they have what they
    /// asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_rounds: u32,
    /// The run that this one is a further round of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<RunId>,
    /// How many retries of that run the planner knew of: see [`RunFinished::retries`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// How its guests get their updates.
    #[serde(default, skip_serializing_if = "Rollout::is_plain")]
    pub rollout: Rollout,
    /// The time of a schedule that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Occurrence>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The machines whose ebuild repositories a run brings up to date: all builders before any guest,
/// and each guest before it is asked. So a guest may as well mount the repositories of a builder;
/// it is then not among these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToSync {
    /// The builders.
    #[serde(default)]
    pub builders: BTreeSet<BuilderName>,
    /// The guests.
    #[serde(default)]
    pub guests: BTreeSet<GuestName>,
}

impl ToSync {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.builders.is_empty() && self.guests.is_empty()
    }
}

/// A command was accepted by its queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandIssued {
    /// The command.
    pub command: CommandId,
    /// What it orders.
    pub work: WorkKey,
    /// The queue that holds it until it is claimed.
    pub queue: String,
}

/// A worker claims an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkStarted {
    /// What is claimed.
    pub work: WorkKey,
    /// Who claims it.
    pub worker: WorkerId,
    /// The builder that it works on, for builds.
    #[serde(default)]
    pub builder: Option<BuilderName>,
}

/// All answers were merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchPlanned {
    /// The run.
    pub run: RunId,
    /// The jobs and who wants them.
    pub batch: Batch,
}

/// The planner gives a task up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskAbandoned {
    /// The last attempt.
    pub work: WorkKey,
    /// Why.
    pub failure: Failure,
}

/// Every guest of a wave has its updates, or gets none in this run. The planner's clock counts from then
/// for how long the wave soaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveEnded {
    /// The run.
    pub run: RunId,
    /// The wave.
    pub wave: WaveName,
}

/// Guests get none of their updates in this run, and nothing was begun on them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestsLeftOut {
    /// The run.
    pub run: RunId,
    /// The guests.
    pub guests: BTreeSet<GuestName>,
    /// Why.
    pub failure: Failure,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunOutcome {
    /// Every guest has all that it needs.
    Complete,
    /// Something failed or was held back.
    WithFailures,
}

/// A run is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFinished {
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub outcome: RunOutcome,
    /// How many retries the planner knew of. Where an operator has asked for one more in that
    /// moment, the run is not over: it says so again when it is.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
}

/// A guest was put back to what it had before a run, by an operator. Nobody gets these packages until
/// that is approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestRolledBack {
    /// The run.
    pub run: RunId,
    /// The guest.
    pub guest: GuestName,
    /// The machines for which the packages were built.
    pub platform: PlatformName,
    /// What the run had brought: all of it, or what is to blame.
    pub packages: Vec<Cpv>,
    /// Whether these were proven to be to blame. Nothing else of the run is suspected any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proven: bool,
}

/// A worker has come up, or says anew what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerRegistered {
    /// The worker.
    pub worker: WorkerId,
    /// Its role.
    pub role: Role,
    /// The queues that it serves.
    pub queues: Vec<String>,
    /// The machine that it compiles on, for builders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<BuilderMachine>,
}

/// A worker takes no work because its machine is unfit, or takes it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerPaused {
    /// The worker.
    pub worker: WorkerId,
    /// The builder that it serves, if it serves one.
    #[serde(default)]
    pub builder: Option<BuilderName>,
    /// Why it takes none; absent when it takes work again.
    pub failure: Option<Failure>,
}

/// A builder's machine has a log of builds before, and the worker has read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurationsLearned {
    /// The builder.
    pub builder: BuilderName,
    /// What the log tells and the history did not know; see [`crate::state::Fleet::news_in`].
    pub durations: Durations,
}

/// An operator wants further attempts at a task that failed for good, of a run that goes on: a
/// build, or an installation that was not begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryRequested {
    /// The task, with the last attempt at it that the operator knows of. No attempt up to this one
    /// counts any more. Once a later one has failed for good, too, that is another retry.
    pub work: WorkKey,
}

/// An operator wants a worker, or all of a role, to take no new work. What is begun goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseRequested {
    /// Who.
    pub target: PauseTarget,
    /// Why, in the operator's words.
    #[serde(default)]
    pub reason: Option<String>,
}

/// An operator wants a worker, or all of a role, to take work again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeRequested {
    /// Who.
    pub target: PauseTarget,
}

/// An operator wants nothing to be begun of a run, a wave, a guest or a package, until it is approved. What
/// is begun goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRequested {
    /// What.
    pub target: HoldTarget,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An operator approves what was held, or what waits for an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalGiven {
    /// What.
    pub target: HoldTarget,
}

/// A worker lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerAlive {
    /// The worker.
    pub worker: WorkerId,
    /// Its role.
    pub role: Role,
    /// What it works on.
    pub working_on: Vec<Ongoing>,
    /// On how many commands it works at once at most.
    #[serde(default)]
    pub slots: Option<u16>,
    /// Whether it takes no new work because an operator wants it so.
    #[serde(default)]
    pub paused: bool,
    /// Why its bus takes no messages or did not until now, in words; absent while all is well.
    #[serde(default)]
    pub bus_trouble: Option<String>,
}

/// Work that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ongoing {
    /// What is worked on.
    #[serde(flatten)]
    pub work: WorkKey,
    /// Since when, by the worker's clock: since its process came to it.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

/// A planner lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannerAlive {
    /// The planner.
    pub worker: WorkerId,
    /// Counts the beats of one planner process.
    pub beat: u64,
}

impl WorkStarted {
    /// The task that is claimed.
    pub fn task(&self) -> &Task {
        &self.work.task
    }
}
