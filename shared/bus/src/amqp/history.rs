//! The history: a stream of events.

use std::sync::Arc;

use async_trait::async_trait;

use super::incoming::Authority;
use super::listener::StreamPosition;
use super::session::Link;
use super::stream::{Placed, StreamReader, last_chunk};
use crate::seam::{BusError, History, HistoryItem, Position};
use crate::topology::HISTORY;

pub(super) struct AmqpHistory {
    reader: StreamReader,
    authority: Arc<Authority>,
}

impl AmqpHistory {
    pub(super) fn new(link: Arc<Link>, authority: Arc<Authority>, from: Position) -> Self {
        let from = StreamPosition::At(from);
        Self {
            reader: StreamReader::new(link, HISTORY, from),
            authority,
        }
    }
}

#[async_trait]
impl History for AmqpHistory {
    async fn next(&mut self) -> Result<HistoryItem, BusError> {
        let Placed { offset, delivery } = self.reader.next().await?;
        let event = self.authority.event(&delivery);
        Ok(HistoryItem { offset, event })
    }
}

/// The offset of the newest event.
pub(super) async fn end(link: &Arc<Link>) -> Result<Option<u64>, BusError> {
    let last = last_chunk(link, HISTORY).await?;
    Ok(last.last().map(|newest| newest.offset))
}
