//! What is drawn from a seed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A source of chance that several tasks share.
#[derive(Debug)]
pub struct Dice(Mutex<fastrand::Rng>);

impl Dice {
    /// The same seed gives the same throws.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// Other dice, whose throws do not depend on how often these are thrown from here on.
    pub fn fork(&self) -> Self {
        Self::new(self.with(|rng| rng.u64(..)))
    }

    fn with<T>(&self, throw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        throw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// True in this many of a thousand throws.
    pub fn per_mille(&self, chance: u32) -> bool {
        chance > 0 && self.with(|rng| rng.u32(0..1000)) < chance
    }

    /// From `from` to `to`, both included.
    pub fn between(&self, from: u64, to: u64) -> u64 {
        self.with(|rng| rng.u64(from..=to))
    }

    /// A duration between two numbers of milliseconds.
    pub fn millis(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.between(from, to))
    }

    /// 74 bits of chance, as an id of a message holds.
    pub fn bits(&self) -> (u16, u64) {
        self.with(|rng| (rng.u16(..), rng.u64(..)))
    }
}
