//! Maintenance windows: when an installation may begin on a guest. Pure.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// The days of a week, Monday first, as they are written.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A time of the week, in a time zone: `Mon-Fri 22:00-06:00 Europe/Berlin`.
///
/// Grammar: `[DAYS] HH:MM-HH:MM [ZONE]`. DAYS are days or ranges of days with commas between them
/// (`Fri-Mon`, `Sat,Sun`), every day where they are left out. They are the days on which it opens: one
/// that closes at the time at which it opens, or earlier, closes on the next day, and `24:00` is the
/// end of the day. ZONE is a name of the IANA time zone database, `UTC` where it is left out.
///
/// Where clocks are set forward over a time of it, that time is so much later on that day; where
/// they are set back over one, it opens at the first of the two and closes at the second. No day of it
/// is left out for that.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    /// Whether it opens on each day, Monday first.
    days: [bool; 7],
    opens: Minutes,
    closes: Minutes,
    zone: String,
}

/// Minutes since the beginning of a day; 1,440 is its end.
type Minutes = i16;

const DAY: Minutes = 24 * 60;

/// Why a text is no maintenance window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a maintenance window: {why}; write days, times and a time zone, as in \
     \"Mon-Fri 22:00-06:00 Europe/Berlin\""
)]
pub struct InvalidWindow {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl Window {
    /// Whether this machine knows its time zone.
    pub fn has_known_zone(&self) -> bool {
        self.zone().is_some()
    }

    /// Its time zone, as it was written.
    pub fn zone_name(&self) -> &str {
        &self.zone
    }

    /// When it closes, if it is open at this time.
    pub fn open_until(&self, at: Timestamp) -> Option<Timestamp> {
        let zone = self.zone()?;
        let today = at.to_zoned(zone.clone()).date();
        let days = [today.yesterday().ok(), Some(today)];
        let occasions = days
            .into_iter()
            .flatten()
            .filter_map(|day| self.on(day, &zone));
        let open = occasions.filter(|(opens, closes)| *opens <= at && at < *closes);
        open.map(|(_, closes)| closes).max()
    }

    /// When it opens the next time after this one.
    pub fn next_opening(&self, at: Timestamp) -> Option<Timestamp> {
        let zone = self.zone()?;
        let today = at.to_zoned(zone.clone()).date();
        // Today's may be over, and the one a week from now is that of the same day.
        let days = (0..=8).filter_map(|days| today.checked_add(Span::new().days(days)).ok());
        let mut openings = days.filter_map(|day| Some(self.on(day, &zone)?.0));
        openings.find(|opens| *opens > at)
    }

    /// When it opens on this day, if it does, and when it closes after that.
    fn on(&self, day: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let place = usize::from(day.weekday().to_monday_zero_offset().unsigned_abs());
        if !*self.days.get(place)? {
            return None;
        }
        let over_midnight = self.closes <= self.opens && self.closes != DAY;
        let closes_on = match over_midnight || self.closes == DAY {
            true => day.tomorrow().ok()?,
            false => day,
        };
        let opens = zone.to_ambiguous_timestamp(day.to_datetime(time(self.opens)?));
        let closes = zone.to_ambiguous_timestamp(closes_on.to_datetime(time(self.closes)?));
        let (opens, closes) = (opens.compatible().ok()?, closes.later().ok()?);
        if opens < closes {
            return Some((opens, closes));
        }
        // Its beginning alone is among the times that there are not.
        let length = (self.closes - self.opens).rem_euclid(DAY);
        let closes = opens.checked_add(Span::new().minutes(length)).ok()?;
        Some((opens, closes))
    }

    fn zone(&self) -> Option<TimeZone> {
        TimeZone::get(&self.zone).ok()
    }
}

fn time(minutes: Minutes) -> Option<Time> {
    let minutes = minutes % DAY;
    let (hour, minute) = (minutes / 60, minutes % 60);
    Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()
}

impl FromStr for Window {
    type Err = InvalidWindow;

    fn from_str(text: &str) -> Result<Self, InvalidWindow> {
        let invalid = |why: String| InvalidWindow {
            text: text.to_owned(),
            why,
        };
        let mut words = text.split_ascii_whitespace().peekable();
        let has_days = words
            .peek()
            .is_some_and(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()));
        let days = match words.next_if(|_| has_days) {
            Some(word) => days(word).map_err(invalid)?,
            None => [true; 7],
        };
        let times = words.next().and_then(|word| word.split_once('-'));
        let (opens, closes) = times.ok_or_else(|| invalid("it has no times".to_owned()))?;
        let window = Self {
            days,
            opens: minutes(opens).map_err(invalid)?,
            closes: minutes(closes).map_err(invalid)?,
            zone: words.next().unwrap_or("UTC").to_owned(),
        };
        if window.opens == DAY {
            return Err(invalid("it opens at the end of a day".to_owned()));
        }
        match words.next() {
            Some(word) => Err(invalid(format!("{word:?} is one word too many"))),
            None => Ok(window),
        }
    }
}

fn days(text: &str) -> Result<[bool; 7], String> {
    let mut found = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        // A range goes over the end of a week, too.
        let length = (last + DAYS.len() - first) % DAYS.len();
        for (place, is_on) in found.iter_mut().enumerate() {
            *is_on |= (place + DAYS.len() - first) % DAYS.len() <= length;
        }
    }
    Ok(found)
}

/// The place of a day in a week.
fn day(text: &str) -> Result<usize, String> {
    let found = DAYS.iter().position(|name| name.eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("{text:?} is none of {}", DAYS.join(" ")))
}

fn minutes(text: &str) -> Result<Minutes, String> {
    let two_digits = |text: &str| match text.as_bytes() {
        [b'0'..=b'9', b'0'..=b'9'] => text.parse::<Minutes>().ok(),
        _ => None,
    };
    let parts = text.split_once(':');
    let parts = parts.and_then(|(hour, minute)| Some((two_digits(hour)?, two_digits(minute)?)));
    match parts {
        Some((hour @ 0..=23, minute @ 0..=59)) => Ok(hour * 60 + minute),
        Some((24, 0)) => Ok(DAY),
        _ => Err(format!("{text:?} is no time from 00:00 to 24:00")),
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days != [true; 7] {
            let days = DAYS.iter().zip(self.days).filter(|(_, is_on)| *is_on);
            let days: Vec<&str> = days.map(|(name, _)| *name).collect();
            write!(f, "{} ", days.join(","))?;
        }
        for (minutes, end) in [(self.opens, '-'), (self.closes, ' ')] {
            write!(f, "{:02}:{:02}{end}", minutes / 60, minutes % 60)?;
        }
        f.write_str(&self.zone)
    }
}

impl TryFrom<String> for Window {
    type Error = InvalidWindow;

    fn try_from(text: String) -> Result<Self, InvalidWindow> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.to_string()
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
