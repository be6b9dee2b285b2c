//! How soon an idle worker has its command out of a long queue.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use gentoo_updater_bus::Bus;
use gentoo_updater_bus::topology::{COMMANDS, SCAN};
use gentoo_updater_fleet::name::RunId;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection};

use crate::quantile::quantile;
use crate::support::messages::scan_command;
use crate::support::{Broker, open, raw, scan_queue};
use crate::table::{Limit, Table};

/// How many commands wait.
const QUEUED: usize = 100_000;
/// How often a worker asks for one.
const ASKED: usize = 500;
/// What it may take in 99 of 100 cases, in milliseconds.
const LIMIT: f64 = 20.0;
/// How long the worker is idle between two commands.
const IDLE: Duration = Duration::from_millis(20);
/// How many messages are under way at once while a queue is filled.
const WINDOW: usize = 256;

pub(crate) async fn measure(broker: &Arc<Broker>, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let vhost = broker.vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    let body = scan_command(RunId::generate(), 1).encode()?;
    fill(&channel, SCAN, &body, QUEUED).await?;
    let mut commands = bus.commands(&scan_queue()).await?;
    let (mut with_bus, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ASKED {
        let start = Instant::now();
        let delivery = commands.next().await?;
        with_bus.push(start.elapsed().as_secs_f64() * 1e3);
        // As a worker does whose only slot is taken.
        commands.rest().await;
        delivery.settle.ack().await?;
        tokio::time::sleep(IDLE).await;
        without.push(ask_bare(&connection).await?.as_secs_f64() * 1e3);
        tokio::time::sleep(IDLE).await;
    }
    table.show(
        "a command out of 100,000, with a new consumer",
        quantile(&mut with_bus, 0.5),
        "ms",
    );
    table.check(
        "  99 of 100 times",
        quantile(&mut with_bus, 0.99),
        "ms",
        Limit::Below(LIMIT),
    );
    table.show(
        "  99 of 100 times, bare lapin",
        quantile(&mut without, 0.99),
        "ms",
    );
    drop(commands);
    bus.close().await;
    connection.close(200, "".into()).await?;
    Ok(())
}

/// How long it takes without the bus. What is slow here too, the broker or its disk is.
async fn ask_bare(connection: &Connection) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    let channel = connection.create_channel().await?;
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let consuming = channel.basic_consume(SCAN.into(), "".into(), options, none);
    let mut consumer = consuming.await?;
    let delivery = consumer.next().await.ok_or("the consumer has ended")??;
    let taken = start.elapsed();
    channel
        .basic_cancel(consumer.tag(), BasicCancelOptions::default())
        .await?;
    delivery.acker.ack(BasicAckOptions::default()).await?;
    channel.close(200, "".into()).await?;
    Ok(taken)
}

/// Puts so many messages into a queue of commands.
pub(crate) async fn fill(
    channel: &Channel,
    queue: &str,
    body: &[u8],
    messages: usize,
) -> Result<(), Box<dyn Error>> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..Default::default()
    };
    let mut left = messages;
    while left > 0 {
        let window = left.min(WINDOW);
        let mut confirms = Vec::with_capacity(window);
        for _ in 0..window {
            let properties = BasicProperties::default().with_delivery_mode(2);
            let (exchange, key) = (COMMANDS.into(), queue.into());
            let sent = channel.basic_publish(exchange, key, options, body, properties);
            confirms.push(sent.await?);
        }
        for confirm in confirms {
            match confirm.await? {
                Confirmation::Ack(None) => {}
                other => return Err(format!("{queue} was not filled: {other:?}").into()),
            }
        }
        left -= window;
    }
    Ok(())
}
