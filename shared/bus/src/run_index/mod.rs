//! The index of runs, kept as a cache beside the history, and what the history tells of one run.
//!
//! The file is no state: one that is missing, damaged, of another version or of another history is made
//! anew from the first event. Several processes may use it at once, for it is only ever replaced as a whole.

mod cache;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use gentoo_updater_fleet::inspect::{Had, IndexedRun, RunIndex};
use gentoo_updater_fleet::message::{Event, InstalledPackage};
use gentoo_updater_fleet::state::Fleet;

use crate::follow::is_same;
use crate::seam::{Bus, BusError, Position};

pub use cache::{CacheError, RunIndexCache};

/// An index that knows all that the history held when it was asked for.
#[derive(Debug)]
pub struct Indexed {
    /// The index.
    pub index: RunIndex,
    /// How many events were read for it, so that it is worth while to keep it.
    pub read: u64,
    /// Why it was made anew; absent where a kept one was gone on with.
    pub made_anew: Option<String>,
}

/// Brings an index up to the end of the history; makes one where there is none, or where this one is of
/// another history. `tell` is told how far it is: the offset, and the one where it ends.
///
/// # Errors
/// When the history cannot be read.
pub async fn up_to_date(
    bus: &dyn Bus,
    kept: Result<RunIndex, String>,
    mut tell: impl FnMut(u64, u64),
) -> Result<Indexed, BusError> {
    let end = bus.end().await?;
    let why = match kept {
        Ok(index) => match continued(bus, index, end, &mut tell).await? {
            Ok(indexed) => return Ok(indexed),
            Err(why) => why,
        },
        Err(why) => why,
    };
    let mut indexed = Indexed {
        index: RunIndex::new(),
        read: 0,
        made_anew: Some(why),
    };
    if let Some(end) = end {
        read(bus, &mut indexed, Position::First, end, &mut tell).await?;
    }
    Ok(indexed)
}

/// Goes on with a kept index, or says why it is not of this history.
async fn continued(
    bus: &dyn Bus,
    index: RunIndex,
    end: Option<u64>,
    tell: &mut impl FnMut(u64, u64),
) -> Result<Result<Indexed, String>, BusError> {
    let Some(offset) = index.fleet().offset else {
        return Ok(Err("it is of an empty history".to_owned()));
    };
    let Some(end) = end.filter(|end| *end >= offset) else {
        return Ok(Err("the history has begun anew".to_owned()));
    };
    // The event at its end tells whether it is of this history, and not of one before or elsewhere.
    let mut history = bus.history(Position::Offset(offset)).await?;
    let first = loop {
        let item = history.next().await?;
        if item.offset >= offset {
            break item;
        }
    };
    if first.offset != offset {
        return Ok(Err(
            "the history keeps nothing any more of what it ends with".to_owned(),
        ));
    }
    if !is_same(&first, index.fleet()) {
        return Ok(Err("it is of another history".to_owned()));
    }
    let mut indexed = Indexed {
        index,
        read: 0,
        made_anew: None,
    };
    if end > offset {
        let behind = Position::Offset(offset + 1);
        read(bus, &mut indexed, behind, end, tell).await?;
    }
    Ok(Ok(indexed))
}

async fn read(
    bus: &dyn Bus,
    indexed: &mut Indexed,
    from: Position,
    end: u64,
    tell: &mut impl FnMut(u64, u64),
) -> Result<(), BusError> {
    let mut history = bus.history(from).await?;
    loop {
        let item = history.next().await?;
        match &item.event {
            Ok(event) => indexed.index.take(item.offset, event),
            Err(_) => indexed.index.leave_out(item.offset),
        }
        indexed.read += 1;
        tell(item.offset, end);
        if item.offset >= end {
            return Ok(());
        }
    }
}

/// What the history tells of one run: the state of the fleet with this run in it, and what its guests had
/// installed of what is meant. Absent where the history has lost it.
///
/// # Errors
/// When the history cannot be read.
pub async fn run_told(
    bus: &dyn Bus,
    index: &RunIndex,
    run: IndexedRun,
    is_meant: impl Fn(&InstalledPackage) -> bool,
) -> Result<Option<(Fleet, Had)>, BusError> {
    let (mut told, mut had) = (Fleet::default(), Had::new());
    let mut history = bus.history(Position::Offset(run.first)).await?;
    loop {
        let item = history.next().await?;
        let of_it = item.event.as_ref().ok();
        if let Some(event) = of_it.filter(|event| event.message.run() == Some(run.run)) {
            if let Event::GuestScanned(scanned) = &event.message {
                let meant = scanned.installed.iter().filter(|it| is_meant(it));
                had.entry(scanned.guest.clone())
                    .or_insert_with(|| meant.map(|it| it.cpv.clone()).collect());
            }
            told.apply(item.offset, event);
        }
        if item.offset >= run.last {
            break;
        }
    }
    // What operators hold, who works, how long builds take: the run itself does not tell that.
    let mut fleet = index.fleet().clone();
    let known = told.runs.remove(&run.run);
    let known = known.or_else(|| fleet.runs.get(&run.run).cloned());
    Ok(known.map(|known| {
        fleet.runs.insert(run.run, Arc::clone(&known));
        (fleet, had)
    }))
}
