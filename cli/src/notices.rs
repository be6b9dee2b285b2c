//! What stands in the way of all runs, above the report of one. Pure.

use gentoo_updater_bus::Health;
use gentoo_updater_bus::follow::LeftOut;
use gentoo_updater_fleet::inspect::HoldsView;
use gentoo_updater_fleet::message::OccurrencesMissed;
use gentoo_updater_fleet::schedule::missed_words;
use gentoo_updater_fleet::state::{Fleet, Scheduled};
use gentoo_updater_fleet::words::counted;
use serde::Serialize;

use crate::output;
use crate::planner;
use crate::queue::{HealthView, health_words};

/// What stands in the way of all runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Notices {
    /// Whether the bus takes messages.
    bus: HealthView,
    /// In words, where it does not.
    #[serde(skip)]
    trouble: Option<String>,
    /// Whether a planner was heard; absent without a broker, where it is in the process that runs.
    planner_heard: Option<bool>,
    /// How many messages could not be used.
    dead_letters: u64,
    /// How many events of the history are not understood.
    left_out: u64,
    /// Why the newest of them is not.
    left_out_cause: Option<String>,
    /// How much operators hold.
    held: usize,
    /// How many approvals are waited for.
    approvals: usize,
    /// What schedules have missed since they last began a run.
    missed: Vec<OccurrencesMissed>,
}

impl Notices {
    /// Of what the broker says and of what is missing in the state.
    pub(crate) fn of(
        health: &Health,
        planner_heard: Option<bool>,
        dead_letters: u64,
        left_out: &LeftOut,
    ) -> Self {
        Self {
            bus: health.into(),
            trouble: (*health != Health::Good).then(|| health_words(health)),
            planner_heard,
            dead_letters,
            left_out: left_out.count,
            left_out_cause: left_out.newest.clone(),
            held: 0,
            approvals: 0,
            missed: Vec::new(),
        }
    }

    /// The same with what is held, and what waits for an approval.
    pub(crate) fn with_holds(self, holds: &HoldsView) -> Self {
        Self {
            held: holds.held.len(),
            approvals: holds.waiting(),
            ..self
        }
    }

    /// The same with what schedules have missed.
    pub(crate) fn with_missed(self, fleet: &Fleet) -> Self {
        let missed = fleet
            .schedules
            .values()
            .filter_map(Scheduled::newest_missed);
        Self {
            missed: missed.map(|missed| missed.occurrences.clone()).collect(),
            ..self
        }
    }

    /// A line for each, and an empty one behind them; nothing where nothing is in the way.
    pub(crate) fn to_text(&self) -> String {
        let lines = self.lines();
        match lines.is_empty() {
            true => String::new(),
            false => format!("{}\n\n", lines.join("\n")),
        }
    }

    /// A line for each; none where nothing is in the way.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(trouble) = &self.trouble {
            // No sign of life passes, whoever lives.
            lines.push(trouble.clone());
        } else if self.planner_heard == Some(false) {
            lines.push(planner::nobody_heard());
        }
        if self.left_out > 0 {
            let cause = self
                .left_out_cause
                .as_deref()
                .unwrap_or("no cause is known");
            lines.push(format!(
                "{} of the history left out ({cause}): what a newer version wrote needs that version \
                 here, too, and what is refused its sender may not say, or said before each role had a \
                 user of its own",
                counted(self.left_out, "event")
            ));
        }
        if self.dead_letters > 0 {
            let letters = counted(self.dead_letters, "dead letter");
            lines.push(format!("{letters}: see `gentoo-updater dead list`"));
        }
        if self.held > 0 || self.approvals > 0 {
            lines.push(format!(
                "{} by operators, {} waited for: see `gentoo-updater hold`",
                counted(self.held, "hold"),
                counted(self.approvals, "approval")
            ));
        }
        for missed in &self.missed {
            let words = missed_words(missed);
            lines.push(format!("{words}: see `gentoo-updater schedule list`"));
        }
        lines.iter().map(|line| output::harmless(line)).collect()
    }
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::message::MissedCause;
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_fleet_without_trouble_has_no_notices() {
        for planner in [None, Some(true)] {
            let notices = Notices::of(&Health::Good, planner, 0, &LeftOut::default());
            assert_eq!(notices.to_text(), "");
        }
    }

    #[test]
    fn that_no_planner_is_heard_is_said_unless_the_broker_passes_nothing_on() {
        let text = |health| {
            let notices = Notices::of(&health, Some(false), 0, &LeftOut::default());
            notices.to_text()
        };
        assert_eq!(
            text(Health::Good),
            "No planner has been heard for 6 s, and nothing goes on without one: start \
             gentoo-updater-planner.\n\n"
        );
        let text = text(Health::Blocked("low on memory".to_owned()));
        assert!(!text.contains("planner"), "{text}");
    }

    #[test]
    fn what_stands_in_the_way_is_said_with_the_remedy() {
        let health = Health::Blocked("low on memory\u{1b}[2J".to_owned());
        let left_out = LeftOut {
            count: 3,
            newest: Some("the message has version 2".to_owned()),
        };
        let missed = OccurrencesMissed {
            schedule: "nightly".parse().unwrap(),
            first: Timestamp::UNIX_EPOCH,
            last: Timestamp::UNIX_EPOCH,
            count: 1,
            cause: MissedCause::NobodyThere,
        };
        let notices = Notices {
            held: 1,
            approvals: 2,
            missed: vec![missed],
            ..Notices::of(&health, Some(true), 2, &left_out)
        };
        crate::testing::golden("status-fleet", &notices);
        assert_eq!(
            notices.to_text(),
            "THE BROKER TAKES NO MESSAGES (low on memory\u{fffd}[2J): nothing goes on until its alarm is \
             over; give it room, or raise its limits in rabbitmq.conf\n\
             3 events of the history left out (the message has version 2): what a newer version wrote \
             needs that version here, too, and what is refused its sender may not say, or said before each \
             role had a user of its own\n\
             2 dead letters: see `gentoo-updater dead list`\n\
             1 hold by operators, 2 approvals waited for: see `gentoo-updater hold`\n\
             nightly missed its run of 1970-01-01 00:00 UTC: no scheduler was there in time: see \
             `gentoo-updater schedule list`\n\n"
        );
    }
}
