//! Leases: for how long a claim holds without a sign of life.
//!
//! Lease time is no wall-clock time. It runs only while the planner's own `PlannerAlive` comes
//! back to it through the broker: a broker in alarm, or a planner that is cut off, must not
//! declare the fleet dead.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::message::WorkKey;

/// What the planner remembers of signs of life. It is no part of the fleet's state.
#[derive(Debug, Clone)]
pub struct Liveness {
    lease: Duration,
    longest_step: Duration,
    now: Duration,
    seen: BTreeMap<WorkKey, Duration>,
}

impl Liveness {
    /// With a lease, and the interval at which the planner's beats are expected to return.
    pub fn new(lease: Duration, beat: Duration) -> Self {
        Self {
            lease,
            longest_step: beat * 2,
            now: Duration::ZERO,
            seen: BTreeMap::new(),
        }
    }

    /// The planner's own beat came back, this long after the one before.
    pub fn beat(&mut self, elapsed: Duration) {
        self.now += elapsed.min(self.longest_step);
    }

    /// A worker says what it works on.
    pub fn alive<'a>(&mut self, working_on: impl IntoIterator<Item = &'a WorkKey>) {
        for work in working_on {
            self.seen.insert(work.clone(), self.now);
        }
    }

    /// Starts the lease of claims that are seen for the first time, and forgets those that are
    /// not held any more.
    pub fn watch(&mut self, claimed: &BTreeSet<WorkKey>) {
        self.seen.retain(|work, _| claimed.contains(work));
        for work in claimed {
            self.seen.entry(work.clone()).or_insert(self.now);
        }
    }

    /// Whether the lease of a claim has run out.
    pub fn is_lost(&self, work: &WorkKey) -> bool {
        self.seen
            .get(work)
            .is_some_and(|seen| self.now.saturating_sub(*seen) > self.lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Task;
    use crate::name::RunId;

    fn work() -> WorkKey {
        WorkKey {
            run: RunId::generate(),
            task: Task::Scan("g1".parse().unwrap()),
            attempt: 1,
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_claim_without_a_sign_of_life_is_lost_after_the_lease_and_not_before() {
        let (work, mut liveness) = (work(), Liveness::new(10 * SECOND, SECOND));
        liveness.watch(&BTreeSet::from([work.clone()]));
        for _ in 0..10 {
            liveness.beat(SECOND);
        }
        assert!(!liveness.is_lost(&work));
        liveness.beat(SECOND);
        assert!(liveness.is_lost(&work));
        liveness.alive([&work]);
        assert!(!liveness.is_lost(&work));
    }

    #[test]
    fn an_hour_in_which_no_beat_came_back_costs_no_lease() {
        let (work, mut liveness) = (work(), Liveness::new(10 * SECOND, SECOND));
        liveness.watch(&BTreeSet::from([work.clone()]));
        liveness.beat(3600 * SECOND);
        assert!(!liveness.is_lost(&work));
    }
}
