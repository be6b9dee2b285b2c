//! When work that its queue has lost is issued again.

use std::ops::RangeInclusive;
use std::time::Duration;

use gentoo_updater_fleet::liveness::{ASKED_AFTER, missing_after};

use crate::serve::{BEAT, BEATS_BETWEEN_QUESTIONS};

/// How long after its queue has lost it a command is issued again, at least and at most, while the
/// planner is there and nobody paused it. `times` is how often it was issued before.
///
/// A planner asks about a queue every few beats, and looks at each beat whether the queue has been
/// without a message for long enough.
pub fn issued_again_after(times: u32, lease: Duration) -> RangeInclusive<Duration> {
    let missing = missing_after(times, lease);
    let question = BEAT * BEATS_BETWEEN_QUESTIONS as u32;
    // It may have been issued in the moment before, and a decision waits for a beat.
    missing..=ASKED_AFTER.min(lease) + question + missing + BEAT * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_comes_back_within_a_minute_and_later_each_time() {
        let lease = Duration::from_secs(180);
        let seconds = |times| {
            let range = issued_again_after(times, lease);
            (range.start().as_secs(), range.end().as_secs())
        };
        assert_eq!(seconds(1), (30, 54));
        assert_eq!(seconds(2), (60, 84));
        let short = issued_again_after(1, Duration::from_secs(5));
        assert_eq!(short.start().as_secs(), 5);
    }
}
