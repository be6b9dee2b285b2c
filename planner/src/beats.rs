//! A planner's own signs of life, which let lease time pass when they come back to it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How many beats are remembered that have not come back: more than live in their queue at once.
const REMEMBERED: usize = 64;

/// When each beat was sent.
///
/// What counts is when a beat was sent and not when it came back. All signs of life that were
/// there when it was sent lie before it in the queue, so they are read before it, however long
/// the queue has become. By the time of its return a planner that is slow would let the leases
/// of workers run out whose signs it has not read yet.
#[derive(Debug, Default)]
pub(crate) struct Beats {
    number: u64,
    sent: VecDeque<(u64, Instant)>,
    /// When the newest was sent of those that came back.
    returned: Option<Instant>,
}

impl Beats {
    /// The number of a beat that is sent now.
    pub(crate) fn send(&mut self, now: Instant) -> u64 {
        self.number += 1;
        self.sent.push_back((self.number, now));
        if self.sent.len() > REMEMBERED {
            self.sent.pop_front();
        }
        self.number
    }

    /// A beat came back: by how much later it was sent than the one that came back before it.
    /// Nothing for the first of all, and for one that came back before.
    ///
    /// `None` when one that was sent before it did not come back: another planner was active
    /// meanwhile and got it, and with it the signs of life of workers.
    pub(crate) fn returned(&mut self, number: u64) -> Option<Duration> {
        let mut is_missed = false;
        while self.sent.front().is_some_and(|(sent, _)| *sent < number) {
            self.sent.pop_front();
            is_missed = true;
        }
        let Some((_, at)) = self
            .sent
            .front()
            .copied()
            .filter(|(sent, _)| *sent == number)
        else {
            return Some(Duration::ZERO);
        };
        self.sent.pop_front();
        let before = self.returned.replace(at);
        if is_missed {
            return None;
        }
        Some(before.map_or(Duration::ZERO, |before| at.duration_since(before)))
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
    fn a_beat_that_went_to_another_planner_is_missed() {
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
    fn beats_that_never_come_back_are_forgotten() {
        let (mut beats, begin) = (Beats::default(), Instant::now());
        for _ in 0..1000 {
            beats.send(begin);
        }
        assert_eq!(beats.sent.len(), REMEMBERED);
    }
}
