//! What is due. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Calendar, MOST_COUNTED, Occurrence, Schedule};
use crate::message::{Event, MissedCause, OccurrencesMissed, RunRequested, ScheduleAdopted};
use crate::name::{RunId, ScheduleName};
use crate::rollout::{Turn, turn};
use crate::state::{Fleet, Scheduled};

/// What was decided lies no further ahead of the clock than this, or the clock was set back.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_hours(1);

/// A scheduler looks more often than this. One that finds a deadline that passed less long ago was there before.
const LOOKED_LATELY: SignedDuration = SignedDuration::from_secs(15);

/// What is to be said next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// From now on the times of this calendar count.
    Adopt(ScheduleAdopted),
    /// Nothing has begun at these times.
    Tell(OccurrencesMissed),
    /// This run begins.
    Begin(RunRequested),
}

impl Order {
    /// As an event.
    pub fn event(self) -> Event {
        match self {
            Self::Adopt(event) => Event::ScheduleAdopted(event),
            Self::Tell(event) => Event::OccurrencesMissed(event),
            Self::Begin(event) => Event::RunRequested(event),
        }
    }
}

/// What keeps an occurrence from beginning that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Blocker {
    /// An operator has paused the scheduler.
    Paused,
    /// A run goes on.
    RunGoesOn {
        /// It.
        run: RunId,
    },
    /// No window is open.
    OutsideWindows {
        /// When the next one opens.
        opens: Timestamp,
    },
}

/// An occurrence that is due and waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// It.
    pub occurrence: Occurrence,
    /// For what.
    pub blocker: Blocker,
    /// Until when at most.
    pub until: Timestamp,
}

/// What is to be said, and what waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// To be said in this order. When all of it is part of the state, there may be more.
    pub orders: Vec<Order>,
    /// What is due and may not begin yet.
    pub waiting: Vec<Waiting>,
}

/// What to say of these schedules at this time.
///
/// `adopted` are those whose calendar this process has said already: where the state has another one after that,
/// two schedulers are configured otherwise, and saying it again and again would help nobody.
pub fn decide(
    schedules: &BTreeMap<ScheduleName, Schedule>,
    adopted: &BTreeSet<ScheduleName>,
    fleet: &Fleet,
    now: Timestamp,
    is_paused: bool,
) -> Decision {
    let mut decision = Decision::default();
    let mut may_begin = Vec::new();
    let running = fleet.unfinished().find(|run| !run.is_scan_only());
    let running = running.map(|run| run.id);
    for (name, schedule) in schedules {
        let state = fleet.schedules.get(name);
        let is_known =
            |state: &&Scheduled| adopted.contains(name) || state.is_of(&schedule.calendar);
        let Some(state) = state.filter(is_known) else {
            decision.orders.extend(adopt(name, schedule, state, now));
            continue;
        };
        if state.decided > now.checked_add(CLOCK_DIFFERENCE).unwrap_or(now) {
            // Nothing of what comes before the clock is there again would count.
            decision.orders.push(adoption(name, schedule, now));
            continue;
        }
        let one = One {
            name,
            schedule,
            state,
            now,
        };
        let Some(at) = one.newest() else { continue };
        let blocker = match running {
            _ if is_paused => Some(Blocker::Paused),
            Some(run) => Some(Blocker::RunGoesOn { run }),
            None => one.outside_windows(),
        };
        decision.orders.extend(one.overtaken(at, blocker));
        let until = schedule.deadline(name, at);
        let is_over = now > until
            || matches!(blocker, Some(Blocker::OutsideWindows { opens }) if opens > until);
        match blocker {
            blocker if is_over => {
                let cause = blocker.map_or(MissedCause::NobodyThere, MissedCause::from);
                decision.orders.push(one.missed(at, at, 1, cause));
            }
            Some(blocker) => decision.waiting.push(Waiting {
                occurrence: one.occurrence(at),
                blocker,
                until,
            }),
            None => may_begin.push((schedule.start(name, at), one, at, until)),
        }
    }
    // One at a time: who is due first.
    may_begin.sort_by_key(|(start, ..)| *start);
    let mut may_begin = may_begin.into_iter();
    if let Some((start, one, at, _)) = may_begin.next() {
        let occurrence = one.occurrence(at);
        let run = RunId::of_occurrence(&occurrence, start);
        let requested = one.schedule.request.requested(run, Some(occurrence));
        decision.orders.push(Order::Begin(requested));
        decision
            .waiting
            .extend(may_begin.map(|(_, one, at, until)| Waiting {
                occurrence: one.occurrence(at),
                blocker: Blocker::RunGoesOn { run },
                until,
            }));
    }
    decision
}

/// Says of which calendar the times count from now on. Of the one before the last times are told that
/// nobody has decided.
fn adopt(
    name: &ScheduleName,
    schedule: &Schedule,
    state: Option<&Scheduled>,
    now: Timestamp,
) -> Vec<Order> {
    let before = state.and_then(|state| {
        let calendar = Calendar::parse(&state.calendar, &state.time_zone).ok()?;
        let mut undecided = calendar.between(state.decided, now);
        let first = undecided.next()?;
        let more = u32::try_from(undecided.count()).unwrap_or(MOST_COUNTED);
        Some(Order::Tell(OccurrencesMissed {
            schedule: name.clone(),
            first,
            last: calendar.last_until(now)?.max(first),
            count: more.saturating_add(1),
            cause: MissedCause::CalendarChanged,
        }))
    });
    let mut orders: Vec<Order> = before.into_iter().collect();
    orders.push(adoption(name, schedule, now));
    orders
}

fn adoption(name: &ScheduleName, schedule: &Schedule, since: Timestamp) -> Order {
    Order::Adopt(ScheduleAdopted {
        schedule: name.clone(),
        calendar: schedule.calendar.text().to_owned(),
        time_zone: schedule.calendar.zone_name().to_owned(),
        since,
    })
}

/// One schedule at one time.
struct One<'a> {
    name: &'a ScheduleName,
    schedule: &'a Schedule,
    state: &'a Scheduled,
    now: Timestamp,
}

impl One<'_> {
    fn occurrence(&self, at: Timestamp) -> Occurrence {
        Occurrence {
            schedule: self.name.clone(),
            at,
        }
    }

    /// The newest occurrence that is due and about which nothing was decided.
    fn newest(&self) -> Option<Timestamp> {
        let mut at = self.schedule.calendar.last_until(self.now)?;
        loop {
            if at <= self.state.decided || self.state.has_begun(at) {
                return None;
            }
            if self.schedule.start(self.name, at) <= self.now {
                return Some(at);
            }
            // Its time is there, and its jitter not over yet.
            let before = at.checked_sub(SignedDuration::from_secs(1)).ok()?;
            at = self.schedule.calendar.last_until(before)?;
        }
    }

    /// What nothing was decided about either, and is overtaken by this one, which something keeps from beginning
    /// or nothing does.
    fn overtaken(&self, newest: Timestamp, blocker: Option<Blocker>) -> Option<Order> {
        let calendar = &self.schedule.calendar;
        let undecided = calendar.between(self.state.decided, newest);
        let mut undecided = undecided.filter(|at| !self.state.has_begun(*at));
        let first = undecided.next()?;
        let more = u32::try_from(undecided.count()).unwrap_or(MOST_COUNTED);
        let before = newest.checked_sub(SignedDuration::from_secs(1)).ok()?;
        let last = calendar.last_until(before)?;
        let late = self
            .now
            .duration_since(self.schedule.deadline(self.name, last));
        let cause = match blocker {
            _ if late >= LOOKED_LATELY => MissedCause::NobodyThere,
            // Where one deadline is the time of the next occurrence, this is the first look after both.
            Some(blocker) if !late.is_negative() => MissedCause::from(blocker),
            _ => MissedCause::Overtaken,
        };
        Some(self.missed(first, last, more.saturating_add(1), cause))
    }

    fn missed(&self, first: Timestamp, last: Timestamp, count: u32, cause: MissedCause) -> Order {
        Order::Tell(OccurrencesMissed {
            schedule: self.name.clone(),
            first,
            last,
            count,
            cause,
        })
    }

    fn outside_windows(&self) -> Option<Blocker> {
        let opens = match turn(&self.schedule.windows, self.now) {
            Turn::Any | Turn::Before(_) => return None,
            Turn::From(opens) => opens,
            Turn::Never => Timestamp::MAX,
        };
        Some(Blocker::OutsideWindows { opens })
    }
}

impl From<Blocker> for MissedCause {
    fn from(blocker: Blocker) -> Self {
        match blocker {
            Blocker::Paused => Self::Paused,
            Blocker::RunGoesOn { run } => Self::RunWentOn { run },
            Blocker::OutsideWindows { .. } => Self::OutsideWindows,
        }
    }
}
