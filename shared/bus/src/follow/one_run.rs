//! What the history says of one run, also of one that the state has forgotten.

use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::state::Fleet;
use jiff::{SignedDuration, Timestamp};

use crate::seam::{Bus, BusError, Position};

/// By how much the clock of whoever asked for a run may be ahead of the broker's.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_hours(24);

/// Folds the events of one run with its further rounds, and no others: the state as a fleet would
/// know it that never had another run. Without that run when the history does not know it, or not
/// any more.
///
/// # Errors
/// When the history cannot be read.
pub async fn one_run(bus: &dyn Bus, run: RunId) -> Result<Fleet, BusError> {
    let mut fleet = Fleet::default();
    let Some(end) = bus.end().await? else {
        return Ok(fleet);
    };
    let mut history = bus.history(requested_about(run)).await?;
    let mut rounds = vec![run];
    loop {
        let item = history.next().await?;
        match item.event {
            Ok(event) => {
                let of = event.message.run();
                let newest = rounds.last().map(RunId::following);
                rounds.extend(of.filter(|of| newest == Some(*of)));
                if of.is_some_and(|of| rounds.contains(&of)) {
                    fleet.apply(item.offset, &event);
                }
            }
            Err(_) => fleet.leave_out(item.offset),
        }
        // A further round is asked for before its predecessor is said to be over.
        let is_over = rounds.iter().all(|round| fleet.is_over(*round));
        if item.offset >= end || is_over {
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
