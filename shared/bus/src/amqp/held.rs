//! A delivery that waits for its settlement.

use std::sync::Arc;

use async_trait::async_trait;
use lapin::message::Delivery;

use super::channel::SharedChannel;
use super::dead::bury;
use super::publisher::Publisher;
use crate::seam::{BusError, Settle};

/// A delivery that waits for its settlement. Dropped, it goes back to its queue.
pub(super) struct Held {
    channel: Arc<SharedChannel>,
    queue: String,
    /// Absent when it is settled.
    delivery: Option<Delivery>,
    publisher: Arc<Publisher>,
}

impl Held {
    pub(super) fn new(
        channel: Arc<SharedChannel>,
        queue: &str,
        delivery: Delivery,
        publisher: Arc<Publisher>,
    ) -> Self {
        Self {
            channel,
            queue: queue.to_owned(),
            delivery: Some(delivery),
            publisher,
        }
    }
}

#[async_trait]
impl Settle for Held {
    async fn ack(mut self: Box<Self>) -> Result<(), BusError> {
        if let Some(delivery) = self.delivery.take() {
            self.channel.acknowledge(&delivery, &self.queue).await;
        }
        Ok(())
    }

    async fn reject(mut self: Box<Self>, cause: String) -> Result<(), BusError> {
        let Some(delivery) = self.delivery.take() else {
            return Ok(());
        };
        let channel = self.channel.clone();
        bury(&self.publisher, &self.queue, delivery, channel, cause).await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(delivery) = self.delivery.take() {
            self.channel.give_back(delivery);
        }
    }
}
