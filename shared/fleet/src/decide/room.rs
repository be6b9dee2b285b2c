//! How many builds can be given out at once.
//!
//! A queue hands out what came first, first. So the planner keeps builds until somebody is free to
//! begin one: then the most urgent goes, also when it could be built only since a moment ago.

use std::collections::{BTreeMap, BTreeSet};

use crate::liveness::Liveness;
use crate::message::{Role, Task};
use crate::name::{PlatformName, WorkerId};
use crate::state::{Attempt, Fleet};

/// The builds that can be given out for each platform.
pub(super) struct Room {
    free: BTreeMap<PlatformName, usize>,
}

impl Room {
    /// The slots of the builders that live and take work, less those in which one works, or will
    /// when it has taken what is on its way.
    pub(super) fn of(fleet: &Fleet, liveness: &Liveness) -> Self {
        let mut free: BTreeMap<PlatformName, usize> = BTreeMap::new();
        let mut working: BTreeSet<&WorkerId> = BTreeSet::new();
        for (id, worker) in &fleet.workers {
            let takes_work = worker.role == Role::Builder
                && worker.paused.is_none()
                && fleet.pause_of(id, worker.role).is_none()
                && liveness.may_be_alive(id);
            if let (true, Some(machine)) = (takes_work, &worker.machine) {
                let slots = usize::from(machine.slots.unwrap_or(1));
                *free.entry(machine.platform.clone()).or_default() += slots;
                working.insert(id);
            }
        }
        // A further attempt can lie in its queue for long: whose machine failed leaves it to others,
        // as long as they are at work. It takes a slot when somebody claims it.
        let is_taken = |number: u32, attempt: &Attempt, before: u32| match (
            &attempt.failure,
            &attempt.claim,
        ) {
            (Some(_), _) => false,
            (None, Some(claim)) => working.contains(&claim.worker),
            (None, None) => attempt.issued.is_some() && number == before.saturating_add(1),
        };
        for run in fleet.unfinished() {
            let Some(jobs) = &run.jobs else { continue };
            for (task, state) in &run.tasks {
                let Task::Build(job) = task else { continue };
                // Most are over.
                if state.outcome.is_some() {
                    continue;
                }
                let is_taken = state
                    .newest()
                    .is_some_and(|(number, attempt)| is_taken(number, attempt, state.before_retry));
                if !is_taken {
                    continue;
                }
                let platform = jobs.get(job).map(|job| &job.platform);
                if let Some(free) = platform.and_then(|platform| free.get_mut(platform)) {
                    *free = free.saturating_sub(1);
                }
            }
        }
        Self { free }
    }

    /// Whether a further build can be given out. Where no builder is known that takes work, all of
    /// them can: they wait in the queue for whoever comes up, and are given up after a while.
    pub(super) fn is_there(&self, platform: &PlatformName) -> bool {
        self.free.get(platform).is_none_or(|free| *free > 0)
    }

    /// A build was given out.
    pub(super) fn take(&mut self, platform: &PlatformName) {
        if let Some(free) = self.free.get_mut(platform) {
            *free = free.saturating_sub(1);
        }
    }
}
