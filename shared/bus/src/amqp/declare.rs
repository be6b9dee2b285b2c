//! Saying the topology to the broker.

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind as LapinKind};
use tokio::time::timeout;

use super::fault::{Fault, PRECONDITION_FAILED, reply_code, short};
use crate::seam::BusError;
use crate::topology::{Argument, ExchangeKind, QueueDeclaration, Topology};

/// How long the broker may take for one declaration. A quorum queue waits for its members.
const LIMIT: Duration = Duration::from_secs(30);

/// Declares everything. What exists already with the same properties stays as it is.
pub(super) async fn declare(channel: &Channel, topology: &Topology) -> Result<(), Fault> {
    for (name, kind) in topology.exchanges() {
        let kind = match kind {
            ExchangeKind::Topic => LapinKind::Topic,
            ExchangeKind::Direct => LapinKind::Direct,
            ExchangeKind::Fanout => LapinKind::Fanout,
        };
        let options = ExchangeDeclareOptions {
            durable: true,
            ..Default::default()
        };
        let declared = channel.exchange_declare(short(name)?, kind, options, FieldTable::default());
        limited(name, declared).await?;
    }
    for queue in topology.queues() {
        declare_queue(channel, &queue).await?;
    }
    Ok(())
}

/// Declares one queue with its bindings.
pub(super) async fn declare_queue(
    channel: &Channel,
    queue: &QueueDeclaration,
) -> Result<(), Fault> {
    let name = short(&queue.name)?;
    let mut arguments = FieldTable::default();
    for (key, value) in &queue.arguments {
        let value = match value {
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
            Argument::Flag(flag) => AMQPValue::Boolean(*flag),
        };
        arguments.insert(short(key)?, value);
    }
    let options = QueueDeclareOptions::durable();
    limited(
        &queue.name,
        channel.queue_declare(name.clone(), options, arguments),
    )
    .await?;
    for (exchange, key) in &queue.bindings {
        let bound = channel.queue_bind(
            name.clone(),
            short(exchange)?,
            short(key)?,
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        limited(&queue.name, bound).await?;
    }
    Ok(())
}

async fn limited<T>(
    name: &str,
    declared: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Fault> {
    let declared = timeout(LIMIT, declared).await;
    let declared = declared.map_err(|_| Fault::slow(&format!("declaring {name}"), LIMIT))?;
    declared.map_err(|error| {
        if reply_code(&error) == Some(PRECONDITION_FAILED) {
            let (name, detail) = (name.to_owned(), error.to_string());
            return Fault::Fatal(BusError::DeclaredOtherwise { name, detail });
        }
        error.into()
    })
}
