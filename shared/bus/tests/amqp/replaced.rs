//! A history that is deleted, and whether a reader takes another one for it.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use gentoo_updater_bus::amqp::{Amqp, BrokerSettings};
use gentoo_updater_bus::topology::HISTORY;
use gentoo_updater_bus::{Bus, BusError, History, Position};
use gentoo_updater_fleet::name::{EventId, RunId};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_a_long_history_knows_it_again_after_every_cut() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    // As many at once as there can be: they make large chunks.
    let events: Vec<_> = (0..20_000)
        .map(|_| run_requested(RunId::generate()))
        .collect();
    let publishing: FuturesUnordered<_> = events.iter().map(|event| bus.publish(event)).collect();
    let confirmed: Vec<_> = within(publishing.collect()).await;
    assert!(confirmed.iter().all(Result::is_ok));
    let mut history = reader_of(&bus, events.len()).await;
    for _ in 0..3 {
        vhost.cut_connections(2);
        let id = published(&bus, 1).await[0];
        let item = within(history.next()).await.unwrap();
        assert_eq!(item.event.unwrap().id, id);
    }
    bus.close().await;
}
