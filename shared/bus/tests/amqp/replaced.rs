//! A history that is deleted, and whether a reader takes another one for it.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use gentoo_updater_bus::amqp::{Amqp, BrokerSettings};
use gentoo_updater_bus::topology::HISTORY;
use gentoo_updater_bus::{Bus, BusError, History, Position};
use gentoo_updater_fleet::name::{EventId, RunId};
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Confirmation};

use crate::support::messages::{run_requested, within};
use crate::support::*;

/// A reader that has read so many events, from offset 0 on.
async fn reader_of(bus: &dyn Bus, count: usize) -> Box<dyn History> {
    let mut history = bus.history(Position::First).await.unwrap();
    for _ in 0..count {
        within(history.next()).await.unwrap();
    }
    history
}

/// What was on its way before may still come, and nothing else.
async fn ends_as_replaced(history: &mut dyn History, old: &[EventId]) {
    let error = loop {
        match within(history.next()).await {
            Ok(item) => assert!(old.contains(&item.event.unwrap().id)),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&error, BusError::Replaced { name } if name == HISTORY),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_told_that_the_history_was_deleted() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let old = published(&bus, 3).await;
    let mut history = reader_of(&bus, 3).await;
    vhost.delete_queue(HISTORY);
    ends_as_replaced(history.as_mut(), &old).await;
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_tells_a_new_history_from_the_one_that_it_has_read() {
    let vhost = Broker::shared().vhost();
    // The broker does not tell each of them that its consumer has ended; silence does.
    let settings = BrokerSettings {
        quiet: Duration::from_secs(1),
        ..settings(vhost.url())
    };
    let bus = within(Amqp::open(settings)).await.unwrap();
    let old = published(&bus, 4).await;
    // Nobody polls them meanwhile, so they come too late to find none.
    let mut histories = Vec::new();
    for read in [1, 2, 3] {
        histories.push(reader_of(&bus, read).await);
    }
    vhost.delete_queue(HISTORY);
    let other = open(&vhost).await;
    // The new one ends before the place where a reader goes on, there, and behind it.
    for mut history in histories {
        published(&other, 2).await;
        ends_as_replaced(history.as_mut(), &old).await;
    }
    bus.close().await;
    other.close().await;
}

/// More events than a reader remembers.
const LONG: usize = 20_000;

/// As many at once as there can be, which makes large chunks, into the history and into no queue of
/// the planner, which would be slower by far.
async fn written_at_once(vhost: &Vhost, count: usize) {
    let (connection, channel) = raw(vhost).await;
    let writing = (0..count).map(|_| {
        let event = run_requested(RunId::generate());
        let properties = BasicProperties::default().with_message_id(event.id.to_string().into());
        let (channel, body) = (&channel, event.encode().unwrap());
        async move {
            let options = BasicPublishOptions::default();
            let published =
                channel.basic_publish("".into(), HISTORY.into(), options, &body, properties);
            published.await.unwrap().await.unwrap()
        }
    });
    let confirmed: Vec<_> = within(writing.collect::<FuturesUnordered<_>>().collect()).await;
    assert!(
        confirmed
            .iter()
            .all(|confirmed| *confirmed == Confirmation::Ack(None))
    );
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_a_long_history_knows_it_again_after_every_cut() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    written_at_once(&vhost, LONG).await;
    let mut history = reader_of(&bus, LONG).await;
    for _ in 0..3 {
        vhost.cut_connections(2);
        let id = published(&bus, 1).await[0];
        let item = within(history.next()).await.unwrap();
        assert_eq!(item.event.unwrap().id, id);
    }
    bus.close().await;
}
