//! What the state forgets, so that it does not grow with the history.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Fleet, Guest, Registration, Run};
use crate::message::{Purpose, Role, WorkerRegistered};
use crate::name::{RunId, WorkerId};

/// How many runs that are over are kept, each with all its rounds, for reports: some that may run at
/// once, or end one after the other while somebody looks. Of an older one the history tells; what
/// runs have said is most of what a process knows of a fleet.
pub const KEPT_RUNS: usize = 4;
/// How many rows those of them tell together that are kept beside the newest one: updates of guests, and
/// what changed on them. A thousand guests with 500 updates each tell a million, which are 7 MB of a
/// packed snapshot, and a broker takes no snapshot of more than 16 MiB.
pub const KEPT_ROWS: usize = 1_000_000;
/// Of how many runs it is known that they are over, so that a command or a result that comes very
/// late is dropped without a word.
pub const KNOWN_RUNS: usize = 1000;
/// How many registrations of planners are kept: each start of a planner has an id of its own.
pub const KEPT_PLANNERS: usize = 10;
/// How many registrations of other workers are kept, those that registered last.
pub const KEPT_WORKERS: usize = 1000;
/// Of how many packages durations are kept that builders' logs tell: of some more than a machine has
/// installed. What comes then is not taken.
pub const KEPT_LEARNT: usize = 8000;

impl Fleet {
    /// Notes that a run is over, and forgets those that ended long before it.
    pub(super) fn forget_old_runs(&mut self, ended: RunId) {
        if let Some(run) = self.runs.get_mut(&ended) {
            Arc::make_mut(run).forget_what_no_report_needs();
        }
        self.over.push_back(ended);
        let kept = self.kept();
        let all: Vec<RunId> = self.runs.keys().copied().collect();
        let forgotten = all
            .iter()
            .filter(|run| !kept.contains(&self.first_round(**run)));
        for run in forgotten.copied().collect::<Vec<_>>() {
            self.runs.remove(&run);
        }
        if self.over.len() > KNOWN_RUNS {
            self.over.pop_front();
        }
    }

    /// The first rounds of the runs that are kept: those that go on, and the newest that do not.
    fn kept(&self) -> BTreeSet<RunId> {
        let going_on = self.unfinished().map(|run| self.first_round(run.id));
        let mut kept: BTreeSet<RunId> = going_on.collect();
        let (mut over, mut rows) = (0, 0usize);
        let known = self.over.iter().rev().filter(|r| self.runs.contains_key(r));
        for first in known.map(|run| self.first_round(*run)) {
            if kept.contains(&first) {
                continue;
            }
            let of_it = self
                .runs
                .values()
                .filter(|r| self.first_round(r.id) == first);
            rows = rows.saturating_add(of_it.map(|run| run.rows()).sum());
            // The newest is kept however much it tells.
            if over >= KEPT_RUNS || over > 0 && rows > KEPT_ROWS {
                break;
            }
            over += 1;
            kept.insert(first);
        }
        kept
    }

    /// The round that a run has begun with, as far as it is known.
    pub(super) fn first_round(&self, mut run: RunId) -> RunId {
        // A further round sorts behind the one that it follows: what claims to be one of its own, or
        // of a later one, is none.
        while let Some(before) = self.runs.get(&run).and_then(|run| run.follows)
            && before < run
            && self.runs.contains_key(&before)
        {
            run = before;
        }
        run
    }

    /// Notes who has come up, and forgets those that did so long before.
    pub(super) fn register(&mut self, offset: u64, event: &WorkerRegistered, at: Timestamp) {
        let registration = Registration {
            role: event.role,
            queues: event.queues.clone(),
            machine: event.machine.clone(),
            at,
            offset,
            paused: None,
        };
        self.workers.insert(event.worker.clone(), registration);
        let is_planner = event.role == Role::Planner;
        let kept = if is_planner {
            KEPT_PLANNERS
        } else {
            KEPT_WORKERS
        };
        let alike = || {
            self.workers
                .iter()
                .filter(|(_, worker)| (worker.role == Role::Planner) == is_planner)
        };
        if alike().count() > kept {
            let oldest = alike().min_by_key(|(_, worker)| worker.offset);
            let oldest: Option<WorkerId> = oldest.map(|(id, _)| id.clone());
            oldest.and_then(|id| self.workers.remove(&id));
        }
    }
}

impl Run {
    /// How many rows its guests tell.
    fn rows(&self) -> usize {
        let of_guest = |guest: &Guest| {
            let updates = guest.scan.as_ref().map_or(0, |scan| scan.updates.len());
            let done = guest.installation.as_ref();
            updates + done.map_or(0, |done| done.changes.len())
        };
        self.guests.values().map(of_guest).sum()
    }

    /// What a guest has installed is most of what a run knows. When the run is over it only tells
    /// what is held back on a guest for which nothing was ordered, and what went first.
    fn forget_what_no_report_needs(&mut self) {
        let is_scan_only = self.is_scan_only();
        let rollout = &self.rollout;
        for guest in self.guests.values_mut() {
            let Some(scan) = &guest.scan else {
                continue;
            };
            let wants = scan.updates.iter().any(|u| u.purpose == Purpose::Runtime);
            if is_scan_only || guest.installation.is_some() || !wants {
                let scan = guest.scan.as_mut().map(Arc::make_mut);
                if let Some(scan) = scan {
                    scan.installed.retain(|row| rollout.looks_at(row));
                    scan.installed.shrink_to_fit();
                }
            }
        }
    }
}
