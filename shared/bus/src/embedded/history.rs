//! The history of the journal, for this process and for others.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::storage::Storage;
use crate::news::News;
use crate::seam::{BusError, History, HistoryItem, Position};

/// How often another process looks for new events. A look takes some 50 microseconds; who watches a
/// dashboard shall not see that there is a look in between.
const POLL: Duration = Duration::from_millis(30);
/// How many events are read at once. Some are large: a scan names all packages of a guest.
const PAGE: u32 = 16;

/// Where SQLite begins to count.
const FIRST_OFFSET: i64 = 1;

/// How a reader learns that the history has grown.
pub(super) enum Growth {
    /// The same process writes it: the offset of the newest event.
    Watched(Arc<News<i64>>),
    /// Another process writes it.
    Polled,
}

/// Reads the journal from an offset on.
pub(super) struct JournalHistory {
    journal: Storage,
    growth: Growth,
    closed: CancellationToken,
    /// Absent until the place of a time is known.
    next: Option<i64>,
    from: Position,
    page: VecDeque<HistoryItem>,
}

impl JournalHistory {
    pub(super) fn new(
        journal: Storage,
        growth: Growth,
        closed: CancellationToken,
        from: Position,
    ) -> Self {
        Self {
            journal,
            growth,
            closed,
            next: None,
            from,
            page: VecDeque::new(),
        }
    }

    /// Where the next event is looked for.
    async fn place(&mut self) -> Result<i64, BusError> {
        let place = match (self.next, self.from) {
            (Some(next), _) => next,
            (None, Position::First) => FIRST_OFFSET,
            (None, Position::Offset(offset)) => i64::try_from(offset).unwrap_or(i64::MAX),
            (None, Position::Time(time)) => self.journal.first_since(time).await?,
        };
        let place = place.max(FIRST_OFFSET);
        self.next = Some(place);
        Ok(place)
    }

    /// Whether it is known without a look that there is nothing yet.
    fn is_at_the_end(&self, next: i64) -> bool {
        match &self.growth {
            Growth::Watched(newest) => newest.get() < next,
            Growth::Polled => false,
        }
    }

    async fn grown(&mut self, next: i64) -> Result<(), BusError> {
        let grown = async {
            match &self.growth {
                Growth::Watched(newest) => {
                    newest.until(|newest| *newest >= next).await;
                }
                Growth::Polled => tokio::time::sleep(POLL).await,
            }
        };
        tokio::select! {
            biased;
            () = grown => Ok(()),
            () = self.closed.cancelled() => Err(BusError::Closed),
        }
    }
}

#[async_trait]
impl History for JournalHistory {
    async fn next(&mut self) -> Result<HistoryItem, BusError> {
        loop {
            if let Some(item) = self.page.pop_front() {
                let offset = i64::try_from(item.offset).unwrap_or(i64::MAX);
                self.next = Some(offset.saturating_add(1));
                return Ok(item);
            }
            let next = self.place().await?;
            if self.is_at_the_end(next) {
                self.grown(next).await?;
            }
            self.page = self.journal.events(next, PAGE).await?.into();
            if self.page.is_empty() {
                self.grown(next).await?;
            }
        }
    }
}
