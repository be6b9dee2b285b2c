//! Wake-ups and signs of life.

use std::sync::Arc;

use async_trait::async_trait;
use gentoo_updater_fleet::message::{Envelope, Event};

use super::held::Held;
use super::incoming::Authority;
use super::listener::{Listener, Source};
use super::publisher::Publisher;
use super::session::Link;
use crate::meters::{DELIVERED, REDELIVERED, WAKEUP};
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
            let (channel, delivery) = self.listener.next_held(Source::Wakeups).await?;
            DELIVERED.count(WAKEUP);
            if delivery.redelivered {
                REDELIVERED.count(WAKEUP);
            }
            let understood = self.publisher.authority().event(&delivery);
            let held = Held::new(channel, PLAN, delivery, self.publisher.clone());
            match understood {
                Ok(event) => {
                    return Ok(Wakeup {
                        event,
                        settle: Box::new(held),
                    });
                }
                Err(error) => Box::new(held).reject(error.to_string()).await?,
            }
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
