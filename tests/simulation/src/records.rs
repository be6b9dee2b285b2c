//! What was seen of workers: their signs of life, and when they were killed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gentoo_updater_fleet::message::WorkKey;
use gentoo_updater_fleet::name::WorkerId;
use tokio::time::Instant;

/// What was seen of workers.
#[derive(Debug, Default)]
pub struct Records {
    signs: Mutex<BTreeMap<WorkerId, Vec<Instant>>>,
    deaths: Mutex<Vec<(WorkerId, Instant)>>,
    claims: Mutex<BTreeMap<(WorkKey, WorkerId), Instant>>,
}

impl Records {
    /// A sign of life came to the broker.
    pub fn sign(&self, worker: &WorkerId) {
        let mut signs = self.signs.lock().unwrap_or_else(PoisonError::into_inner);
        signs
            .entry(worker.clone())
            .or_default()
            .push(Instant::now());
    }

    /// A worker claims an attempt.
    pub fn claim(&self, work: &WorkKey, worker: &WorkerId) {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let claim = (work.clone(), worker.clone());
        claims.entry(claim).or_insert_with(Instant::now);
    }

    /// When a worker first claimed an attempt.
    pub fn claimed(&self, work: WorkKey, worker: &WorkerId) -> Option<Instant> {
        let claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.get(&(work, worker.clone())).copied()
    }

    /// A worker was killed or stopped.
    pub fn death(&self, worker: &WorkerId, at: Instant) {
        let mut deaths = self.deaths.lock().unwrap_or_else(PoisonError::into_inner);
        deaths.push((worker.clone(), at));
    }

    /// Whether a worker died in this time.
    pub fn died(&self, worker: &WorkerId, from: Instant, to: Instant) -> bool {
        let deaths = self.deaths.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_it = deaths.iter().filter(|(name, _)| name == worker);
        of_it.any(|(_, at)| (from..=to).contains(at))
    }

    /// For how long a worker gave no sign of life, at most in one piece, in this time.
    pub fn longest_silence(&self, worker: &WorkerId, from: Instant, to: Instant) -> Duration {
        let signs = self.signs.lock().unwrap_or_else(PoisonError::into_inner);
        let of_it = signs.get(worker).map(Vec::as_slice).unwrap_or_default();
        let before = of_it.iter().rev().find(|at| **at <= from);
        let within = of_it.iter().filter(|at| (from..=to).contains(*at));
        let mut last = before.copied().unwrap_or(from);
        let mut longest = Duration::ZERO;
        for at in within.copied().chain([to]) {
            longest = longest.max(at.saturating_duration_since(last));
            last = at;
        }
        longest
    }
}
