//! Headers that a sender puts into a message, and that mean something to the broker.

use gentoo_updater_bus::topology::{DEAD, EVENTS, SCAN};
use gentoo_updater_bus::{Bus, Position};
use gentoo_updater_fleet::name::RunId;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldArray, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation};

use crate::support::messages::{run_requested, scan_command, within};
use crate::support::*;

async fn send_event(channel: &Channel, header: &str, value: AMQPValue, body: &[u8]) {
    let mut headers = FieldTable::default();
    headers.insert(header.into(), value);
    let published = channel
        .basic_publish(
            EVENTS.into(),
            "event.RunRequested.none".into(),
            BasicPublishOptions::default(),
            body,
            BasicProperties::default().with_headers(headers),
        )
        .await;
    assert_eq!(published.unwrap().await.unwrap(), Confirmation::Ack(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_goes_nowhere_else_whatever_its_copy_headers_say() {
    for header in ["CC", "BCC"] {
        let vhost = Broker::shared().vhost();
        let bus = open(&vhost).await;
        let (connection, channel) = raw(&vhost).await;
        // No binding of the events has this key. Whoever buries the message publishes it again,
        // under a name that every worker believes.
        let keys = FieldArray::from(vec![AMQPValue::LongString(SCAN.into())]);
        let order = scan_command(RunId::generate(), 1).encode().unwrap();
        send_event(&channel, header, AMQPValue::FieldArray(keys), &order).await;
        let good = run_requested(RunId::generate());
        bus.publish(&good).await.unwrap();
        let mut wakeups = bus.wakeups().await.unwrap();
        assert_eq!(within(wakeups.next()).await.unwrap().event, good);
        assert_eq!(get_soon(&channel, DEAD).await.delivery.data, order);
        let mut commands = bus.commands(&scan_queue()).await.unwrap();
        stays_pending(commands.next()).await;
        bus.close().await;
        connection.close(200, "".into()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_that_a_sender_claims_is_not_believed() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    let (forged, good) = (
        run_requested(RunId::generate()),
        run_requested(RunId::generate()),
    );
    // A reader that believed it would look for the next event behind all that there are.
    let offset = AMQPValue::LongLongInt(1_000_000);
    let body = forged.encode().unwrap();
    send_event(&channel, "x-stream-offset", offset, &body).await;
    bus.publish(&good).await.unwrap();
    let mut history = bus.history(Position::First).await.unwrap();
    let first = within(history.next()).await.unwrap();
    let second = within(history.next()).await.unwrap();
    assert_eq!(first.event.unwrap(), forged);
    assert_eq!(second.event.unwrap(), good);
    assert!(first.offset < second.offset && second.offset < 1_000);
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}
