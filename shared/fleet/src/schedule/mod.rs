//! Runs by calendar: what is due when. Pure.
//!
//! An *occurrence* is one time of a schedule's calendar. Its run has an id that follows from both
//! ([`RunId::of_occurrence`]), so it is the same whoever asks for it, and begins once. What has been decided is in the
//! history ([`crate::state::Scheduled`]); [`decide`] says what is to be said next.

mod calendar;
mod decide;
mod view;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::name::ScheduleName;
use crate::request::Request;
use crate::rollout::{Turn, Window, turn};

pub use calendar::{Calendar, InvalidCalendar, MOST_COUNTED};
pub use decide::{Blocker, Decision, Order, Waiting, decide};
pub use view::{
    LastRun, NextOccurrence, ScheduleView, SchedulesView, WaitingView, missed_words,
    occurrence_words,
};

/// So many occurrences are compared with windows: of a daily one all of a year, as clocks are set twice in one.
const LOOKED_AT: usize = 366;
const MORE_THAN_A_WEEK: SignedDuration = SignedDuration::from_hours(8 * 24);

/// One time of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// The schedule.
    pub schedule: ScheduleName,
    /// When its calendar says so, without jitter.
    pub at: Timestamp,
}

/// Runs by calendar: a table `[schedules.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// When.
    pub calendar: Calendar,
    /// By how much later it begins at most: each occurrence by a time of its own, the same for whoever
    /// asks.
    pub jitter: Duration,
    /// How much later than that it may begin, when nobody was there or something stood in the way.
    pub late: Duration,
    /// When it may begin; at any time where there is none.
    pub windows: Vec<Window>,
    /// What is asked for.
    pub request: Request,
}

impl Schedule {
    /// When this occurrence begins, if nothing stands in the way.
    pub fn start(&self, name: &ScheduleName, at: Timestamp) -> Timestamp {
        let jitter = jitter(name, at, self.jitter);
        at.checked_add(jitter).unwrap_or(Timestamp::MAX)
    }

    /// When this occurrence begins at the latest.
    pub fn deadline(&self, name: &ScheduleName, at: Timestamp) -> Timestamp {
        let late = SignedDuration::try_from(self.late).unwrap_or(SignedDuration::MAX);
        let start = self.start(name, at);
        start.checked_add(late).unwrap_or(Timestamp::MAX)
    }

    /// Whether a window is open for one of the occurrences to come: all of those of more than a week, after which
    /// windows come again, and [`LOOKED_AT`] at the least.
    pub fn meets_windows(&self, name: &ScheduleName, now: Timestamp) -> bool {
        let week = now.checked_add(MORE_THAN_A_WEEK).unwrap_or(Timestamp::MAX);
        let first = self.calendar.next_after(now);
        let occurrences = std::iter::successors(first, |at| self.calendar.next_after(*at));
        let mut looked_at = occurrences
            .enumerate()
            .take_while(|(place, at)| *place < LOOKED_AT || *at < week);
        looked_at.any(|(_, at)| match turn(&self.windows, self.start(name, at)) {
            Turn::Any | Turn::Before(_) => true,
            Turn::From(opens) => opens <= self.deadline(name, at),
            Turn::Never => false,
        })
    }
}

/// A part of `most` that follows from name and time, in whole seconds.
fn jitter(name: &ScheduleName, at: Timestamp, most: Duration) -> SignedDuration {
    let seconds = most.as_secs();
    if seconds == 0 {
        return SignedDuration::ZERO;
    }
    let text = format!("{name}\n{}", at.as_second());
    let digest = Sha256::digest(text.as_bytes());
    let mut number = [0; 8];
    number.copy_from_slice(&digest[..8]);
    let part = u64::from_be_bytes(number) % (seconds + 1);
    SignedDuration::from_secs(i64::try_from(part).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_the_same_for_whoever_asks_and_another_for_each_occurrence() {
        let name: ScheduleName = "nightly".parse().unwrap();
        let hour = Duration::from_secs(3600);
        let at = |day: i64| Timestamp::from_second(day * 86_400).unwrap();
        let all: Vec<i64> = (0..200)
            .map(|day| jitter(&name, at(day), hour).as_secs())
            .collect();
        assert!(all.iter().all(|it| (0..=3600).contains(it)));
        let different: std::collections::BTreeSet<&i64> = all.iter().collect();
        assert!(different.len() > 150, "{different:?}");
        // Written down, so that processes of two versions agree.
        assert_eq!(all[..3], [3390, 2965, 656]);
        let other = jitter(&"weekly".parse().unwrap(), at(0), hour);
        assert_ne!(other.as_secs(), all[0]);
        assert_eq!(jitter(&name, at(0), Duration::ZERO), SignedDuration::ZERO);
    }
}
