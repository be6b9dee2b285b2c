//! Dead letters: what cannot be decoded or is refused, as it was, with its cause.

use std::sync::Arc;

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicRejectOptions};
use lapin::types::{AMQPValue, FieldTable};

use super::publisher::{Outgoing, Publisher};
use super::session::Lease;
use crate::seam::BusError;
use crate::topology::DEAD_LETTERS;

/// The headers that a dead letter gets.
const CAUSE: &str = "cause";
const QUEUE: &str = "queue";
const TIME: &str = "time";
const USER: &str = "user";

/// Publishes a delivery to the dead letters, and takes it off its queue when that is confirmed.
/// It does so to the end even when the caller is cancelled; `channel` is kept open until then.
pub(super) async fn bury(
    publisher: &Arc<Publisher>,
    queue: &str,
    delivery: Delivery,
    channel: Option<Lease>,
    cause: String,
) -> Result<(), BusError> {
    tracing::warn!(queue, cause, "a message becomes a dead letter");
    if !publisher.authority().buries() {
        // The broker makes it a dead letter, without the cause, which is in the log here.
        let refused = delivery.acker.reject(BasicRejectOptions { requeue: false });
        if !refused.await.unwrap_or(false) {
            tracing::debug!(queue, "the channel is gone; the message comes again");
        }
        drop(channel);
        return Ok(());
    }
    let (publisher, queue) = (publisher.clone(), queue.to_owned());
    let buried = tokio::spawn(async move {
        let Delivery {
            data,
            properties,
            acker,
            ..
        } = delivery;
        let mut headers: FieldTable = properties.headers().clone().unwrap_or_default();
        let mut set = |name: &str, text: String| {
            headers.insert(name.into(), AMQPValue::LongString(text.into()));
        };
        set(CAUSE, cause);
        set(QUEUE, queue.clone());
        set(TIME, Timestamp::now().to_string());
        if let Some(user) = properties.user_id() {
            set(USER, user.to_string());
        }
        let kind = properties
            .kind()
            .as_ref()
            .map_or("a message", |kind| kind.as_str());
        let outgoing = Outgoing {
            exchange: DEAD_LETTERS,
            routing_key: queue,
            kind: kind.to_owned(),
            properties: kept(&properties).with_headers(headers),
            body: data,
        };
        publisher.publish(outgoing).await?;
        // On a dead channel this does nothing, and the letter comes a second time.
        if !acker.ack(BasicAckOptions::default()).await.unwrap_or(false) {
            tracing::debug!("the channel of a dead letter is gone");
        }
        drop(channel);
        Ok(())
    });
    // Only a runtime that shuts down gives up a task.
    buried.await.map_err(|_| BusError::Closed)?
}

/// What a dead letter keeps of the properties. It does not expire.
fn kept(original: &BasicProperties) -> BasicProperties {
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
