//! Dead letters: what cannot be decoded or is refused, as it was, with its cause.

use std::sync::Arc;

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use lapin::types::{AMQPValue, FieldTable};

use super::headers::deliveries;
use super::publisher::{Outgoing, Publisher};
use super::session::Lease;
use crate::seam::BusError;
use crate::topology::DEAD_LETTERS;

/// The headers that a dead letter gets.
pub(super) const CAUSE: &str = "cause";
pub(super) const QUEUE: &str = "queue";
pub(super) const TIME: &str = "time";
pub(super) const USER: &str = "user";
pub(super) const DELIVERIES: &str = "deliveries";

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
    let (publisher, queue) = (publisher.clone(), queue.to_owned());
    let buried = tokio::spawn(async move {
        let Delivery {
            data,
            properties,
            acker,
            ..
        } = delivery;
        let mut headers: FieldTable = properties.headers().clone().unwrap_or_default();
        add_headers(&mut headers, cause, &queue);
        if let Some(user) = properties.user_id() {
            let user = AMQPValue::LongString(user.to_string().into());
            headers.insert(USER.into(), user);
        }
        let count = i64::try_from(deliveries(&properties)).unwrap_or(i64::MAX);
        headers.insert(DELIVERIES.into(), AMQPValue::LongLongInt(count));
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

/// Publishes to the dead letters what lies in no queue.
pub(super) async fn bury_new(
    publisher: &Publisher,
    queue: &str,
    kind: &str,
    properties: BasicProperties,
    body: Vec<u8>,
    cause: String,
) -> Result<(), BusError> {
    tracing::warn!(queue, cause, "a message becomes a dead letter");
    let mut headers = FieldTable::default();
    add_headers(&mut headers, cause, queue);
    let outgoing = Outgoing {
        exchange: DEAD_LETTERS,
        routing_key: queue.to_owned(),
        kind: kind.to_owned(),
        properties: properties.with_headers(headers),
        body,
    };
    publisher.publish(outgoing).await
}

/// Says why, from where and when.
fn add_headers(headers: &mut FieldTable, cause: String, queue: &str) {
    let time = Timestamp::now().to_string();
    for (name, text) in [(CAUSE, cause), (QUEUE, queue.to_owned()), (TIME, time)] {
        headers.insert(name.into(), AMQPValue::LongString(text.into()));
    }
}

/// What a dead letter keeps of the properties, and gets back with. It does not expire.
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
