//! Commands, one at a time.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::consumers::{Consumers, Delivered};
use super::fault::{Fault, Pause};
use super::held::Held;
use super::listener::redeclare;
use super::opening::Opening;
use super::publisher::Publisher;
use super::session::Link;
use crate::meters::{COMMAND, DELIVERED, REDELIVERED};
use crate::seam::{BusError, CommandDelivery, Commands, Settle};

/// Takes commands out of several queues, until it rests.
pub(super) struct AmqpCommands {
    link: Arc<Link>,
    publisher: Arc<Publisher>,
    queues: Vec<String>,
    opening: Opening<Consumers>,
    consumers: Option<Consumers>,
    /// When the consumers began or last had a command.
    heard: Instant,
    pause: Pause,
}

impl AmqpCommands {
    pub(super) fn new(link: Arc<Link>, publisher: Arc<Publisher>, queues: Vec<String>) -> Self {
        Self {
            link,
            publisher,
            queues,
            opening: Opening::default(),
            consumers: None,
            heard: Instant::now(),
            pause: Pause::default(),
        }
    }

    async fn try_take(&mut self) -> Result<Delivered, Fault> {
        loop {
            let consumers = match &mut self.consumers {
                Some(consumers) => consumers,
                None => {
                    let (link, queues) = (self.link.clone(), self.queues.clone());
                    let opened = self
                        .opening
                        .finish(|| Consumers::open(link, queues))
                        .await?;
                    self.heard = Instant::now();
                    self.consumers.insert(opened)
                }
            };
            let deadline = self.heard + self.link.quiet();
            match timeout_at(deadline, consumers.next()).await {
                Ok(next) => {
                    self.heard = Instant::now();
                    return next;
                }
                Err(_) => {
                    let queues = &self.queues;
                    tracing::debug!(?queues, "no command for long; consumers are opened anew");
                    self.consumers = None;
                }
            }
        }
    }

    async fn take(&mut self) -> Result<Delivered, BusError> {
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
            self.consumers = None;
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
            let Delivered {
                channel,
                queue,
                delivery,
            } = self.take().await?;
            let queue = self.queues.get(queue).cloned().unwrap_or_default();
            DELIVERED.count(COMMAND);
            if delivery.redelivered {
                REDELIVERED.count(COMMAND);
            }
            let understood = self.publisher.authority().command(&delivery);
            let held = Held::new(channel, &queue, delivery, self.publisher.clone());
            match understood {
                Ok(command) => {
                    return Ok(CommandDelivery {
                        queue,
                        command,
                        settle: Box::new(held),
                    });
                }
                Err(error) => Box::new(held).reject(error.to_string()).await?,
            }
        }
    }

    async fn rest(&mut self) {
        // Dropping them ends them. What is being opened is opened first, and then ended.
        self.consumers = None;
        self.opening = Opening::default();
    }
}
