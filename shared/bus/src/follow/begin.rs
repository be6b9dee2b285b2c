//! Where the fold begins: at the newest snapshot, or at the first event.

use std::sync::Arc;

use gentoo_updater_fleet::name::WorkerId;
use gentoo_updater_fleet::snapshot::Snapshot;
use gentoo_updater_fleet::state::Fleet;
use jiff::Timestamp;

use super::seen::Seen;
use super::state::State;
use crate::seam::{Bus, BusError, History, HistoryItem, Position};

/// What the state was begun from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beginning {
    /// From a snapshot.
    Snapshot {
        /// The offset of the newest event in it.
        offset: u64,
        /// When it was taken.
        at: Timestamp,
        /// Who took it.
        by: WorkerId,
    },
    /// From the first event that the history keeps.
    FirstEvent {
        /// Why not from a snapshot.
        why: String,
    },
}

/// The state to begin with, and the history behind it.
pub(super) struct Begun {
    pub(super) state: State,
    pub(super) history: Box<dyn History>,
    pub(super) beginning: Beginning,
}

/// Reads the newest snapshot. Without one that can be used the whole history is read: a snapshot
/// saves time and is never needed.
pub(super) async fn begin(bus: &Arc<dyn Bus>) -> Result<Begun, BusError> {
    let why = match bus.newest_snapshot().await {
        Ok(Some(snapshot)) => match behind(bus, snapshot).await? {
            Ok(begun) => {
                tracing::info!(beginning = ?begun.beginning, "the state begins with a snapshot");
                return Ok(begun);
            }
            Err(why) => {
                tracing::warn!(why, "the newest snapshot cannot be used");
                why
            }
        },
        Ok(None) => "there is no snapshot that this program can read".to_owned(),
        Err(BusError::Closed) => return Err(BusError::Closed),
        Err(error) => {
            tracing::warn!(%error, "the newest snapshot cannot be read");
            error.to_string()
        }
    };
    tracing::info!(why, "the history is read from its beginning");
    Ok(Begun {
        state: State::default(),
        history: bus.history(Position::First).await?,
        beginning: Beginning::FirstEvent { why },
    })
}

/// The state of a snapshot and the history behind it, or why it does not fit the history. The
/// event at the snapshot's offset is read once more: it tells whether this is the history that
/// the snapshot was taken of, and not one that has begun anew since.
async fn behind(bus: &Arc<dyn Bus>, snapshot: Snapshot) -> Result<Result<Begun, String>, BusError> {
    let Snapshot {
        fleet, at, sender, ..
    } = snapshot;
    let Some(offset) = fleet.offset else {
        return Ok(Err("the snapshot is empty".to_owned()));
    };
    let end = bus.end().await?;
    if end.is_none_or(|end| end < offset) {
        let end = end.map_or("nowhere".to_owned(), |end| format!("at {end}"));
        return Ok(Err(format!(
            "the snapshot is of offset {offset}, and the history ends {end}: it has begun anew"
        )));
    }
    let mut history = bus.history(Position::Offset(offset)).await?;
    let first = loop {
        let item = history.next().await?;
        if item.offset >= offset {
            break item;
        }
    };
    if first.offset == offset && !is_same(&first, &fleet) {
        return Ok(Err(format!(
            "another event is at offset {offset} than when the snapshot was taken: the history \
             has begun anew"
        )));
    }
    if first.offset > offset.saturating_add(1) {
        let (from, to) = (offset + 1, first.offset);
        tracing::warn!(
            from,
            to,
            "the history keeps too little: what came between the snapshot and its oldest event \
             is lost"
        );
    }
    let mut state = State {
        fleet,
        seen: Seen::in_the_middle(),
        newest_left_out: None,
    };
    state.take(&first);
    let beginning = Beginning::Snapshot {
        offset,
        at,
        by: sender,
    };
    Ok(Ok(Begun {
        state,
        history,
        beginning,
    }))
}

/// Whether this is the newest event of the state, by its id. One that nobody could read has none.
pub(crate) fn is_same(item: &HistoryItem, fleet: &Fleet) -> bool {
    match (&item.event, fleet.event) {
        (Ok(event), Some(newest)) => event.id == newest,
        (Err(_), None) => true,
        (Ok(_), None) | (Err(_), Some(_)) => false,
    }
}
