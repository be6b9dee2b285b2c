//! Messages that no worker of this project would write.

use lapin::options::{BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

use crate::fixtures::Broker;

/// A message of the queue of dead letters.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Its body.
    pub body: String,
    /// Why it is one; empty when nobody said so.
    pub cause: String,
}

/// Publishes a body to an exchange, whatever it is.
pub fn publish_raw(broker: &Broker, exchange: &str, routing_key: &str, body: &str) {
    let (exchange, routing_key) = (exchange.to_owned(), routing_key.to_owned());
    let body = body.to_owned();
    broker.reach(move |url| async move {
        let (connection, channel) = open(&url).await;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .expect("confirms");
        channel
            .basic_publish(
                exchange.as_str().into(),
                routing_key.as_str().into(),
                BasicPublishOptions::default(),
                body.as_bytes(),
                BasicProperties::default().with_delivery_mode(2),
            )
            .await
            .expect("a message is published")
            .await
            .expect("a message is confirmed");
        connection.close(200, "done".into()).await.expect("closed");
    });
}

/// Takes everything out of the queue of dead letters.
pub fn dead_letters(broker: &Broker) -> Vec<DeadLetter> {
    broker.reach(|url| async move {
        let (connection, channel) = open(&url).await;
        let mut letters = Vec::new();
        while let Some(message) = channel
            .basic_get("dead".into(), BasicGetOptions::default())
            .await
            .expect("the queue of dead letters")
        {
            letters.push(DeadLetter {
                body: String::from_utf8_lossy(&message.delivery.data).into_owned(),
                cause: cause_of(&message.delivery.properties),
            });
            message
                .delivery
                .ack(BasicAckOptions::default())
                .await
                .expect("acknowledged");
        }
        connection.close(200, "done".into()).await.expect("closed");
        letters
    })
}

fn cause_of(properties: &BasicProperties) -> String {
    let headers = properties.headers().as_ref();
    match headers.and_then(|headers| headers.inner().get("cause")) {
        Some(AMQPValue::LongString(cause)) => cause.to_string(),
        _ => String::new(),
    }
}

async fn open(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default())
        .await
        .expect("the broker of this test");
    let channel = connection.create_channel().await.expect("a channel");
    (connection, channel)
}
