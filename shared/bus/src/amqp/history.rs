//! The history: a stream, read over AMQP 0-9-1.
//!
//! An acknowledgement takes nothing off a stream, it only lets the broker send more.
//! See <https://www.rabbitmq.com/docs/streams#usage>.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use tokio::time::timeout;

use super::fault::{Fault, short};
use super::incoming::Authority;
use super::listener::{Listener, Source};
use super::session::{CALL_LIMIT, Link};
use crate::seam::{BusError, History, HistoryItem, Position};
use crate::topology::HISTORY;

/// The broker sends the last chunk of the stream at once; after this long it has sent all of it.
const QUIET: Duration = Duration::from_millis(300);
/// How long the first event of a stream that is not empty may take before that is said.
const FIRST_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct AmqpHistory {
    listener: Listener,
    authority: Arc<Authority>,
    /// Where the next event is looked for; absent before the first.
    next: Option<u64>,
    /// A delivery that is not acknowledged yet.
    held: Option<Delivery>,
}

impl AmqpHistory {
    pub(super) fn new(link: Arc<Link>, authority: Arc<Authority>, from: Position) -> Self {
        let next = match from {
            Position::First | Position::Time(_) => None,
            Position::Offset(offset) => Some(offset),
        };
        Self {
            listener: Listener::new(link),
            authority,
            next,
            held: None,
        }
    }
}

#[async_trait]
impl History for AmqpHistory {
    async fn next(&mut self) -> Result<HistoryItem, BusError> {
        loop {
            let source = Source::History(self.next);
            if self.held.is_none() {
                self.held = Some(self.listener.next(source).await?);
            }
            // Held while it is acknowledged, so that a cancelled call loses nothing.
            if let Some(held) = &self.held
                && !held
                    .acker
                    .ack(BasicAckOptions::default())
                    .await
                    .unwrap_or(false)
                && held.acker.poisoned()
            {
                let fault = Fault::Passing("an acknowledgement was not sent".to_owned());
                self.held = None;
                self.listener.fail(source, fault).await?;
                continue;
            }
            let Some(delivery) = self.held.take() else {
                continue;
            };
            let Some(offset) = offset(&delivery) else {
                let fault = Fault::Passing("an event has no offset".to_owned());
                self.listener.fail(source, fault).await?;
                continue;
            };
            // The broker begins with the chunk that holds the wanted offset.
            if self.next.is_some_and(|next| offset < next) {
                continue;
            }
            self.next = Some(offset + 1);
            return Ok(HistoryItem {
                offset,
                event: self.authority.event(&delivery),
            });
        }
    }
}

fn offset(delivery: &Delivery) -> Option<u64> {
    let headers = delivery.properties.headers().as_ref()?;
    match headers.inner().get("x-stream-offset")? {
        AMQPValue::LongLongInt(offset) => u64::try_from(*offset).ok(),
        AMQPValue::LongInt(offset) => u64::try_from(*offset).ok(),
        _ => None,
    }
}

/// The offset of the newest event.
pub(super) async fn end(link: &Arc<Link>) -> Result<Option<u64>, BusError> {
    // Nobody can ask for the last offset over this protocol: the last chunk is read.
    let is_empty = is_empty(link).await?;
    let offsets = stream::unfold(Listener::new(link.clone()), async |mut listener| {
        let offset = match listener.next(Source::HistoryEnd).await {
            Ok(delivery) => {
                // Without it the listener finds the fault at its next delivery.
                let _ = delivery.acker.ack(BasicAckOptions::default()).await;
                Ok(offset(&delivery))
            }
            Err(error) => Err(error),
        };
        Some((offset, listener))
    });
    newest(is_empty, offsets.boxed()).await
}

/// The largest offset of what comes before a silence. Silence of a stream that holds something is
/// a slow broker, and no empty history: it is waited for.
async fn newest(
    is_empty: bool,
    mut offsets: BoxStream<'_, Result<Option<u64>, BusError>>,
) -> Result<Option<u64>, BusError> {
    let mut newest = None;
    loop {
        let may_be_empty = is_empty || newest.is_some();
        let wait = if may_be_empty { QUIET } else { FIRST_WITHIN };
        match timeout(wait, offsets.next()).await {
            Ok(Some(offset)) => newest = newest.max(offset?),
            Ok(None) => return Ok(newest),
            Err(_) if may_be_empty => return Ok(newest),
            Err(_) => tracing::warn!("the broker does not send the end of the history yet"),
        }
    }
}

async fn is_empty(link: &Link) -> Result<bool, BusError> {
    loop {
        let lease = link.channel().await?;
        let name = short(HISTORY).map_err(Fault::passing);
        let Ok(name) = name else { return Ok(false) };
        let options = QueueDeclareOptions::durable().passive();
        let asked = lease
            .channel
            .queue_declare(name, options, FieldTable::default());
        let fault = match timeout(CALL_LIMIT, asked).await {
            Ok(Ok(queue)) => return Ok(queue.message_count() == 0),
            Ok(Err(error)) => Fault::from(error),
            Err(_) => Fault::slow("queue.declare", CALL_LIMIT),
        };
        let cause = fault.passing()?;
        tracing::warn!(cause, "the history cannot be asked for its length");
        link.pause(QUIET).await?;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep_until};

    use super::*;

    /// The newest offset where these come, each so many milliseconds after the begin.
    async fn newest_of(is_empty: bool, script: &[(u64, u64)]) -> Option<u64> {
        let begin = Instant::now();
        let offsets = stream::iter(script).then(|(at, offset)| async move {
            sleep_until(begin + Duration::from_millis(*at)).await;
            Ok(Some(*offset))
        });
        let silence = stream::pending();
        let found = newest(is_empty, offsets.chain(silence).boxed());
        found.await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_history_that_is_not_empty_is_waited_for() {
        assert_eq!(newest_of(false, &[(25_000, 7), (25_010, 8)]).await, Some(8));
        assert_eq!(newest_of(false, &[(0, 3)]).await, Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_history_has_no_end() {
        assert_eq!(newest_of(true, &[]).await, None);
        assert_eq!(newest_of(true, &[(100, 0)]).await, Some(0));
    }
}
