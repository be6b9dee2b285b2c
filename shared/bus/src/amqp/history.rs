//! The history: a stream of events.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::timeout;

use super::incoming::Authority;
use super::listener::StreamPosition;
use super::session::Link;
use super::stream::{FIRST_WITHIN, Placed, StreamReader, last_chunk};
use crate::seam::{BusError, History, HistoryItem, Position};
use crate::topology::HISTORY;

pub(super) struct AmqpHistory {
    link: Arc<Link>,
    reader: StreamReader,
    authority: Arc<Authority>,
}

impl AmqpHistory {
    pub(super) fn new(link: Arc<Link>, authority: Arc<Authority>, from: Position) -> Self {
        let from = StreamPosition::At(from);
        Self {
            reader: StreamReader::new(link.clone(), HISTORY, from),
            link,
            authority,
        }
    }
}

#[async_trait]
impl History for AmqpHistory {
    async fn next(&mut self) -> Result<HistoryItem, BusError> {
        let next = loop {
            match timeout(FIRST_WITHIN, self.reader.next()).await {
                Ok(next) => break next,
                // The broker may be slow, or the history a new one that is not as long yet.
                Err(_) if self.reader.is_to_be_found_again() => {
                    let end = end(&self.link).await?;
                    self.reader.check_end(end)?;
                }
                Err(_) => {}
            }
        };
        let Placed { offset, delivery } = next?;
        let event = self.authority.event(&delivery);
        Ok(HistoryItem { offset, event })
    }
}

/// The offset of the newest event.
pub(super) async fn end(link: &Arc<Link>) -> Result<Option<u64>, BusError> {
    let last = last_chunk(link, HISTORY).await?;
    Ok(last.last().map(|newest| newest.offset))
}
