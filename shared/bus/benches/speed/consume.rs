//! Taking commands and acknowledging them, one at a time.

use std::error::Error;
use std::sync::Arc;

use futures_util::StreamExt;
use gentoo_updater_bus::Bus;
use gentoo_updater_fleet::name::RunId;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;

use crate::handing::fill;
use crate::support::messages::scan_command;
use crate::support::{Broker, open, raw};
use crate::table::Table;
use crate::turns::{ALL_MESSAGES, compare};

/// Two queues that are declared alike.
const QUEUES: [&str; 2] = ["install.g1", "clean.b1"];

pub(crate) async fn measure(broker: &Arc<Broker>, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let vhost = broker.vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    let body = scan_command(RunId::generate(), 1).encode()?;
    for queue in QUEUES {
        fill(&channel, queue, &body, ALL_MESSAGES).await?;
    }
    let [ours, theirs] = QUEUES;
    let mut commands = bus.commands(&[ours.to_owned()]).await?;
    let through_the_bus = async || {
        let delivery = commands.next().await?;
        Ok(delivery.settle.ack().await?)
    };
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let consuming = channel.basic_consume(theirs.into(), "".into(), options, none);
    let mut consumer = consuming.await?;
    let bare = async || {
        let delivery = consumer.next().await.ok_or("the consumer has ended")??;
        match delivery.acker.ack(BasicAckOptions::default()).await? {
            true => Ok(()),
            false => Err("not acknowledged".into()),
        }
    };
    compare(table, "take and acknowledge", through_the_bus, bare).await?;
    drop(commands);
    bus.close().await;
    connection.close(200, "".into()).await?;
    Ok(())
}
