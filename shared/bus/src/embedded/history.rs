//! The history of the journal, for this process and for others.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use gentoo_updater_fleet::message::Envelope;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::journal::{Journal, Stored};
use crate::seam::{BusError, History, HistoryItem, Position};
use crate::unusable::Unusable;

/// How often another process looks for new events.
const POLL: Duration = Duration::from_millis(200);
/// How many events are read at once. Some are large: a scan names all packages of a guest.
const PAGE: u32 = 16;

/// Where SQLite begins to count.
const FIRST_OFFSET: i64 = 1;

/// How a reader learns that the history has grown.
pub(super) enum Growth {
    /// The same process writes it: the offset of the newest event.
    Watched(watch::Receiver<i64>),
    /// Another process writes it.
    Polled,
}

/// Reads the journal from an offset on.
pub(super) struct JournalHistory {
    journal: Journal,
    growth: Growth,
    closed: CancellationToken,
    next: i64,
    page: VecDeque<Stored>,
}

impl JournalHistory {
    pub(super) fn new(
        journal: Journal,
        growth: Growth,
        closed: CancellationToken,
        from: Position,
    ) -> Self {
        let next = match from {
            Position::First | Position::Time(_) => FIRST_OFFSET,
            Position::Offset(offset) => i64::try_from(offset).unwrap_or(i64::MAX),
        };
        let next = next.max(FIRST_OFFSET);
        Self {
            journal,
            growth,
            closed,
            next,
            page: VecDeque::new(),
        }
    }

    async fn grown(&mut self) -> Result<(), BusError> {
        let next = self.next;
        let grown = async {
            match &mut self.growth {
                Growth::Watched(newest) => {
                    newest.wait_for(|newest| *newest >= next).await.map(drop)
                }
                Growth::Polled => {
                    tokio::time::sleep(POLL).await;
                    Ok(())
                }
            }
        };
        tokio::select! {
            grown = grown => grown.map_err(|_| BusError::Closed),
            () = self.closed.cancelled() => Err(BusError::Closed),
        }
    }
}

#[async_trait]
impl History for JournalHistory {
    async fn next(&mut self) -> Result<HistoryItem, BusError> {
        loop {
            if let Some(stored) = self.page.pop_front() {
                self.next = stored.number.saturating_add(1);
                let offset = stored.number.unsigned_abs();
                return Ok(HistoryItem {
                    offset,
                    event: Envelope::decode(&stored.body).map_err(Unusable::from),
                });
            }
            self.page = self.journal.events(self.next, PAGE).await?.into();
            if self.page.is_empty() {
                self.grown().await?;
            }
        }
    }
}
