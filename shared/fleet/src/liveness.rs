//! Leases: for how long a claim holds without a sign of life, and the other clocks of the planner.
//!
//! Lease time is no wall-clock time. It runs only while the planner's own `PlannerAlive` comes
//! back to it through the broker: a broker in alarm, or a planner that is cut off, must not
//! declare the fleet dead, and a clock that is set back by hours must not stop a retry.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::message::WorkKey;
use crate::name::WorkerId;

/// How long a queue is seen without a message before what was issued to it is taken for lost: more
/// than a command that was just taken needs to become a claim. Doubles each time that it happens to
/// the same command.
const MISSING_AFTER: Duration = Duration::from_secs(30);
/// How long a command lies in its queue before the queue is asked about it at all.
pub const ASKED_AFTER: Duration = Duration::from_secs(10);

/// For how long a queue is seen without a message before a command that was issued to it so often
/// is taken for lost.
pub fn missing_after(times: u32, lease: Duration) -> Duration {
    let doublings = times.saturating_sub(1).min(6);
    MISSING_AFTER.min(lease) * 2u32.pow(doublings)
}

/// What the planner remembers of signs of life. It is no part of the fleet's state.
#[derive(Debug, Clone)]
pub struct Liveness {
    lease: Duration,
    longest_step: Duration,
    now: Duration,
    ahead: Duration,
    seen: BTreeMap<WorkKey, Duration>,
    workers: BTreeMap<WorkerId, Duration>,
    unserved: BTreeMap<WorkKey, Duration>,
    failed: BTreeMap<WorkKey, Duration>,
    issued: BTreeMap<WorkKey, InQueue>,
    patience: Duration,
}

/// A command that should be in its queue.
#[derive(Debug, Clone)]
struct InQueue {
    queue: String,
    times: u32,
    since: Duration,
    /// Since when the queue has been seen without a message, each time that it was looked at.
    missing: Option<Duration>,
}

impl Liveness {
    /// With a lease, the time for which work may wait without anybody who could do it, and the
    /// interval at which the planner's beats are expected to return.
    pub fn new(lease: Duration, patience: Duration, beat: Duration) -> Self {
        Self {
            lease,
            longest_step: beat * 2,
            now: Duration::ZERO,
            ahead: Duration::ZERO,
            seen: BTreeMap::new(),
            workers: BTreeMap::new(),
            unserved: BTreeMap::new(),
            failed: BTreeMap::new(),
            issued: BTreeMap::new(),
            patience,
        }
    }

    /// The planner's own beat came back, this long after the one before.
    pub fn beat(&mut self, elapsed: Duration) {
        self.now += elapsed.min(self.longest_step);
        let (now, lease) = (self.now, self.lease);
        self.workers
            .retain(|_, seen| now.saturating_sub(*seen) <= lease);
    }

    /// Beats that are under way will let at most this much time pass when they come back. What
    /// the history tells now is newer than they are, so its time begins behind them.
    pub fn expect(&mut self, ahead: Duration) {
        self.ahead = ahead;
    }

    /// Signs of life went to another planner for a while: all leases begin anew. Whoever lives
    /// says so soon, and whoever does not is given up a lease later.
    pub fn renew(&mut self) {
        let now = self.now + self.ahead;
        self.seen.values_mut().for_each(|seen| *seen = now);
        self.workers.values_mut().for_each(|seen| *seen = now);
    }

    /// A worker says that it lives, and what it works on.
    pub fn alive<'a>(
        &mut self,
        worker: &WorkerId,
        working_on: impl IntoIterator<Item = &'a WorkKey>,
    ) {
        self.workers.insert(worker.clone(), self.now);
        for work in working_on {
            self.seen.insert(work.clone(), self.now);
        }
    }

    /// Whether a worker has given a sign of life within the lease.
    pub fn is_alive(&self, worker: &WorkerId) -> bool {
        self.workers
            .get(worker)
            .is_some_and(|seen| self.now.saturating_sub(*seen) <= self.lease)
    }

    /// Whether a worker may live: it has given a sign of life within the lease, or this planner has
    /// not been there for long enough to tell.
    pub fn may_be_alive(&self, worker: &WorkerId) -> bool {
        match self.workers.contains_key(worker) {
            true => self.is_alive(worker),
            false => self.now <= self.lease,
        }
    }

    /// Starts the clock of work that waits without anybody who could do it, and stops it for all
    /// other work.
    pub fn watch_unserved(&mut self, unserved: &BTreeSet<WorkKey>) {
        self.unserved.retain(|work, _| unserved.contains(work));
        for work in unserved {
            let since = self.now + self.ahead;
            self.unserved.entry(work.clone()).or_insert(since);
        }
    }

    /// Whether work has waited for too long without anybody who could do it.
    pub fn is_given_up(&self, work: &WorkKey) -> bool {
        let since = self.unserved.get(work);
        since.is_some_and(|since| self.now.saturating_sub(*since) > self.patience)
    }

    /// Whether work has waited for a lease without anybody who could do it: for what nobody has to wait
    /// for.
    pub fn is_left_alone(&self, work: &WorkKey) -> bool {
        let since = self.unserved.get(work);
        since.is_some_and(|since| self.now.saturating_sub(*since) > self.lease)
    }

    /// Starts the pause behind failures that are seen for the first time.
    pub fn watch_failed(&mut self, failed: &BTreeSet<WorkKey>) {
        self.failed.retain(|work, _| failed.contains(work));
        for work in failed {
            self.failed.entry(work.clone()).or_insert(self.now);
        }
    }

    /// Whether an attempt failed this long ago, as far as this planner knows.
    pub fn has_waited(&self, work: &WorkKey, delay: Duration) -> bool {
        let since = self.failed.get(work);
        since.is_some_and(|since| self.now.saturating_sub(*since) >= delay)
    }

    /// Takes over what was issued and is not claimed: for each its queue, and how often it was
    /// issued. What is issued again begins anew.
    pub fn watch_issued(&mut self, issued: &BTreeMap<WorkKey, (String, u32)>) {
        let is_same = |work: &WorkKey, known: &InQueue| {
            issued
                .get(work)
                .is_some_and(|(queue, times)| (queue, *times) == (&known.queue, known.times))
        };
        self.issued.retain(|work, known| is_same(work, known));
        for (work, (queue, times)) in issued {
            self.issued.entry(work.clone()).or_insert_with(|| InQueue {
                queue: queue.clone(),
                times: *times,
                since: self.now,
                missing: None,
            });
        }
    }

    /// The queues that hold work which nobody has claimed for a while: those to ask the bus about.
    pub fn doubtful_queues(&self) -> BTreeSet<String> {
        self.issued
            .values()
            .filter(|known| self.now.saturating_sub(known.since) >= ASKED_AFTER.min(self.lease))
            .map(|known| known.queue.clone())
            .collect()
    }

    /// A queue was looked at. It `is_bare` when no message waits in it, or when it is gone; then
    /// what was issued to it has been taken a moment ago, or is lost.
    pub fn saw_queue(&mut self, queue: &str, is_bare: bool) {
        for known in self.issued.values_mut().filter(|k| k.queue == queue) {
            match is_bare {
                true => known.missing = known.missing.or(Some(self.now)),
                false => known.missing = None,
            }
        }
    }

    /// Whether work that was issued is in its queue no more, and nobody has claimed it.
    pub fn is_missing(&self, work: &WorkKey) -> bool {
        self.issued.get(work).is_some_and(|known| {
            let patience = missing_after(known.times, self.lease);
            known
                .missing
                .is_some_and(|since| self.now.saturating_sub(since) > patience)
        })
    }

    /// Starts the lease of claims that are seen for the first time, and forgets those that are
    /// not held any more.
    pub fn watch(&mut self, claimed: &BTreeSet<WorkKey>) {
        self.seen.retain(|work, _| claimed.contains(work));
        for work in claimed {
            let since = self.now + self.ahead;
            self.seen.entry(work.clone()).or_insert(since);
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
        let (work, mut liveness) = (work(), Liveness::new(10 * SECOND, 20 * SECOND, SECOND));
        liveness.watch(&BTreeSet::from([work.clone()]));
        for _ in 0..10 {
            liveness.beat(SECOND);
        }
        assert!(!liveness.is_lost(&work));
        liveness.beat(SECOND);
        assert!(liveness.is_lost(&work));
        liveness.alive(&"builder@b1".parse().unwrap(), [&work]);
        assert!(!liveness.is_lost(&work));
    }

    #[test]
    fn a_lease_begins_anew_when_signs_of_life_went_to_another_planner() {
        let (work, mut liveness) = (work(), Liveness::new(10 * SECOND, 20 * SECOND, SECOND));
        liveness.watch(&BTreeSet::from([work.clone()]));
        for _ in 0..10 {
            liveness.beat(SECOND);
        }
        liveness.renew();
        for _ in 0..10 {
            liveness.beat(SECOND);
        }
        assert!(!liveness.is_lost(&work));
        liveness.beat(SECOND);
        assert!(liveness.is_lost(&work));
    }

    #[test]
    fn beats_from_before_a_claim_take_nothing_of_its_lease() {
        let (work, mut liveness) = (work(), Liveness::new(10 * SECOND, 20 * SECOND, SECOND));
        liveness.expect(8 * SECOND);
        liveness.watch(&BTreeSet::from([work.clone()]));
        for _ in 0..18 {
            liveness.beat(SECOND);
        }
        assert!(!liveness.is_lost(&work));
        liveness.beat(SECOND);
        assert!(liveness.is_lost(&work));
    }

    #[test]
    fn an_hour_in_which_no_beat_came_back_costs_no_lease() {
        let (work, mut liveness) = (work(), Liveness::new(10 * SECOND, 20 * SECOND, SECOND));
        liveness.watch(&BTreeSet::from([work.clone()]));
        liveness.beat(3600 * SECOND);
        assert!(!liveness.is_lost(&work));
    }

    #[test]
    fn a_worker_is_alive_for_a_lease_after_its_last_sign() {
        let (worker, mut liveness) = (
            "builder@b1".parse().unwrap(),
            Liveness::new(10 * SECOND, 20 * SECOND, SECOND),
        );
        assert!(!liveness.is_alive(&worker));
        liveness.alive(&worker, []);
        for _ in 0..10 {
            liveness.beat(SECOND);
        }
        assert!(liveness.is_alive(&worker));
        liveness.beat(SECOND);
        assert!(!liveness.is_alive(&worker));
    }
}
