//! What was decided about the times of schedules.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Fleet;
use super::run::Finished;
use crate::message::{OccurrencesMissed, RunRequested, ScheduleAdopted};
use crate::name::{RunId, ScheduleName};
use crate::schedule::{Calendar, Occurrence};

/// How many schedules are kept, those about which something was decided last.
pub const KEPT_SCHEDULES: usize = 100;
/// How many runs of each, and how many tellings of what was missed.
pub const KEPT_OCCURRENCES: usize = 16;

/// What was decided about the times of one schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scheduled {
    /// The calendar whose times count.
    pub calendar: String,
    /// Its time zone.
    pub time_zone: String,
    /// Every time up to this one is decided.
    pub decided: Timestamp,
    /// The newest that have begun, in the order in which they did.
    pub begun: VecDeque<Begun>,
    /// What was missed, in the order in which it was told.
    pub missed: VecDeque<Missed>,
}

/// An occurrence that has begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    /// Its time.
    pub at: Timestamp,
    /// Its run.
    pub run: RunId,
    /// How that, or its last round so far, has ended.
    pub finished: Option<Finished>,
}

/// Occurrences of which none has begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Missed {
    /// Which, and why.
    #[serde(flatten)]
    pub occurrences: OccurrencesMissed,
    /// When that was said.
    pub told_at: Timestamp,
}

impl Scheduled {
    /// Whether the times of this calendar count.
    pub fn is_of(&self, calendar: &Calendar) -> bool {
        self.calendar == calendar.text() && self.time_zone == calendar.zone_name()
    }

    /// Whether the occurrence of this time has begun, as far back as it is known.
    pub fn has_begun(&self, at: Timestamp) -> bool {
        self.begun.iter().any(|begun| begun.at == at)
    }

    /// What was missed, if the newest of its occurrences was.
    pub fn newest_missed(&self) -> Option<&Missed> {
        let missed = self.missed.back()?;
        let begun = self.begun.back();
        let is_newest = begun.is_none_or(|begun| begun.at < missed.occurrences.last);
        is_newest.then_some(missed)
    }
}

impl Fleet {
    /// The first adoption of a calendar stands; a later one changes nothing but where the clock was set
    /// back.
    pub(super) fn adopt(&mut self, event: &ScheduleAdopted) {
        let new = || Scheduled {
            calendar: String::new(),
            time_zone: String::new(),
            decided: event.since,
            begun: VecDeque::new(),
            missed: VecDeque::new(),
        };
        let name = event.schedule.clone();
        let state = self.schedules.entry(name.clone()).or_insert_with(new);
        if state.calendar == event.calendar && state.time_zone == event.time_zone {
            state.decided = state.decided.min(event.since);
            return;
        }
        state.calendar = event.calendar.clone();
        state.time_zone = event.time_zone.clone();
        state.decided = event.since;
        self.forget_old_schedules(&name);
    }

    pub(super) fn missed(&mut self, event: &OccurrencesMissed, at: Timestamp) {
        let Some(state) = self.schedules.get_mut(&event.schedule) else {
            return;
        };
        // Two schedulers may have said it.
        if event.last <= state.decided {
            return;
        }
        state.decided = event.last;
        let missed = Missed {
            occurrences: event.clone(),
            told_at: at,
        };
        keep(&mut state.missed, missed);
    }

    /// Whether the run that is asked for is that of an occurrence that was decided otherwise: the first that was
    /// said of it counts. Notes it if not.
    pub(super) fn is_decided_otherwise(&mut self, event: &RunRequested) -> bool {
        let Some(Occurrence { schedule, at }) = &event.schedule else {
            return false;
        };
        let Some(state) = self.schedules.get_mut(schedule) else {
            return false;
        };
        if let Some(begun) = state.begun.iter().find(|begun| begun.at == *at) {
            return begun.run != event.run;
        }
        if *at <= state.decided {
            return true;
        }
        state.decided = *at;
        let begun = Begun {
            at: *at,
            run: event.run,
            finished: None,
        };
        keep(&mut state.begun, begun);
        false
    }

    /// Notes how a run has ended at the occurrence that it, or its first round, belongs to.
    pub(super) fn note_end(&mut self, run: RunId, finished: Finished) {
        let first = self.first_round(run);
        let begun = self
            .schedules
            .values_mut()
            .flat_map(|state| &mut state.begun)
            .find(|begun| begun.run == first);
        if let Some(begun) = begun {
            begun.finished = Some(finished);
        }
    }

    fn forget_old_schedules(&mut self, new: &ScheduleName) {
        while self.schedules.len() > KEPT_SCHEDULES {
            let others = self.schedules.iter().filter(|(name, _)| *name != new);
            let oldest = others.min_by_key(|(_, state)| state.decided);
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else {
                return;
            };
            self.schedules.remove(&oldest);
        }
    }
}

fn keep<T>(all: &mut VecDeque<T>, new: T) {
    all.push_back(new);
    if all.len() > KEPT_OCCURRENCES {
        all.pop_front();
    }
}
