//! What schedulers say of the times of a calendar.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::{RunId, ScheduleName};

/// From now on the times of this calendar count. Nothing is caught up on of what was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleAdopted {
    /// The schedule.
    pub schedule: ScheduleName,
    /// Its calendar expression.
    pub calendar: String,
    /// The time zone of that, by its name in the IANA database.
    pub time_zone: String,
    /// What is later than this counts, by the scheduler's clock.
    pub since: Timestamp,
}

/// No run has begun at these times of a schedule, and none will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OccurrencesMissed {
    /// The schedule.
    pub schedule: ScheduleName,
    /// The first of the times.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// How many they are; of very many, how many at least.
    pub count: u32,
    /// Why.
    pub cause: MissedCause,
}

/// Why nothing has begun at a time of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum MissedCause {
    /// No scheduler was there until it was too late.
    NobodyThere,
    /// A run went on for so long.
    RunWentOn {
        /// It.
        run: RunId,
    },
    /// None of its windows opens in time.
    OutsideWindows,
    /// An operator had paused the scheduler.
    Paused,
    /// The next one came before it could begin.
    Overtaken,
    /// The schedule got another calendar before anybody looked.
    CalendarChanged,
}

impl fmt::Display for MissedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NobodyThere => f.write_str("no scheduler was there in time"),
            Self::RunWentOn { run } => write!(f, "run {} went on", run.short()),
            Self::OutsideWindows => f.write_str("none of its windows was open"),
            Self::Paused => f.write_str("the scheduler was paused"),
            Self::Overtaken => f.write_str("the next one came before it could begin"),
            Self::CalendarChanged => f.write_str("the schedule was changed before it could begin"),
        }
    }
}
