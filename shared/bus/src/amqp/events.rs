//! Wake-ups and signs of life.

use std::sync::Arc;

use async_trait::async_trait;
use gentoo_updater_fleet::message::{Envelope, Event};
use lapin::message::Delivery;
use lapin::options::BasicNackOptions;
use tokio::runtime::Handle;

use super::commands::acknowledge;
use super::dead::bury;
use super::incoming::Authority;
use super::listener::{Listener, Source};
use super::publisher::Publisher;
use super::session::Link;
use crate::seam::{Alive, BusError, Settle, Wakeup, Wakeups};
use crate::topology::PLAN;

pub(super) struct AmqpWakeups {
    listener: Listener,
    publisher: Arc<Publisher>,
}

impl AmqpWakeups {
    pub(super) fn new(link: Arc<Link>, publisher: Arc<Publisher>) -> Self {
        Self {
            listener: Listener::new(link),
            publisher,
        }
    }
}

#[async_trait]
impl Wakeups for AmqpWakeups {
    async fn next(&mut self) -> Result<Wakeup, BusError> {
        loop {
            let delivery = self.listener.next(Source::Wakeups).await?;
            match self.publisher.authority().event(&delivery) {
                Ok(event) => {
                    let publisher = self.publisher.clone();
                    let settle = WakeupSettle {
                        delivery: Some(delivery),
                        publisher,
                    };
                    return Ok(Wakeup {
                        event,
                        settle: Box::new(settle),
                    });
                }
                Err(error) => {
                    bury(&self.publisher, PLAN, delivery, None, error.to_string()).await?;
                }
            }
        }
    }
}

struct WakeupSettle {
    /// Absent when it is settled.
    delivery: Option<Delivery>,
    publisher: Arc<Publisher>,
}

#[async_trait]
impl Settle for WakeupSettle {
    async fn ack(mut self: Box<Self>) -> Result<(), BusError> {
        if let Some(delivery) = self.delivery.take() {
            acknowledge(&delivery, PLAN).await;
        }
        Ok(())
    }

    async fn reject(mut self: Box<Self>, cause: String) -> Result<(), BusError> {
        match self.delivery.take() {
            Some(delivery) => bury(&self.publisher, PLAN, delivery, None, cause).await,
            None => Ok(()),
        }
    }
}

impl Drop for WakeupSettle {
    fn drop(&mut self) {
        // Without a runtime the connection is gone too, and the broker gives the message back.
        if let (Some(delivery), Ok(runtime)) = (self.delivery.take(), Handle::try_current()) {
            runtime.spawn(async move {
                let options = BasicNackOptions {
                    requeue: true,
                    ..Default::default()
                };
                if let Err(error) = delivery.acker.nack(options).await {
                    tracing::debug!(%error, "not given back; the message comes again anyhow");
                }
            });
        }
    }
}

pub(super) struct AmqpAlive {
    listener: Listener,
    authority: Arc<Authority>,
}

impl AmqpAlive {
    pub(super) fn new(link: Arc<Link>, authority: Arc<Authority>) -> Self {
        Self {
            listener: Listener::new(link),
            authority,
        }
    }
}

#[async_trait]
impl Alive for AmqpAlive {
    async fn next(&mut self) -> Result<Envelope<Event>, BusError> {
        loop {
            let delivery = self.listener.next(Source::Alive).await?;
            match self.authority.event(&delivery) {
                Ok(event) => return Ok(event),
                // The planner gets the same message, and makes it a dead letter.
                Err(error) => tracing::debug!(%error, "a sign of life cannot be used"),
            }
        }
    }
}
