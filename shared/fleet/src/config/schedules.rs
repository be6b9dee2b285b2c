//! Runs by calendar, as they are configured: the tables `[schedules.NAME]`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::invalid::Invalid;
use super::settings::Settings;
use crate::message::RunKind;
use crate::name::{GuestName, ScheduleName};
use crate::request::{Request, Wishes};
use crate::rollout::Window;
use crate::schedule::{Calendar, Schedule};

/// How much later a run may begin that could not begin in time, where nobody has said it.
const LATE: u64 = 60;
/// A schedule is looked at once a second, and every occurrence within its jitter with it.
const MOST_JITTER: u64 = 24 * 60;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleFragment {
    calendar: String,
    time_zone: Option<String>,
    jitter_minutes: Option<u64>,
    late_minutes: Option<u64>,
    windows: Option<Vec<Window>>,
    guests: Option<Vec<GuestName>>,
    sync: Option<bool>,
    force: Option<bool>,
}

/// The schedules of settings that are complete but for them.
pub(super) fn check(
    fragments: &BTreeMap<ScheduleName, ScheduleFragment>,
    settings: &Settings,
) -> Result<BTreeMap<ScheduleName, Schedule>, Invalid> {
    let check = |(name, fragment): (&ScheduleName, &ScheduleFragment)| {
        let schedule = check_one(fragment, settings);
        let schedule = schedule.map_err(|cause| Invalid::Schedule {
            schedule: name.clone(),
            cause,
        });
        Ok((name.clone(), schedule?))
    };
    fragments.iter().map(check).collect()
}

fn check_one(fragment: &ScheduleFragment, settings: &Settings) -> Result<Schedule, String> {
    let zone = fragment.time_zone.as_deref().unwrap_or("UTC");
    let calendar = Calendar::parse(&fragment.calendar, zone).map_err(|error| error.to_string())?;
    let windows = fragment.windows.clone().unwrap_or_default();
    if let Some(window) = windows.iter().find(|window| !window.has_known_zone()) {
        let zone = window.zone_name();
        return Err(format!(
            "the window {:?} names the time zone {zone}, which is not known; write one of the IANA time \
             zone database, as Europe/Berlin",
            window.to_string()
        ));
    }
    let guests = fragment.guests.clone();
    if guests.as_ref().is_some_and(Vec::is_empty) {
        return Err("guests is empty; leave it out for all of them".to_owned());
    }
    let jitter = fragment.jitter_minutes.unwrap_or(0);
    if jitter > MOST_JITTER {
        return Err(format!(
            "jitter_minutes is {jitter}; it must be at most {MOST_JITTER}"
        ));
    }
    let wishes = Wishes {
        guests: guests.unwrap_or_default(),
        force: fragment.force.unwrap_or_default(),
        sync: fragment.sync,
    };
    let request = Request::of(settings, RunKind::Update, &wishes);
    let minutes = |minutes: u64| Duration::from_secs(minutes.saturating_mul(60));
    Ok(Schedule {
        calendar,
        jitter: minutes(jitter),
        late: minutes(fragment.late_minutes.unwrap_or(LATE)),
        windows,
        request: request.map_err(|error| error.to_string())?,
    })
}
