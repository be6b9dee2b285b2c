//! What an operator is shown of schedules. Data only.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::decide::{Blocker, Decision, Waiting, decide};
use super::{Occurrence, Schedule};
use crate::config::Settings;
use crate::message::{OccurrencesMissed, PauseTarget, Role};
use crate::name::{RunId, ScheduleName};
use crate::report::{self, PauseReport};
use crate::state::{Fleet, Missed, Run, Scheduled};
use crate::words::counted;

/// All schedules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SchedulesView {
    /// Those of the configuration, by their names.
    pub schedules: BTreeMap<ScheduleName, ScheduleView>,
    /// That an operator has paused the schedulers, which then begin nothing.
    pub paused: Vec<PauseReport>,
}

/// One schedule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScheduleView {
    /// Its calendar expression.
    pub calendar: String,
    /// The time zone of that.
    pub time_zone: String,
    /// Whether a scheduler has taken it up as it is now.
    pub adopted: bool,
    /// What comes next.
    pub next: Option<NextOccurrence>,
    /// What is due and waits.
    pub waiting: Option<WaitingView>,
    /// The newest run.
    pub last: Option<LastRun>,
    /// What was missed, the newest first.
    pub missed: Vec<Missed>,
}

/// An occurrence that is to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextOccurrence {
    /// When its calendar says so.
    pub at: Timestamp,
    /// When it begins, with jitter.
    pub begins: Timestamp,
}

/// An occurrence that is due and waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingView {
    /// When its calendar says so.
    pub at: Timestamp,
    /// When it is missed.
    pub until: Timestamp,
    /// For what.
    #[serde(flatten)]
    pub blocker: Blocker,
}

/// The newest run of a schedule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastRun {
    /// When its calendar said so.
    pub at: Timestamp,
    /// The run.
    pub run: RunId,
    /// `complete`, `with_failures`, or `goes_on`.
    pub outcome: &'static str,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
}

impl SchedulesView {
    /// Of a configuration, at a time.
    pub fn of(settings: &Settings, fleet: &Fleet, now: Timestamp) -> Self {
        let mut paused = report::paused(fleet);
        paused.retain(|pause| pause.target == PauseTarget::Role(Role::Scheduler));
        let schedules = &settings.schedules;
        let decision = decide(
            schedules,
            &Default::default(),
            fleet,
            now,
            !paused.is_empty(),
        );
        let views = schedules.iter().map(|(name, schedule)| {
            let view = ScheduleView::of(name, schedule, fleet, &decision, now);
            (name.clone(), view)
        });
        Self {
            schedules: views.collect(),
            paused,
        }
    }
}

impl ScheduleView {
    fn of(
        name: &ScheduleName,
        schedule: &Schedule,
        fleet: &Fleet,
        decision: &Decision,
        now: Timestamp,
    ) -> Self {
        let state = fleet.schedules.get(name);
        let is_its = |waiting: &&Waiting| waiting.occurrence.schedule == *name;
        let waiting = decision.waiting.iter().find(is_its);
        let missed = state.map(|state| state.missed.iter().rev().cloned().collect());
        Self {
            calendar: schedule.calendar.text().to_owned(),
            time_zone: schedule.calendar.zone_name().to_owned(),
            adopted: state.is_some_and(|state| state.is_of(&schedule.calendar)),
            next: next(name, schedule, state, now),
            waiting: waiting.map(|waiting| WaitingView {
                at: waiting.occurrence.at,
                until: waiting.until,
                blocker: waiting.blocker,
            }),
            last: state.and_then(LastRun::of),
            missed: missed.unwrap_or_default(),
        }
    }
}

/// The first that begins after now: with jitter, the time of its calendar may be over.
fn next(
    name: &ScheduleName,
    schedule: &Schedule,
    state: Option<&Scheduled>,
    now: Timestamp,
) -> Option<NextOccurrence> {
    let jitter = SignedDuration::try_from(schedule.jitter).ok()?;
    let from = now.checked_sub(jitter).ok()?;
    let decided = state.map_or(from, |state| state.decided.max(from));
    let mut at = schedule.calendar.next_after(decided.min(now))?;
    loop {
        let begins = schedule.start(name, at);
        if begins > now {
            return Some(NextOccurrence { at, begins });
        }
        at = schedule.calendar.next_after(at)?;
    }
}

impl LastRun {
    fn of(state: &Scheduled) -> Option<Self> {
        let begun = state.begun.back()?;
        let outcome = begun.finished.map(|finished| finished.outcome);
        Some(Self {
            at: begun.at,
            run: begun.run,
            outcome: match outcome {
                None => "goes_on",
                Some(crate::message::RunOutcome::Complete) => "complete",
                Some(crate::message::RunOutcome::WithFailures) => "with_failures",
            },
            finished_at: begun.finished.map(|finished| finished.at),
        })
    }
}

/// What was missed, in words: `nightly missed 2 runs, the last one of 2026-01-05 02:30 UTC: no scheduler was
/// there in time`.
pub fn missed_words(missed: &OccurrencesMissed) -> String {
    let OccurrencesMissed {
        schedule,
        last,
        count,
        cause,
        ..
    } = missed;
    let last = last.strftime("%Y-%m-%d %H:%M UTC");
    match count {
        1 => format!("{schedule} missed its run of {last}: {cause}"),
        count => format!(
            "{schedule} missed {}, the last one of {last}: {cause}",
            counted(*count, "run")
        ),
    }
}

/// What an occurrence is called: `nightly of 2026-01-05 02:30 UTC`.
pub fn occurrence_words(occurrence: &Occurrence) -> String {
    let at = occurrence.at.strftime("%Y-%m-%d %H:%M UTC");
    format!("{} of {at}", occurrence.schedule)
}

impl Run {
    /// For which schedule it has begun, in words.
    pub fn scheduled_words(&self) -> Option<String> {
        self.schedule.as_ref().map(occurrence_words)
    }
}
