//! What the history tells of binaries, read from its end as far back as that is wanted.
//!
//! The state of the fleet forgets what guests had installed when a run is over, and a command that
//! said it would be as large as all answers of a fleet. So whoever judges a store reads the history.

use std::collections::BTreeSet;
use std::sync::Arc;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Bus, BusError, HistoryItem, Position, Unusable};
use gentoo_updater_fleet::message::DecodeError;
use gentoo_updater_fleet::name::{GuestName, RunId};
use gentoo_updater_fleet::state::Fleet;
use jiff::{SignedDuration, Timestamp};

use super::told::Told;
use super::updates::Counted;

/// By how much the clocks of two machines may differ: the time in a run's id is that of who asked
/// for it.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_hours(1);

/// How many runs are read at first. Each time that they are not enough, four times as many are.
const RUNS: usize = 8;

/// How many runs are read for the sake of guests that were hardly ever updated. There is always one: it has
/// just come, say.
const RUNS_FOR_GUESTS: usize = 128;

/// The past cannot be known.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The bus does not give it.
    #[error("the history cannot be read: {0}")]
    History(#[from] BusError),
    /// An event says something of which nobody knows what it is: that a binary was built, say.
    #[error(
        "event {offset} of the history cannot be understood, and may be about a binary: {error}; use the \
         newest version of this program"
    )]
    Event {
        /// Its place in the history.
        offset: u64,
        /// Why it cannot.
        error: DecodeError,
    },
}

/// The past of a fleet, as far as it was read.
pub struct Past {
    /// Absent where there was no run yet.
    bus: Option<Arc<dyn Bus>>,
    /// The runs that the state knows, by name at least, in their order.
    runs: Vec<RunId>,
    counted: Counted,
    /// How many of the runs are read.
    read: usize,
    is_whole: bool,
    /// A run that ends with the next event.
    ending: Option<RunId>,
    told: Told,
}

impl Past {
    /// Nothing has happened yet.
    pub fn none(counted: Counted) -> Self {
        Self {
            bus: None,
            runs: Vec::new(),
            counted,
            read: 0,
            is_whole: true,
            ending: None,
            told: Told::default(),
        }
    }

    /// Of this bus, where these updates count. Nothing is read yet.
    pub fn of(bus: Arc<dyn Bus>, view: &FleetView, counted: Counted) -> Self {
        let known = |fleet: &Fleet| -> BTreeSet<RunId> {
            let over = fleet.over.iter().copied();
            over.chain(fleet.runs.keys().copied()).collect()
        };
        Self {
            bus: Some(bus),
            runs: view.read(known).into_iter().collect(),
            is_whole: false,
            ..Self::none(counted)
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

    /// Which updates count.
    pub fn counted(&self) -> &Counted {
        &self.counted
    }

    /// What so much of the history tells that it is of the updates of the platform that count; all of it
    /// where there are not so many.
    ///
    /// # Errors
    /// When the history cannot be read, or not be understood.
    pub async fn newest(&mut self) -> Result<&Told, Unread> {
        while !self.is_whole && !self.is_of_platform() {
            self.read_more().await?;
        }
        Ok(&self.told)
    }

    /// The same with what these guests may have, and with the updates of each guest, for as long as not
    /// too much has to be read for these.
    ///
    /// # Errors
    /// As [`Past::newest`].
    pub async fn told(&mut self, silent: &[&GuestName]) -> Result<&Told, Unread> {
        while !(self.is_whole || self.is_of_platform() && self.is_of_guests(silent)) {
            self.read_more().await?;
        }
        Ok(&self.told)
    }

    fn is_of_platform(&self) -> bool {
        self.read > 0 && self.told.updates(&self.counted.platform) >= self.counted.updates
    }

    fn is_of_guests(&self, silent: &[&GuestName]) -> bool {
        let is_known = |guest: &&GuestName| self.told.may_have(guest).is_some();
        let is_enough = self.read >= RUNS_FOR_GUESTS;
        silent.iter().all(is_known)
            && (is_enough || self.told.knows_updates_of_guests(&self.counted))
    }

    async fn read_more(&mut self) -> Result<(), Unread> {
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
        Ok(())
    }
}

/// What the history tells since a run was asked for, or as a whole.
async fn since(bus: &dyn Bus, run: Option<RunId>) -> Result<Told, Unread> {
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
        let offset = item.offset;
        take(&mut told, item)?;
        if offset >= end {
            return Ok(told);
        }
    }
}

fn take(told: &mut Told, item: HistoryItem) -> Result<(), Unread> {
    let offset = item.offset;
    match item.event {
        Ok(event) => told.event(&event.message),
        Err(Unusable::Decode(error)) => return Err(Unread::Event { offset, error }),
        // Who said it may not, and nobody believes it.
        Err(Unusable::Refused(_)) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use gentoo_updater_bus::Refused;
    use gentoo_updater_fleet::message::{Envelope, Event};

    use super::*;

    #[test]
    fn an_event_that_is_not_understood_is_an_error_and_one_that_nobody_believes_is_not() {
        let mut told = Told::default();
        let error = Envelope::<Event>::decode(b"{\"v\":99}").unwrap_err();
        let newer = HistoryItem {
            offset: 7,
            event: Err(Unusable::Decode(error)),
        };
        let error = take(&mut told, newer).unwrap_err().to_string();
        assert!(
            error.contains("event 7 ") && error.contains("newest version"),
            "{error}"
        );
        let refused = Refused::Stranger {
            user: "mallory".to_owned(),
        };
        let refused = HistoryItem {
            offset: 8,
            event: Err(Unusable::Refused(refused)),
        };
        take(&mut told, refused).unwrap();
    }
}
