//! A planner's own signs of life, which let lease time pass when they come back to it.

use std::collections::VecDeque;
use std::time::Duration;

use gentoo_updater_bus::topology::ALIVE_EXPIRATION;
use tokio::time::Instant;

/// When each beat was sent.
///
/// What counts is when a beat was sent and not when it came back. All signs of life that were
/// there when it was sent lie before it in the queue, so they are read before it, however long
/// the queue has become. By the time of its return a planner that is slow would let the leases
/// of workers run out whose signs it has not read yet. And only the time between the end of one
/// sending and the begin of the next counts: while the broker is slow to take a beat it may be
/// as slow to take the signs of workers.
#[derive(Debug, Default)]
pub(crate) struct Beats {
    number: u64,
    /// Those that have not come back, oldest first.
    under_way: VecDeque<Beat>,
    /// The newest that came back.
    returned: Option<Beat>,
}

#[derive(Debug, Clone, Copy)]
struct Beat {
    number: u64,
    sent: Instant,
    confirmed: Instant,
}

impl Beats {
    /// The number of a beat that is sent now.
    pub(crate) fn send(&mut self, now: Instant) -> u64 {
        self.number += 1;
        self.under_way.push_back(Beat {
            number: self.number,
            sent: now,
            confirmed: now,
        });
        // What is older has gone to another planner or has expired.
        let lives = |beat: &Beat| now.duration_since(beat.sent) <= ALIVE_EXPIRATION;
        while self.under_way.front().is_some_and(|beat| !lives(beat)) {
            self.under_way.pop_front();
        }
        self.number
    }

    /// The broker has the beat that was sent last.
    pub(crate) fn confirm(&mut self, now: Instant) {
        if let Some(beat) = self.under_way.back_mut() {
            beat.confirmed = now;
        }
    }

    /// A beat came back: by how much later it was sent than the one that came back before it.
    ///
    /// `None` when beats between the two are missing: they went to another planner, or expired,
    /// and with them perhaps the signs of life that lay beside them.
    pub(crate) fn returned(&mut self, number: u64) -> Option<Duration> {
        let mut under_way = self.under_way.iter();
        let Some(index) = under_way.position(|beat| beat.number == number) else {
            return Some(Duration::ZERO);
        };
        let newest = self.under_way.drain(..=index).next_back();
        match (std::mem::replace(&mut self.returned, newest), newest) {
            (Some(before), Some(beat)) if before.number + 1 == number => {
                Some(beat.sent.duration_since(before.confirmed))
            }
            (Some(_), _) => None,
            (None, _) => Some(Duration::ZERO),
        }
    }

    /// How much time passes at most when all beats come back that are under way. What is learnt
    /// from the history now is newer than they are.
    pub(crate) fn ahead(&self) -> Duration {
        let oldest = self.returned.or(self.under_way.front().copied());
        let newest = self.under_way.back();
        match (oldest, newest) {
            (Some(from), Some(to)) => to.sent.duration_since(from.sent).min(ALIVE_EXPIRATION),
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn time_passes_by_when_beats_were_sent_and_not_by_when_they_come_back() {
        let (mut beats, begin) = (Beats::default(), Instant::now());
        let first = beats.send(begin);
        let second = beats.send(begin + 2 * SECOND);
        assert_eq!(beats.returned(first), Some(Duration::ZERO));
        assert_eq!(beats.returned(second), Some(2 * SECOND));
        assert_eq!(
            beats.returned(second),
            Some(Duration::ZERO),
            "it came twice"
        );
    }

    #[test]
    fn no_time_passes_where_a_beat_went_to_another_planner() {
        let (mut beats, begin) = (Beats::default(), Instant::now());
        let first = beats.send(begin);
        beats.returned(first);
        beats.send(begin + 2 * SECOND);
        let third = beats.send(begin + 4 * SECOND);
        assert_eq!(beats.returned(third), None);
        let fourth = beats.send(begin + 6 * SECOND);
        assert_eq!(beats.returned(fourth), Some(2 * SECOND));
    }

    #[test]
    fn no_time_passes_while_the_broker_takes_no_beat() {
        let (mut beats, begin) = (Beats::default(), Instant::now());
        let first = beats.send(begin);
        beats.confirm(begin + 3600 * SECOND);
        beats.returned(first);
        let second = beats.send(begin + 3602 * SECOND);
        assert_eq!(beats.returned(second), Some(2 * SECOND));
    }

    #[test]
    fn what_is_under_way_is_known_until_it_is_back_or_has_expired() {
        let (mut beats, begin) = (Beats::default(), Instant::now());
        let first = beats.send(begin);
        beats.returned(first);
        assert_eq!(beats.ahead(), Duration::ZERO);
        beats.send(begin + 2 * SECOND);
        let third = beats.send(begin + 4 * SECOND);
        assert_eq!(beats.ahead(), 4 * SECOND);
        beats.returned(third);
        assert_eq!(beats.ahead(), Duration::ZERO);
        for number in 0..1000 {
            beats.send(begin + number * SECOND);
        }
        assert_eq!(beats.ahead(), ALIVE_EXPIRATION);
    }
}
