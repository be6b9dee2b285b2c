//! What the history says of one run, also of one that the state has forgotten.

use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::state::Fleet;
use jiff::{SignedDuration, Timestamp};

use crate::seam::{Bus, BusError, Position};

/// By how much the clock of whoever asked for a run may be ahead of the broker's.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_hours(24);

/// Folds the events of one run, and no others: the state as a fleet would know it that never had
/// another run. Without that run when the history does not know it, or not any more.
///
/// # Errors
/// When the history cannot be read.
pub async fn one_run(bus: &dyn Bus, run: RunId) -> Result<Fleet, BusError> {
    let mut fleet = Fleet::default();
    let Some(end) = bus.end().await? else {
        return Ok(fleet);
    };
    let mut history = bus.history(requested_about(run)).await?;
    loop {
        let item = history.next().await?;
        match item.event {
            Ok(event) if event.message.run() == Some(run) => fleet.apply(item.offset, &event),
            Ok(_) => {}
            Err(_) => fleet.leave_out(item.offset),
        }
        if item.offset >= end || fleet.is_over(run) {
            return Ok(fleet);
        }
    }
}

/// A run's id tells when it was asked for (UUIDv7).
fn requested_about(run: RunId) -> Position {
    let made = run.0.get_timestamp().and_then(|time| {
        let seconds = i64::try_from(time.to_unix().0).ok()?;
        Timestamp::from_second(seconds).ok()
    });
    let begin = made.and_then(|made| made.checked_sub(CLOCK_DIFFERENCE).ok());
    begin.map_or(Position::First, Position::Time)
}
