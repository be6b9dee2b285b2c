//! The time of a process: simulated time, plus an error that may jump.

use std::sync::{Arc, Mutex, PoisonError};

use gentoo_updater_bus::Clock;
use gentoo_updater_fleet::name::EventId;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use uuid::Builder;

use crate::random::Dice;

/// Simulated time begins here: 2026-01-01.
const BEGIN: i64 = 1_767_225_600;

/// One machine's clock. It outlives the processes on that machine.
#[derive(Debug)]
pub struct MachineClock {
    begun: Instant,
    error: Mutex<SignedDuration>,
    dice: Dice,
}

impl MachineClock {
    /// A clock that is right, until it is set otherwise.
    pub fn new(begun: Instant, dice: Dice) -> Arc<Self> {
        Arc::new(Self {
            begun,
            error: Mutex::new(SignedDuration::ZERO),
            dice,
        })
    }

    /// Sets the clock wrong by this much.
    pub fn set_wrong_by(&self, error: SignedDuration) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.begun.elapsed()).unwrap_or_default();
        let error = *self.error.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = Timestamp::from_second(BEGIN).unwrap_or_default();
        begin.saturating_add(elapsed + error).unwrap_or(begin)
    }

    fn event_id(&self) -> EventId {
        let millis = self.now().as_millisecond().unsigned_abs();
        let (high, low) = self.dice.bits();
        let mut random = [0; 10];
        random[..2].copy_from_slice(&high.to_be_bytes());
        random[2..].copy_from_slice(&low.to_be_bytes());
        EventId(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}
