//! What one message costs from its sender to its reader, without anything of this project.

use std::error::Error;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer};

const QUEUE: &str = "hops";
/// About as long as a command to build.
const BODY: [u8; 1000] = [b'x'; 1000];
/// How long everybody is idle between two of them, as between two jobs.
const IDLE: Duration = Duration::from_millis(20);

/// A queue as those of commands are, with a sender and a reader of their own connections.
pub(crate) struct Hops {
    sender: Channel,
    reader: Consumer,
    connections: [Connection; 2],
}

impl Hops {
    pub(crate) async fn open(url: &str) -> Result<Self, Box<dyn Error>> {
        let sending = Connection::connect(url, ConnectionProperties::default()).await?;
        let reading = Connection::connect(url, ConnectionProperties::default()).await?;
        let sender = sending.create_channel().await?;
        sender
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        let mut arguments = FieldTable::default();
        let quorum = AMQPValue::LongString("quorum".into());
        arguments.insert("x-queue-type".into(), quorum);
        let durable = QueueDeclareOptions::durable();
        sender
            .queue_declare(QUEUE.into(), durable, arguments)
            .await?;
        let channel = reading.create_channel().await?;
        channel.basic_qos(1, BasicQosOptions::default()).await?;
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let consuming = channel.basic_consume(QUEUE.into(), "".into(), options, none);
        Ok(Self {
            reader: consuming.await?,
            sender,
            connections: [sending, reading],
        })
    }

    /// From before the publish to the delivery, in milliseconds, so many times.
    pub(crate) async fn measure(&mut self, times: usize) -> Result<Vec<f64>, Box<dyn Error>> {
        let mut taken = Vec::with_capacity(times);
        for _ in 0..times {
            let begun = Instant::now();
            let properties = BasicProperties::default().with_delivery_mode(2);
            let options = BasicPublishOptions::default();
            let (exchange, key) = ("".into(), QUEUE.into());
            let sent = self
                .sender
                .basic_publish(exchange, key, options, &BODY, properties);
            let confirm = sent.await?;
            let delivery = self.reader.next().await.ok_or("the reader has ended")??;
            taken.push(begun.elapsed().as_secs_f64() * 1e3);
            match confirm.await? {
                Confirmation::Ack(None) => {}
                other => return Err(format!("not confirmed: {other:?}").into()),
            }
            if !delivery.acker.ack(BasicAckOptions::default()).await? {
                return Err("not acknowledged".into());
            }
            tokio::time::sleep(IDLE).await;
        }
        Ok(taken)
    }

    pub(crate) async fn close(self) -> Result<(), Box<dyn Error>> {
        for connection in self.connections {
            connection.close(200, "".into()).await?;
        }
        Ok(())
    }
}
