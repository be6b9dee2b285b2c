//! A reader of the history without trouble.

use std::collections::BTreeSet;
use std::sync::Arc;

use gentoo_updater_bus::{Bus, Clock, Position};
use gentoo_updater_fleet::message::{Envelope, Event, WorkKey};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::snapshot::Snapshot;
use gentoo_updater_fleet::state;
use tokio::time::Instant;

use crate::clock::MachineClock;
use crate::faults::{Fault, Weather};
use crate::launch;
use crate::records::Records;

/// One event of the history.
#[derive(Debug)]
pub struct Seen {
    /// Its offset.
    pub offset: u64,
    /// When it came there, by the simulation's clock.
    pub at: Instant,
    /// The event.
    pub event: Envelope<Event>,
}

/// Folds the history as it comes, and keeps snapshots of it, as a planner does whom the broker
/// has woken beside the others.
pub struct Observer {
    /// The state.
    pub fleet: state::Fleet,
    /// All events.
    pub events: Vec<Seen>,
    /// The last attempts before each retry that the state took up.
    pub retried: Vec<WorkKey>,
    bus: Arc<dyn Bus>,
    weather: Arc<Weather>,
    records: Arc<Records>,
    clock: Arc<MachineClock>,
    /// At which offsets a snapshot is kept, and whether this version can read it.
    snapshots: BTreeSet<(u64, bool)>,
}

impl Observer {
    /// Of one fleet.
    pub fn new(fleet: &launch::Fleet) -> Self {
        let (dice, mut snapshots) = (fleet.dice.fork(), BTreeSet::new());
        if dice.per_mille(400) {
            for _ in 0..dice.between(1, 4) {
                snapshots.insert((dice.between(1, 80), !dice.per_mille(250)));
            }
        }
        Self {
            fleet: state::Fleet::default(),
            events: Vec::new(),
            retried: Vec::new(),
            bus: fleet.bus.clone(),
            weather: fleet.weather.clone(),
            records: fleet.records.clone(),
            clock: MachineClock::new(fleet.begun, dice),
            snapshots,
        }
    }

    /// Ends when all of these runs are over, and all further rounds.
    pub async fn watch(&mut self, runs: &[(Instant, RunId)]) {
        let reader = self.bus.history(Position::First).await;
        let mut reader = reader.expect("the history");
        let is_over = |fleet: &state::Fleet, id| {
            let run = fleet.runs.get(id);
            run.is_some_and(|run| run.finished.is_some())
        };
        while !runs.iter().all(|(_, id)| is_over(&self.fleet, id))
            || self.fleet.unfinished().next().is_some()
        {
            let item = reader.next().await.expect("an event");
            self.take(item.offset, item.event.expect("an event that can be read"));
            self.keep(item.offset).await;
        }
    }

    /// Reads what came after that.
    pub async fn catch_up(&mut self) {
        let end = self.bus.end().await.expect("the end of the history");
        let next = self.fleet.offset.map_or(1, |offset| offset + 1);
        let reader = self.bus.history(Position::Offset(next)).await;
        let mut reader = reader.expect("the history");
        while self.fleet.offset < end {
            let item = reader.next().await.expect("an event");
            self.take(item.offset, item.event.expect("an event that can be read"));
        }
    }

    fn take(&mut self, offset: u64, event: Envelope<Event>) {
        let retries = |fleet: &state::Fleet, work: &WorkKey| {
            let run = fleet.runs.get(&work.run);
            run.map(|run| run.retries)
        };
        let retry = match &event.message {
            Event::RetryRequested(retry) => Some(retry.work.clone()),
            _ => None,
        };
        let before = retry.as_ref().and_then(|work| retries(&self.fleet, work));
        self.fleet.apply(offset, &event);
        if let Some(work) = retry
            && retries(&self.fleet, &work) != before
        {
            self.retried.push(work);
        }
        let at = Instant::now();
        self.events.push(Seen { offset, at, event });
    }

    async fn keep(&self, offset: u64) {
        let due = self.snapshots.range((offset, false)..=(offset, true));
        for (_, is_readable) in due {
            let sender = "planner@desk".parse().expect("a name");
            let mut snapshot = Snapshot::take(self.fleet.clone(), sender, self.clock.now());
            if *is_readable {
                self.records.keep(snapshot.clone());
            } else {
                self.weather.count(Fault::UnreadableSnapshot);
                snapshot.state_version += 1;
            }
            let kept = self.bus.keep_snapshot(&snapshot).await;
            kept.expect("the journal in memory takes a snapshot");
        }
    }
}
