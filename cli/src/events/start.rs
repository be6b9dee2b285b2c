//! Where in the history to begin to read.

use std::time::Duration;

use gentoo_updater_bus::{Bus, BusError, History, HistoryItem, Position};
use jiff::Timestamp;

/// How long the first event since some time may take. The history may hold none that is so new
/// although the clock of the newest one's sender says so, and a reader would wait for it for ever.
const FIRST_WITHIN: Duration = Duration::from_secs(5);
/// How many of the newest events are looked at where the newest is older than the time that is
/// asked for: the clock of its sender may be slow, and others may have said something since.
const OF_SLOW_CLOCKS: u64 = 1000;

/// A reader of the events since some time, or of all; none where nothing is left to be read.
pub(super) async fn reader(
    bus: &dyn Bus,
    since: Option<Timestamp>,
    end: Option<u64>,
    follow: bool,
) -> Result<Option<Box<dyn History>>, BusError> {
    let Some(since) = since else {
        return match end.is_some() || follow {
            true => Ok(Some(bus.history(Position::First).await?)),
            false => Ok(None),
        };
    };
    if follow {
        return Ok(Some(bus.history(Position::Time(since)).await?));
    }
    let Some(end) = end else { return Ok(None) };
    if !is_since(bus, end, since).await? {
        let from = Position::Offset(end.saturating_sub(OF_SLOW_CLOCKS));
        return Ok(Some(bus.history(from).await?));
    }
    let mut reader = bus.history(Position::Time(since)).await?;
    match tokio::time::timeout(FIRST_WITHIN, reader.next()).await {
        Ok(first) => Ok(Some(Box::new(Begun {
            first: Some(first?),
            rest: reader,
        }))),
        Err(_) => Ok(Some(bus.history(Position::First).await?)),
    }
}

/// Whether the newest event was made at this time or later. One that is not understood may be.
async fn is_since(bus: &dyn Bus, end: u64, since: Timestamp) -> Result<bool, BusError> {
    let newest = bus.history(Position::Offset(end)).await?.next().await?;
    Ok(newest.event.map_or(true, |event| event.at >= since))
}

/// A history whose first event was taken already.
struct Begun {
    first: Option<HistoryItem>,
    rest: Box<dyn History>,
}

#[async_trait::async_trait]
impl History for Begun {
    async fn next(&mut self) -> Result<HistoryItem, BusError> {
        match self.first.take() {
            Some(first) => Ok(first),
            None => self.rest.next().await,
        }
    }
}
