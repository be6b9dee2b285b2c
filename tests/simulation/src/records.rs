//! What was seen of workers: their signs of life, their deaths, and when commands reached a queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gentoo_updater_fleet::message::{Event, Task, WorkKey, WorkerAlive};
use gentoo_updater_fleet::name::{RunId, WorkerId};
use gentoo_updater_fleet::snapshot::Snapshot;
use tokio::time::Instant;

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// In the middle of whatever it did.
    Killed,
    /// In good order.
    Stopped,
}

/// What was seen of workers.
#[derive(Debug, Default)]
pub struct Records(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// The signs of life that name a piece of work, by the work.
    signs: BTreeMap<WorkKey, Vec<(WorkerId, Instant)>>,
    deaths: Vec<(WorkerId, Instant, Death)>,
    issued: BTreeMap<WorkKey, Instant>,
    claimed: BTreeSet<WorkKey>,
    told: BTreeSet<WorkKey>,
    /// The runs in which an operator had something tried again.
    retried: BTreeSet<RunId>,
    snapshots: Vec<Snapshot>,
    violations: Vec<String>,
}

impl Records {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A sign of life came to the broker.
    pub fn sign(&self, alive: &WorkerAlive) {
        let mut seen = self.seen();
        for ongoing in &alive.working_on {
            let signs = seen.signs.entry(ongoing.work.clone()).or_default();
            signs.push((alive.worker.clone(), Instant::now()));
        }
    }

    /// A worker has ended.
    pub fn death(&self, worker: &WorkerId, at: Instant, death: Death) {
        self.seen().deaths.push((worker.clone(), at, death));
    }

    /// A command came to its queue.
    pub fn issue(&self, work: WorkKey) {
        self.seen().issued.entry(work).or_insert_with(Instant::now);
    }

    /// What was issued, and when it first was.
    pub fn issued(&self) -> BTreeMap<WorkKey, Instant> {
        self.seen().issued.clone()
    }

    /// A snapshot was kept.
    pub fn keep(&self, snapshot: Snapshot) {
        self.seen().snapshots.push(snapshot);
    }

    /// All snapshots that were kept. They are large, and are handed out once.
    pub fn take_snapshots(&self) -> Vec<Snapshot> {
        std::mem::take(&mut self.seen().snapshots)
    }

    /// Something happened that must not.
    pub fn violate(&self, words: String) {
        self.seen().violations.push(words);
    }

    /// What must not happen and did.
    pub fn violations(&self) -> Vec<String> {
        self.seen().violations.clone()
    }

    /// A worker begins to publish a result, which it has kept before, or a task was given up.
    pub fn tell(&self, work: WorkKey) {
        self.seen().told.insert(work);
    }

    /// A claim came to the history.
    pub fn claim(&self, work: WorkKey) {
        self.seen().claimed.insert(work);
    }

    /// An operator has something tried again in a run.
    pub fn retry(&self, run: RunId) {
        self.seen().retried.insert(run);
    }

    /// Whether a command is of no use any more: it is claimed, its task has a result or was given
    /// up, or a later attempt was issued; or it is a cleaning or a collection that would come before a
    /// build that is tried again.
    pub fn is_taken_care_of(&self, work: &WorkKey) -> bool {
        let seen = self.seen();
        let later = |other: &WorkKey| {
            (other.run, &other.task) == (work.run, &work.task) && other.attempt > work.attempt
        };
        let same = |other: &WorkKey| (other.run, &other.task) == (work.run, &work.task);
        let is_early = matches!(work.task, Task::Clean(_) | Task::Collect(_))
            && seen.retried.contains(&work.run);
        is_early
            || seen.claimed.contains(work)
            || seen.issued.keys().any(later)
            || seen.told.iter().any(same)
    }

    /// Whether a result was kept.
    pub fn is_told(&self, work: &WorkKey) -> bool {
        self.seen().told.contains(work)
    }

    /// Whether a worker died in this time, in whatever way.
    pub fn died(&self, worker: &WorkerId, from: Instant, to: Instant) -> bool {
        let seen = self.seen();
        let mut deaths = seen.deaths.iter();
        deaths.any(|(name, at, _)| name == worker && (from..=to).contains(at))
    }

    /// How often a worker was killed in this time.
    pub fn kills(&self, worker: &WorkerId, from: Instant, to: Instant) -> usize {
        let seen = self.seen();
        let deaths = seen.deaths.iter();
        deaths
            .filter(|(name, at, death)| {
                name == worker && *death == Death::Killed && (from..=to).contains(at)
            })
            .count()
    }

    /// For how long a worker said nothing of a piece of work, at most in one piece, in this time.
    pub fn longest_silence(
        &self,
        worker: &WorkerId,
        work: &WorkKey,
        from: Instant,
        to: Instant,
    ) -> Duration {
        let seen = self.seen();
        let signs = seen.signs.get(work).map(Vec::as_slice).unwrap_or_default();
        let within = signs
            .iter()
            .filter(|(by, at)| by == worker && (from..=to).contains(at))
            .map(|(_, at)| *at);
        let mut last = from;
        let mut longest = Duration::ZERO;
        for at in within.chain([to]) {
            longest = longest.max(at.saturating_duration_since(last));
            last = at;
        }
        longest
    }
}

/// The attempt whose result an event is, if it is one.
pub fn work_of(event: &Event) -> Option<WorkKey> {
    let (run, task, attempt) = match event {
        Event::GuestScanned(e) => (e.run, Task::Scan(e.guest.clone()), e.attempt),
        Event::StoreSearched(e) => (e.run, Task::Search(e.platform.clone()), e.attempt),
        Event::PackageBuilt(e) => (e.run, Task::Build(e.job.clone()), e.attempt),
        Event::GuestUpdated(e) => (e.run, Task::Install(e.guest.clone()), e.attempt),
        Event::BuilderSynced(e) => (e.run, Task::Sync(e.builder.clone()), e.attempt),
        Event::BuilderCleaned(e) => (e.run, Task::Clean(e.builder.clone()), e.attempt),
        Event::StoreCollected(e) => (e.run, Task::Collect(e.platform.clone()), e.attempt),
        failed => return failed_work(failed),
    };
    Some(WorkKey { run, task, attempt })
}

/// The attempt that failed, if an event says so.
pub fn failed_work(event: &Event) -> Option<WorkKey> {
    let (run, task, attempt) = match event {
        Event::SyncFailed(e) => (e.run, Task::Sync(e.builder.clone()), e.attempt),
        Event::ScanFailed(e) => (e.run, Task::Scan(e.guest.clone()), e.attempt),
        Event::SearchFailed(e) => (e.run, Task::Search(e.platform.clone()), e.attempt),
        Event::BuildFailed(e) => (e.run, Task::Build(e.job.clone()), e.attempt),
        Event::InstallFailed(e) => (e.run, Task::Install(e.guest.clone()), e.attempt),
        Event::CleanFailed(e) => (e.run, Task::Clean(e.builder.clone()), e.attempt),
        Event::CollectFailed(e) => (e.run, Task::Collect(e.platform.clone()), e.attempt),
        _ => return None,
    };
    Some(WorkKey { run, task, attempt })
}
