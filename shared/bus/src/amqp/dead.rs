//! Dead letters: what cannot be decoded or is refused, as it was, with its cause.

use std::sync::Arc;

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};

use super::channel::SharedChannel;
use super::fault::short;
use super::headers::deliveries;
use super::publisher::{Outgoing, Publisher};
use crate::meters::Sent;
use crate::seam::BusError;
use crate::topology::DEAD_LETTERS;

/// Why a message is a dead letter.
pub(super) const CAUSE: &str = "cause";
/// The queue that it was in, or was meant for.
pub(super) const QUEUE: &str = "queue";
/// When it became one.
pub(super) const TIME: &str = "time";
/// Who had sent it.
pub(super) const USER: &str = "user";
/// How often it had been delivered.
pub(super) const DELIVERIES: &str = "deliveries";

/// How long a cause may be, in characters. It may quote the message.
const LONGEST_CAUSE: usize = 1000;

/// Publishes a delivery to the dead letters, and takes it off its queue when that is confirmed.
/// It does so to the end even when the caller is cancelled.
pub(super) async fn bury(
    publisher: &Arc<Publisher>,
    queue: &str,
    delivery: Delivery,
    channel: Arc<SharedChannel>,
    cause: String,
) -> Result<(), BusError> {
    tracing::warn!(queue, cause, "a message becomes a dead letter");
    let buries = publisher.authority().buries();
    let (publisher, queue) = (publisher.clone(), queue.to_owned());
    let buried = tokio::spawn(async move {
        if !buries {
            // The broker makes it a dead letter, without the cause, which is in the log here.
            channel.refuse(&delivery, &queue).await;
            return Ok(());
        }
        let letter = Letter {
            properties: &delivery.properties,
            queue: &queue,
            cause,
            deliveries: deliveries(&delivery.properties),
        };
        let outgoing = letter.outgoing(delivery.data.clone());
        if let Err(error) = publisher.publish(outgoing).await {
            channel.requeue(&delivery).await;
            return Err(error);
        }
        // Where the channel is gone the letter comes a second time.
        channel.acknowledge(&delivery, &queue).await;
        Ok(())
    });
    // Only a runtime that shuts down gives up a task.
    buried.await.map_err(|_| BusError::Closed)?
}

/// A message on its way to the dead letters.
pub(super) struct Letter<'a> {
    /// What it carries beside its body.
    pub(super) properties: &'a BasicProperties,
    /// The queue that it was in, or was meant for.
    pub(super) queue: &'a str,
    pub(super) cause: String,
    pub(super) deliveries: u64,
}

impl Letter<'_> {
    pub(super) fn outgoing(self, body: Vec<u8>) -> Outgoing {
        let properties = self.properties;
        // Without those of the message: with these beside them they might be too many for the
        // broker, every time.
        let mut headers = FieldTable::default();
        let mut set = |name: &str, text: String| {
            headers.insert(name.into(), AMQPValue::LongString(text.into()));
        };
        let cause = self.cause.chars().take(LONGEST_CAUSE).collect();
        set(CAUSE, cause);
        set(QUEUE, self.queue.to_owned());
        set(TIME, Timestamp::now().to_string());
        if let Some(user) = properties.user_id() {
            set(USER, user.to_string());
        }
        let deliveries = i64::try_from(self.deliveries).unwrap_or(i64::MAX);
        headers.insert(DELIVERIES.into(), AMQPValue::LongLongInt(deliveries));
        let kind = properties.kind().as_ref();
        // The exchange has no use for it, so a name that is longer than AMQP allows is no obstacle.
        let routing_key =
            short(self.queue).map_or_else(|_| String::new(), |_| self.queue.to_owned());
        Outgoing {
            exchange: DEAD_LETTERS,
            sent: Sent::DeadLetter,
            routing_key,
            kind: kind.map_or("a message", |kind| kind.as_str()).to_owned(),
            properties: kept(properties).with_headers(headers),
            body,
        }
    }
}

/// What a dead letter keeps of the properties, and goes back with. It does not expire.
pub(super) fn kept(original: &BasicProperties) -> BasicProperties {
    let mut kept = BasicProperties::default();
    if let Some(content_type) = original.content_type() {
        kept = kept.with_content_type(content_type.clone());
    }
    if let Some(id) = original.message_id() {
        kept = kept.with_message_id(id.clone());
    }
    if let Some(kind) = original.kind() {
        kept = kept.with_type(kind.clone());
    }
    if let Some(timestamp) = original.timestamp() {
        kept = kept.with_timestamp(*timestamp);
    }
    kept
}
