//! Calendar expressions: at which times something is due. Pure.

use std::fmt;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// How many occurrences are counted one by one: so many, or more.
pub const MOST_COUNTED: u32 = 1000;

/// The times of a crontab expression in a time zone.
///
/// Grammar: the five fields of crontab(5), `MINUTE HOUR DAY MONTH WEEKDAY`, with lists, ranges, steps
/// and names (`MON`, `JAN`); `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly`; and beside them
/// `L` for the last day of a month and `MON#2` for the second Monday.
///
/// Where clocks are set forward over a time, it is due at the first minute after that; a time that comes
/// twice is due the first time. What has a `*` or a step for its minutes or hours has no such times: it
/// leaves out what there is not, and comes again in the hour that comes twice. That is what cron(8) does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    cron: Cron,
    zone: TimeZone,
    text: String,
    zone_name: String,
}

/// Why there is no such calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCalendar {
    /// It is no crontab expression.
    #[error(
        "{text:?} is no calendar expression: {why}; write the five fields of crontab(5), as in \
         \"30 3 * * MON-FRI\" for 03:30 on working days, or \"@daily\""
    )]
    Expression {
        /// The text.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// No time fits it.
    #[error("{text:?} names no time that ever comes")]
    Never {
        /// The text.
        text: String,
    },
    /// There is no such time zone.
    #[error(
        "{zone:?} is no time zone that is known; write one of the IANA time zone database, as \
         Europe/Berlin"
    )]
    TimeZone {
        /// Its name.
        zone: String,
    },
}

impl Calendar {
    /// Reads an expression, for a time zone of the IANA database.
    ///
    /// # Errors
    /// [`InvalidCalendar`].
    pub fn parse(text: &str, zone_name: &str) -> Result<Self, InvalidCalendar> {
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser
            .parse(text)
            .map_err(|error| InvalidCalendar::Expression {
                text: text.to_owned(),
                why: error.to_string().trim_end_matches('.').to_owned(),
            })?;
        let zone = TimeZone::get(zone_name).map_err(|_| InvalidCalendar::TimeZone {
            zone: zone_name.to_owned(),
        })?;
        let calendar = Self {
            cron,
            zone,
            text: text.to_owned(),
            zone_name: zone_name.to_owned(),
        };
        match calendar.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(calendar),
            None => Err(InvalidCalendar::Never {
                text: text.to_owned(),
            }),
        }
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The name of its time zone.
    pub fn zone_name(&self) -> &str {
        &self.zone_name
    }

    /// Its time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first of its times after this one.
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let at = at.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&at, false).ok()?;
        Some(next.timestamp())
    }

    /// The last of its times that is this one or before it.
    pub fn last_until(&self, at: Timestamp) -> Option<Timestamp> {
        let at = at.to_zoned(self.zone.clone());
        let last = self.cron.find_previous_occurrence(&at, true).ok()?;
        Some(last.timestamp())
    }

    /// Its times behind `after` and before `before`, the first [`MOST_COUNTED`] of them.
    pub fn between(
        &self,
        after: Timestamp,
        before: Timestamp,
    ) -> impl Iterator<Item = Timestamp> + use<'_> {
        let times = std::iter::successors(self.next_after(after), |last| self.next_after(*last));
        times
            .take_while(move |time| *time < before)
            .take(MOST_COUNTED as usize)
    }
}

/// As it is written.
impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.text, self.zone_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn next(text: &str, zone: &str, after: &str) -> String {
        let calendar = Calendar::parse(text, zone).unwrap();
        let next = calendar.next_after(at(after)).unwrap();
        next.to_zoned(TimeZone::get(zone).unwrap())
            .strftime("%Y-%m-%d %H:%M %:z")
            .to_string()
    }

    #[test]
    fn an_expression_means_what_crontab_means_in_its_time_zone() {
        let berlin = "Europe/Berlin";
        for (text, expected) in [
            ("30 3 * * *", "2026-01-06 03:30 +01:00"),
            ("30 3 * * MON-FRI", "2026-01-06 03:30 +01:00"),
            ("0 4 * * SUN", "2026-01-11 04:00 +01:00"),
            ("*/20 * * * *", "2026-01-05 13:20 +01:00"),
            ("0 2 1 * *", "2026-02-01 02:00 +01:00"),
            ("0 2 * * TUE#2", "2026-01-13 02:00 +01:00"),
            ("0 2 L * *", "2026-01-31 02:00 +01:00"),
            ("@daily", "2026-01-06 00:00 +01:00"),
        ] {
            assert_eq!(
                next(text, berlin, "2026-01-05T12:00:00Z"),
                expected,
                "{text}"
            );
        }
        let evening = next("0 2 * * *", "America/New_York", "2026-07-01T00:00:00Z");
        assert_eq!(evening, "2026-07-01 02:00 -04:00");
    }

    #[test]
    fn where_clocks_are_set_no_day_is_left_out_and_none_comes_twice() {
        let berlin = "Europe/Berlin";
        // On 2026-03-29 there is no 02:30, and on 2026-10-25 there are two.
        let spring = next("30 2 * * *", berlin, "2026-03-28T12:00:00Z");
        assert_eq!(spring, "2026-03-29 03:00 +02:00");
        let after = next("30 2 * * *", berlin, "2026-03-29T01:00:00Z");
        assert_eq!(after, "2026-03-30 02:30 +02:00");
        let autumn = next("30 2 * * *", berlin, "2026-10-24T12:00:00Z");
        assert_eq!(autumn, "2026-10-25 02:30 +02:00");
        let after = next("30 2 * * *", berlin, "2026-10-25T00:30:00Z");
        assert_eq!(after, "2026-10-26 02:30 +01:00");
    }

    #[test]
    fn what_is_no_calendar_is_refused_with_the_remedy() {
        for text in [
            "",
            "soon",
            "60 * * * *",
            "* * * *",
            "0 0 3 * * *",
            "0 0 3 * * * 2027",
            "@reboot",
        ] {
            let error = Calendar::parse(text, "UTC").unwrap_err().to_string();
            assert!(error.contains("crontab(5)"), "{text}: {error}");
        }
        let error = Calendar::parse("0 0 30 2 *", "UTC").unwrap_err();
        assert!(error.to_string().contains("ever comes"), "{error}");
        let error = Calendar::parse("@daily", "Europe/Berlim").unwrap_err();
        assert!(error.to_string().contains("IANA"), "{error}");
    }

    #[test]
    fn the_last_time_is_the_one_that_was_the_next_before() {
        for zone in [
            "UTC",
            "Europe/Berlin",
            "Australia/Lord_Howe",
            "America/Sao_Paulo",
        ] {
            for text in ["30 2 * * *", "*/15 * * * *", "15 1 * * SUN", "0 0 29 2 *"] {
                let calendar = Calendar::parse(text, zone).unwrap();
                let mut now = at("2026-03-01T00:00:00Z");
                for _ in 0..400 {
                    let next = calendar.next_after(now).unwrap();
                    assert!(next > now);
                    assert_eq!(
                        calendar.last_until(next),
                        Some(next),
                        "{text} {zone} {next}"
                    );
                    let between = calendar.last_until(next - jiff::SignedDuration::from_secs(1));
                    assert!(between.is_none_or(|it| it <= now), "{text} {zone} {next}");
                    now = next;
                }
            }
        }
    }
}
