//! What the tests against a real broker share.

#[path = "../../../src/testing.rs"]
#[allow(dead_code)]
pub(crate) mod messages;

mod worker;

pub(crate) use gentoo_updater_test_broker::{Broker, Vhost, free_port};
pub(crate) use worker::{Slow, scanner};

use std::time::Duration;

use crate::support::messages::{run_requested, within};
use futures_util::StreamExt;
use gentoo_updater_bus::amqp::{Amqp, BrokerSettings, QUIET};
use gentoo_updater_bus::topology::{SCAN, Topology};
use gentoo_updater_bus::{Bus, Position};
use gentoo_updater_fleet::name::{EventId, RunId};
use lapin::PublisherConfirm;
use lapin::message::BasicGetMessage;
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

pub(crate) fn settings(url: String) -> BrokerSettings {
    let topology = Topology {
        guests: ["g1".parse().unwrap()].into(),
        builders: ["b1".parse().unwrap()].into(),
        platforms: ["amd64".parse().unwrap()].into(),
        ..Topology::default()
    };
    BrokerSettings {
        url,
        ca: None,
        name: "test".to_owned(),
        topology,
        users: None,
        quiet: QUIET,
    }
}

pub(crate) async fn open(vhost: &Vhost) -> Amqp {
    within(Amqp::open(settings(vhost.url()))).await.unwrap()
}

pub(crate) fn scan_queue() -> Vec<String> {
    vec![SCAN.to_owned()]
}

/// A channel beside the bus, to see what the bus does and to send what it would not.
pub(crate) async fn raw(vhost: &Vhost) -> (Connection, Channel) {
    let connection = Connection::connect(&vhost.url(), ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    (connection, channel)
}

pub(crate) async fn send_raw(channel: &Channel, exchange: &str, key: &str, body: &[u8]) {
    let confirm = send_raw_unconfirmed(channel, exchange, key, body).await;
    assert_eq!(confirm.await.unwrap(), lapin::Confirmation::Ack(None));
}

pub(crate) async fn send_raw_unconfirmed(
    channel: &Channel,
    exchange: &str,
    key: &str,
    body: &[u8],
) -> PublisherConfirm {
    let properties = BasicProperties::default()
        .with_type("Nonsense".into())
        .with_delivery_mode(2);
    let options = BasicPublishOptions {
        mandatory: true,
        ..Default::default()
    };
    let published = channel
        .basic_publish(exchange.into(), key.into(), options, body, properties)
        .await;
    published.unwrap()
}

pub(crate) async fn get(channel: &Channel, queue: &str) -> Option<BasicGetMessage> {
    let options = BasicGetOptions { no_ack: true };
    channel.basic_get(queue.into(), options).await.unwrap()
}

/// A quorum queue shows a message some moments after it was confirmed.
pub(crate) async fn get_soon(channel: &Channel, queue: &str) -> BasicGetMessage {
    within(async {
        loop {
            if let Some(message) = get(channel, queue).await {
                return message;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

pub(crate) fn header(message: &BasicGetMessage, name: &str) -> String {
    let headers = message.properties.headers().clone().unwrap();
    headers.inner()[name].as_long_string().unwrap().to_string()
}

/// Ready messages and consumers of a queue.
pub(crate) async fn counts(channel: &Channel, queue: &str) -> (u32, u32) {
    let options = QueueDeclareOptions::durable().passive();
    let declared = channel.queue_declare(queue.into(), options, FieldTable::default());
    let queue = declared.await.unwrap();
    (queue.message_count(), queue.consumer_count())
}

/// Waits until a queue has so many ready messages and consumers.
pub(crate) async fn wait_for_counts(channel: &Channel, queue: &str, expected: (u32, u32)) {
    within(async {
        while counts(channel, queue).await != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Whether a future is still pending after the broker had time to answer.
pub(crate) async fn stays_pending<T>(what: impl Future<Output = T>) {
    let ended = tokio::time::timeout(Duration::from_millis(500), what).await;
    assert!(ended.is_err(), "this was to wait");
}

pub(crate) async fn published(bus: &Amqp, count: usize) -> Vec<EventId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let event = run_requested(RunId::generate());
        within(bus.publish(&event)).await.unwrap();
        ids.push(event.id);
    }
    ids
}

pub(crate) async fn history_of(bus: &Amqp, from: Position, count: usize) -> Vec<EventId> {
    let mut history = bus.history(from).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(within(history.next()).await.unwrap().event.unwrap().id);
    }
    ids
}

/// The offset of the oldest message of a stream that holds one. A broker that trims the stream just
/// then ends the connection with an internal error; any reader asks again.
pub(crate) async fn first_offset(vhost: &Vhost, stream: &str) -> i64 {
    loop {
        let (connection, channel) = raw(vhost).await;
        let read = oldest(&channel, stream).await;
        // It may have ended with the error.
        let _ = connection.close(200, "".into()).await;
        match read {
            Ok(offset) => return offset,
            Err(error) => assert!(error.to_string().contains("INTERNAL_ERROR"), "{error}"),
        }
    }
}

async fn oldest(channel: &Channel, stream: &str) -> Result<i64, lapin::Error> {
    channel.basic_qos(10, BasicQosOptions::default()).await?;
    let mut arguments = FieldTable::default();
    let first = AMQPValue::LongString("first".into());
    arguments.insert("x-stream-offset".into(), first);
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(stream.into(), "".into(), options, arguments);
    let message = consumer.await?.next().await.unwrap()?;
    let headers = message.properties.headers().clone().unwrap();
    match headers.inner()["x-stream-offset"] {
        AMQPValue::LongLongInt(offset) => Ok(offset),
        ref other => panic!("{other:?} is no offset"),
    }
}
