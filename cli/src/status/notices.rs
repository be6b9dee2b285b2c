//! What stands in the way of all runs, above the report of one. Pure.

use std::fmt::Write as _;

use gentoo_updater_bus::Health;
use gentoo_updater_fleet::inspect::{PauseView, pauses};
use gentoo_updater_fleet::state::Fleet;
use jiff::Timestamp;
use serde::Serialize;

use crate::output;
use crate::queue::{HealthView, health_words};
use crate::time::ago;

/// What stands in the way of all runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Notices {
    /// Whether the bus takes messages.
    bus: HealthView,
    /// In words, where it does not.
    #[serde(skip)]
    trouble: Option<String>,
    /// The pauses of operators.
    paused: Vec<PauseView>,
    /// How many messages could not be used.
    dead_letters: u64,
}

impl Notices {
    /// Of the state and of what the broker says.
    pub(super) fn of(fleet: &Fleet, health: &Health, dead_letters: u64) -> Self {
        Self {
            bus: health.into(),
            trouble: (*health != Health::Good).then(|| health_words(health)),
            paused: pauses(fleet),
            dead_letters,
        }
    }

    /// A line for each, and an empty one behind them; nothing where nothing is in the way.
    pub(super) fn to_text(&self, now: Timestamp) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text, now);
        if !text.is_empty() {
            text.push('\n');
        }
        output::harmless(&text)
    }

    fn write(&self, out: &mut String, now: Timestamp) -> std::fmt::Result {
        if let Some(trouble) = &self.trouble {
            writeln!(out, "{trouble}")?;
        }
        for pause in &self.paused {
            let since = ago(pause.since, now);
            write!(out, "PAUSED: {}, by {} {since}", pause.target, pause.by)?;
            match &pause.reason {
                Some(reason) => writeln!(out, ": {}", reason.replace('\n', " "))?,
                None => writeln!(out)?,
            }
        }
        match self.dead_letters {
            0 => Ok(()),
            1 => writeln!(out, "1 dead letter: see `gentoo-updater dead list`"),
            count => writeln!(out, "{count} dead letters: see `gentoo-updater dead list`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::message::{PauseTarget, Role};
    use gentoo_updater_fleet::state::Pause;

    use super::*;

    fn now() -> Timestamp {
        "2026-01-05T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_fleet_without_trouble_has_no_notices() {
        let notices = Notices::of(&Fleet::default(), &Health::Good, 0);
        assert_eq!(notices.to_text(now()), "");
    }

    #[test]
    fn what_stands_in_the_way_is_said_with_the_remedy() {
        let mut fleet = Fleet::default();
        let pause = Pause {
            by: "operator@desk".parse().unwrap(),
            since: now() - jiff::SignedDuration::from_mins(4),
            reason: Some("new disks\u{1b}[2J".to_owned()),
        };
        fleet.pauses.insert(PauseTarget::Role(Role::Builder), pause);
        let health = Health::Blocked("low on memory".to_owned());
        let notices = Notices::of(&fleet, &health, 2);
        crate::testing::golden("status-fleet", &notices);
        let text = notices.to_text(now());
        assert_eq!(
            text,
            "THE BROKER TAKES NO MESSAGES (low on memory): nothing goes on until its alarm is over; \
             give it room, or raise its limits in rabbitmq.conf\n\
             PAUSED: every builder, by operator@desk 4 min ago: new disks\u{fffd}[2J\n\
             2 dead letters: see `gentoo-updater dead list`\n\n"
        );
    }
}
