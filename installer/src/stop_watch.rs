//! How long the parts of an installation take.

use std::time::Instant;

/// Tells how long the parts of an installation take.
pub(crate) struct StopWatch(Instant);

impl StopWatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the start or the last lap.
    pub(crate) fn lap_ms(&mut self) -> u64 {
        let lap = self.0.elapsed();
        self.0 += lap;
        lap.as_millis().try_into().unwrap_or(u64::MAX)
    }
}
