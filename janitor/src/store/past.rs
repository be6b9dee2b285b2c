//! What the history tells of binaries, read from its end as far back as that is wanted.
//!
//! The state of the fleet forgets what guests had installed when a run is over, and a command that
//! said it would be as large as all answers of a fleet. So whoever judges a store reads the history.

use std::collections::BTreeSet;
use std::sync::Arc;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Bus, BusError, Position};
use gentoo_updater_fleet::name::{GuestName, RunId};
use gentoo_updater_fleet::state::Fleet;
use jiff::{SignedDuration, Timestamp};

use super::told::Told;

/// By how much the clocks of two machines may differ: the time in a run's id is that of who asked
/// for it.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_hours(1);

/// How many runs are read at first. Each time that they are not enough, four times as many are.
const RUNS: usize = 8;

/// The past of a fleet, as far as it was read.
pub struct Past {
    /// Absent where there was no run yet.
    bus: Option<Arc<dyn Bus>>,
    /// The runs that the state knows, by name at least, in their order.
    runs: Vec<RunId>,
    updates: usize,
    /// How many of the runs are read.
    read: usize,
    is_whole: bool,
    /// A run that ends with the next event.
    ending: Option<RunId>,
    told: Told,
}

impl Past {
    /// Nothing has happened yet.
    pub fn none(updates: usize) -> Self {
        Self {
            bus: None,
            runs: Vec::new(),
            updates,
            read: 0,
            is_whole: true,
            ending: None,
            told: Told::default(),
        }
    }

    /// Of this bus, where so many of the newest updates count. Nothing is read yet.
    pub fn of(bus: Arc<dyn Bus>, view: &FleetView, updates: usize) -> Self {
        let known = |fleet: &Fleet| -> BTreeSet<RunId> {
            let over = fleet.over.iter().copied();
            over.chain(fleet.runs.keys().copied()).collect()
        };
        Self {
            bus: Some(bus),
            runs: view.read(known).into_iter().collect(),
            is_whole: false,
            ..Self::none(updates)
        }
    }

    /// The same where this run is as good as over, and counts as one of the updates.
    #[must_use]
    pub fn ending(self, run: RunId) -> Self {
        Self {
            ending: Some(run),
            ..self
        }
    }

    /// How many of the newest updates count.
    pub fn updates(&self) -> usize {
        self.updates
    }

    /// What so much of the history tells that it is of the updates that count and of these guests;
    /// all of it where it does not tell of them.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub async fn told(&mut self, guests: &[&GuestName]) -> Result<&Told, BusError> {
        while !self.is_whole && !self.is_enough(guests) {
            self.read = if self.read == 0 { RUNS } else { self.read * 4 };
            let first = self.runs.len().checked_sub(self.read);
            let first = first.and_then(|first| self.runs.get(first)).copied();
            if let Some(bus) = &self.bus {
                self.told = since(bus.as_ref(), first).await?;
            }
            if let Some(run) = self.ending {
                self.told.ends(run);
            }
            self.is_whole = first.is_none();
        }
        Ok(&self.told)
    }

    fn is_enough(&self, guests: &[&GuestName]) -> bool {
        self.told.updates() >= self.updates && guests.iter().all(|guest| self.told.knows(guest))
    }
}

/// What the history tells since a run was asked for, or as a whole.
async fn since(bus: &dyn Bus, run: Option<RunId>) -> Result<Told, BusError> {
    let mut told = Told::default();
    let Some(end) = bus.end().await? else {
        return Ok(told);
    };
    let begun = run.and_then(|run| run.0.get_timestamp()).and_then(|time| {
        let seconds = i64::try_from(time.to_unix().0).ok()?;
        let made = Timestamp::from_second(seconds).ok()?;
        made.checked_sub(CLOCK_DIFFERENCE).ok()
    });
    let from = begun.map_or(Position::First, Position::Time);
    let mut history = bus.history(from).await?;
    loop {
        let item = history.next().await?;
        if let Ok(event) = &item.event {
            told.event(&event.message);
        }
        if item.offset >= end {
            return Ok(told);
        }
    }
}
