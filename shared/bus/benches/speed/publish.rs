//! Publishing with confirms, one message at a time.

use std::error::Error;
use std::sync::Arc;

use gentoo_updater_bus::Bus;
use gentoo_updater_bus::topology::{EVENTS, routing_key};
use gentoo_updater_fleet::name::RunId;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Confirmation};

use crate::support::messages::run_requested;
use crate::support::{Broker, open, raw};
use crate::table::Table;
use crate::turns::compare;

pub(crate) async fn measure(broker: &Arc<Broker>, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let vhost = broker.vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    let event = run_requested(RunId::generate());
    let (key, body) = (routing_key(&event), event.encode()?);
    let through_the_bus = async || Ok(bus.publish(&event).await?);
    let bare = async || {
        let options = BasicPublishOptions {
            mandatory: true,
            ..Default::default()
        };
        let (exchange, key) = (EVENTS.into(), key.as_str().into());
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_message_id(event.id.to_string().into())
            .with_type(event.message.kind().into())
            .with_user_id("guest".into())
            .with_delivery_mode(2);
        let sent = channel.basic_publish(exchange, key, options, &body, properties);
        match sent.await?.await? {
            Confirmation::Ack(None) => Ok(()),
            other => Err(format!("not confirmed: {other:?}").into()),
        }
    };
    compare(table, "publish and confirm", through_the_bus, bare).await?;
    bus.close().await;
    connection.close(200, "".into()).await?;
    Ok(())
}
