//! The history: a stream, read over AMQP 0-9-1.
//!
//! An acknowledgement takes nothing off a stream, it only lets the broker send more.
//! See <https://www.rabbitmq.com/docs/streams#usage>.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gentoo_updater_fleet::message::Envelope;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use tokio::time::timeout;

use super::fault::{Fault, short};
use super::listener::{Listener, Source};
use super::session::{CALL_LIMIT, Link};
use crate::seam::{BusError, History, HistoryItem, Position};
use crate::topology::HISTORY;

/// The broker sends the last chunk of the stream at once; after this long it has sent all of it.
const QUIET: Duration = Duration::from_millis(300);
/// How long the first event of a stream may take that is not empty.
const FIRST_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct AmqpHistory {
    listener: Listener,
    /// Where the next event is looked for; absent before the first.
    next: Option<u64>,
    /// A delivery that is not acknowledged yet.
    held: Option<Delivery>,
}

impl AmqpHistory {
    pub(super) fn new(link: Arc<Link>, from: Position) -> Self {
        let next = match from {
            Position::First => None,
            Position::Offset(offset) => Some(offset),
        };
        Self {
            listener: Listener::new(link),
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
                event: Envelope::decode(&delivery.data),
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
    let wait = if is_empty(link).await? {
        QUIET
    } else {
        FIRST_WITHIN
    };
    let mut listener = Listener::new(link.clone());
    let mut newest = None;
    let mut wait = wait;
    loop {
        let Ok(delivery) = timeout(wait, listener.next(Source::HistoryEnd)).await else {
            return Ok(newest);
        };
        let delivery = delivery?;
        newest = newest.max(offset(&delivery));
        // Without it the listener finds the fault at its next delivery.
        let _ = delivery.acker.ack(BasicAckOptions::default()).await;
        wait = QUIET;
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
