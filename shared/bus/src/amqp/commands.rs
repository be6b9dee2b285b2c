//! Commands, one at a time.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream, SelectAll};
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use lapin::types::FieldTable;

use super::dead::bury;
use super::fault::{Fault, Pause};
use super::listener::{consume, delivered, open_channel, redeclare};
use super::opening::Opening;
use super::publisher::Publisher;
use super::session::{Lease, Link};
use crate::seam::{BusError, CommandDelivery, Commands, Settle};

type Next = (usize, Option<lapin::Result<Delivery>>);

/// Takes one command at a time out of several queues.
pub(super) struct AmqpCommands {
    link: Arc<Link>,
    publisher: Arc<Publisher>,
    queues: Vec<String>,
    opening: Opening<Listening>,
    listening: Option<Listening>,
    pause: Pause,
}

/// Consumers on one channel, each with a prefetch of one, until one of them has a delivery.
struct Listening {
    channel: Lease,
    deliveries: SelectAll<BoxStream<'static, Next>>,
}

/// A delivery with its channel. When the channel is dropped unsettled the broker gives the
/// message back to its queue.
struct Taken {
    channel: Lease,
    queue: String,
    delivery: Delivery,
}

impl AmqpCommands {
    pub(super) fn new(link: Arc<Link>, publisher: Arc<Publisher>, queues: Vec<String>) -> Self {
        Self {
            link,
            publisher,
            queues,
            opening: Opening::default(),
            listening: None,
            pause: Pause::default(),
        }
    }

    async fn listen(link: Arc<Link>, queues: Vec<String>) -> Result<Listening, Fault> {
        let channel = open_channel(&link, 1).await?;
        let mut deliveries = SelectAll::new();
        for (index, queue) in queues.iter().enumerate() {
            let consumer = consume(&channel, queue, FieldTable::default()).await?;
            // The end of a consumer is a fault, and no reason to wait for the others only.
            let consumer = consumer.map(Some).chain(stream::iter([None]));
            deliveries.push(consumer.map(move |next| (index, next)).boxed());
        }
        Ok(Listening {
            channel,
            deliveries,
        })
    }

    async fn try_take(&mut self) -> Result<Taken, Fault> {
        let listening = match &mut self.listening {
            Some(listening) => listening,
            None => {
                let (link, queues) = (self.link.clone(), self.queues.clone());
                let listening = self.opening.finish(|| Self::listen(link, queues)).await?;
                self.listening.insert(listening)
            }
        };
        let Some((index, next)) = listening.deliveries.next().await else {
            // A worker without queues waits for its stop.
            return std::future::pending().await;
        };
        let delivery = delivered(next)?;
        // Nothing more is wanted for now: dropping the consumers ends them. What came on another
        // of them goes back to its queue with the channel, when the command is settled.
        let channel = self.listening.take().map(|listening| listening.channel);
        match (channel, self.queues.get(index)) {
            (Some(channel), Some(queue)) => Ok(Taken {
                channel,
                queue: queue.clone(),
                delivery,
            }),
            _ => Err(Fault::Passing("a delivery came from no queue".to_owned())),
        }
    }

    async fn take(&mut self) -> Result<Taken, BusError> {
        loop {
            let closed = self.link.closed().clone();
            let tried = tokio::select! {
                biased;
                () = closed.cancelled() => return Err(BusError::Closed),
                tried = self.try_take() => tried,
            };
            let fault = match tried {
                Ok(taken) => {
                    self.pause.reset();
                    return Ok(taken);
                }
                Err(fault) => fault,
            };
            self.listening = None;
            let is_missing = matches!(fault, Fault::Missing(_));
            let cause = fault.passing()?;
            let (pause, queues) = (self.pause.next(), &self.queues);
            let pause_ms = pause.as_millis();
            tracing::warn!(
                ?queues,
                cause,
                pause_ms,
                "consumers have ended; they are opened again"
            );
            if is_missing {
                redeclare(&self.link).await?;
            }
            self.link.pause(pause).await?;
        }
    }
}

#[async_trait]
impl Commands for AmqpCommands {
    async fn next(&mut self) -> Result<CommandDelivery, BusError> {
        loop {
            let Taken {
                channel,
                queue,
                delivery,
            } = self.take().await?;
            match self.publisher.authority().command(&delivery) {
                Ok(command) => {
                    let publisher = self.publisher.clone();
                    let settle = Held {
                        _channel: channel,
                        queue: queue.clone(),
                        delivery,
                        publisher,
                    };
                    return Ok(CommandDelivery {
                        queue,
                        command,
                        settle: Box::new(settle),
                    });
                }
                Err(error) => {
                    bury(
                        &self.publisher,
                        &queue,
                        delivery,
                        Some(channel),
                        error.to_string(),
                    )
                    .await?;
                }
            }
        }
    }

    async fn rest(&mut self) {
        self.listening = None;
    }
}

struct Held {
    _channel: Lease,
    queue: String,
    delivery: Delivery,
    publisher: Arc<Publisher>,
}

#[async_trait]
impl Settle for Held {
    async fn ack(self: Box<Self>) -> Result<(), BusError> {
        acknowledge(&self.delivery, &self.queue).await;
        Ok(())
    }

    async fn reject(self: Box<Self>, cause: String) -> Result<(), BusError> {
        let Self {
            _channel: channel,
            queue,
            delivery,
            publisher,
        } = *self;
        bury(&publisher, &queue, delivery, Some(channel), cause).await
    }
}

/// Takes a message off its queue. On a channel that is gone this does nothing, and the message
/// comes again.
pub(super) async fn acknowledge(delivery: &Delivery, queue: &str) {
    match delivery.acker.ack(BasicAckOptions::default()).await {
        Ok(true) => {}
        Ok(false) => tracing::debug!(queue, "the channel is gone; the message comes again"),
        Err(error) => tracing::debug!(queue, %error, "not acknowledged; the message comes again"),
    }
}
