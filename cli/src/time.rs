//! Times as people say them: "4 min ago", `--since 2h`.

use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// How long ago something was.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let passed = now.duration_since(then);
    if passed < SignedDuration::from_secs(1) {
        // The clocks of two machines differ a little.
        return "just now".to_owned();
    }
    format!("{} ago", words(passed))
}

/// A duration, as coarse as people need it.
pub(crate) fn words(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A length of time, such as `90s`, `2h 30m` or `3d`. A day has 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Age(pub(crate) SignedDuration);

/// A point in time: one that is written out, or so long before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// So long ago.
    Ago(Age),
    /// Then.
    At(Timestamp),
}

/// A text that names no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidTime {
    /// It is no length of time.
    #[error("{0:?} is no length of time; 90s, 45m, 2h, 2h 30m and 3d are")]
    Age(String),
    /// It is neither a length of time nor a point in time.
    #[error(
        "{0:?} is no time; 2h and 3d are (that long ago), and so are 2026-01-05, \
         2026-01-05 12:30 (UTC) and 2026-01-05T12:30:00Z"
    )]
    Moment(String),
}

impl FromStr for Age {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let days = SpanRelativeTo::days_are_24_hours();
        let span = text.parse::<Span>().ok();
        let duration = span.and_then(|span| span.to_duration(days).ok());
        match duration {
            Some(duration) if !duration.is_negative() => Ok(Self(duration)),
            _ => Err(InvalidTime::Age(text.to_owned())),
        }
    }
}

impl FromStr for Moment {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        if let Ok(age) = text.parse() {
            return Ok(Self::Ago(age));
        }
        let written_out = text.parse::<Timestamp>().ok().or_else(|| {
            // As `events` prints it, which is in UTC.
            let civil: DateTime = text.parse().ok()?;
            let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
            Some(zoned.timestamp())
        });
        let invalid = || InvalidTime::Moment(text.to_owned());
        written_out.map(Self::At).ok_or_else(invalid)
    }
}

impl Moment {
    /// The time that is meant. What would be before all time is the beginning of it.
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(Age(age)) => now.checked_sub(age).unwrap_or(Timestamp::MIN),
            Self::At(at) => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_read_as_people_write_it() {
        let now = at("2026-01-05T12:00:00Z");
        for (text, expected) in [
            ("2h", "2026-01-05T10:00:00Z"),
            ("2h 30m", "2026-01-05T09:30:00Z"),
            ("1d", "2026-01-04T12:00:00Z"),
            ("2026-01-03", "2026-01-03T00:00:00Z"),
            ("2026-01-03 08:15:00", "2026-01-03T08:15:00Z"),
            ("2026-01-03T08:15:00+02:00", "2026-01-03T06:15:00Z"),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.before(now), at(expected), "{text}");
        }
        for text in ["", "soon", "-2h", "2 fortnights", "25:00"] {
            assert!(text.parse::<Moment>().is_err(), "{text:?} was accepted");
            assert!(text.parse::<Age>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn times_that_passed_are_said_in_one_unit() {
        let now = at("2026-01-05T12:00:00Z");
        for (seconds, expected) in [
            (-3, "just now"),
            (0, "just now"),
            (42, "42 s ago"),
            (250, "4 min ago"),
            (7300, "2 h ago"),
            (260_000, "3 days ago"),
        ] {
            let then = now - SignedDuration::from_secs(seconds);
            assert_eq!(ago(then, now), expected);
        }
    }
}
