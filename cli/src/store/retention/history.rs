//! What the history tells of binaries.

use std::collections::BTreeSet;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Bus, Position};
use gentoo_updater_fleet::name::{GuestName, RunId};
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_janitor::store::told::Told;
use jiff::{SignedDuration, Timestamp};

/// By how much the clocks of two machines may differ: the time in a run's id is that of who asked
/// for it.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_hours(1);

/// How many runs are read at first. Each time that they are not enough, four times as many are.
const RUNS: usize = 8;

/// The runs that the state knows, by name at least, in their order.
pub(super) fn known_runs(view: &FleetView) -> Vec<RunId> {
    let known = |fleet: &Fleet| -> BTreeSet<RunId> {
        let over = fleet.over.iter().copied();
        over.chain(fleet.runs.keys().copied()).collect()
    };
    view.read(known).into_iter().collect()
}

/// Reads so much of the history, from its end, that it tells of so many updates and of these guests;
/// all of it where it does not.
pub(super) async fn told(
    bus: &dyn Bus,
    runs: &[RunId],
    updates: usize,
    guests: &[GuestName],
) -> anyhow::Result<Told> {
    let mut count = RUNS;
    loop {
        let first = runs.len().checked_sub(count).map(|first| runs[first]);
        let told = since(bus, first).await?;
        let is_enough = told.updates() >= updates && guests.iter().all(|guest| told.knows(guest));
        if is_enough || first.is_none() {
            return Ok(told);
        }
        count *= 4;
    }
}

/// What the history tells since a run was asked for, or as a whole.
async fn since(bus: &dyn Bus, run: Option<RunId>) -> anyhow::Result<Told> {
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
