//! A scheduler, its history and its clock.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_fleet::config::{self, Settings};
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::{RunId, ScheduleName};
use gentoo_updater_fleet::schedule::{Decision, Order, Schedule, decide};
use jiff::{SignedDuration, Timestamp};

use crate::common::History;
use crate::common::runs::finished;

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn nightly() -> ScheduleName {
    "nightly".parse().unwrap()
}

/// A fleet of two guests with these schedules.
pub(crate) fn settings(schedules: &str) -> Settings {
    let machines = r#"
        [builders.b1]
        address = "local"
        [guests.g1]
        address = "ssh://root@g1"
        [guests.g2]
        address = "ssh://root@g2"
    "#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.toml");
    std::fs::write(&path, format!("{machines}{schedules}")).unwrap();
    config::load(&path).unwrap()
}

/// A run that a scheduler has begun.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    pub(crate) at: Timestamp,
    pub(crate) run: RunId,
    /// The scheduler's clock.
    pub(crate) now: Timestamp,
}

pub(crate) struct Scene {
    pub(crate) history: History,
    pub(crate) schedules: BTreeMap<ScheduleName, Schedule>,
    pub(crate) now: Timestamp,
    pub(crate) is_paused: bool,
    pub(crate) begun: Vec<Begun>,
    pub(crate) missed: Vec<OccurrencesMissed>,
    adopted: BTreeSet<ScheduleName>,
}

impl Scene {
    /// A scheduler that comes up at this time for the first time, and looks.
    pub(crate) fn new(schedules: &str, now: &str) -> Self {
        let mut scene = Self {
            history: History::default(),
            schedules: settings(schedules).schedules,
            now: at(now),
            is_paused: false,
            begun: Vec::new(),
            missed: Vec::new(),
            adopted: BTreeSet::new(),
        };
        scene.look();
        scene
    }

    pub(crate) fn decide(&self) -> Decision {
        let fleet = &self.history.fleet;
        decide(
            &self.schedules,
            &self.adopted,
            fleet,
            self.now,
            self.is_paused,
        )
    }

    /// Says all that is to be said. What it says counts where the state takes it.
    pub(crate) fn look(&mut self) {
        for _ in 0..1000 {
            let decision = self.decide();
            if decision.orders.is_empty() {
                return;
            }
            for order in decision.orders {
                self.say(order);
            }
        }
        panic!("it never ends: {:?}", self.decide());
    }

    pub(crate) fn say(&mut self, order: Order) {
        match &order {
            Order::Adopt(adopted) => {
                self.adopted.insert(adopted.schedule.clone());
            }
            Order::Tell(missed) => self.missed.push(missed.clone()),
            Order::Begin(_) => {}
        }
        let known: BTreeSet<RunId> = self.history.fleet.runs.keys().copied().collect();
        let event = order.event();
        self.history.say(event.clone());
        if let Event::RunRequested(requested) = event
            && self.history.fleet.runs.contains_key(&requested.run)
            && !known.contains(&requested.run)
        {
            let occurrence = requested.schedule.expect("a time of a schedule");
            self.begun.push(Begun {
                at: occurrence.at,
                run: requested.run,
                now: self.now,
            });
        }
    }

    /// Its process ends, and another one comes up later.
    pub(crate) fn restart(&mut self) {
        self.adopted.clear();
    }

    /// It looks at this time.
    pub(crate) fn at(&mut self, now: &str) {
        self.now = at(now);
        self.look();
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    /// Ends all that goes on.
    pub(crate) fn end_runs(&mut self) {
        let open: Vec<RunId> = self.history.fleet.unfinished().map(|run| run.id).collect();
        for run in open {
            self.history.say(finished(run));
        }
    }

    /// The times at which a run has begun, by the calendar.
    pub(crate) fn times(&self) -> Vec<String> {
        self.begun
            .iter()
            .map(|begun| begun.at.to_string())
            .collect()
    }
}
