//! What an operator sees of queues and dead letters, and does with them.

use std::collections::BTreeSet;
use std::time::Duration;

use gentoo_updater_bus::amqp::Amqp;
use gentoo_updater_bus::topology::{
    COMMANDS, DEAD, DEAD_LETTERS, EVENTS, HISTORY, PLAN, SCAN, SNAPSHOTS,
};
use gentoo_updater_bus::{Bus, BusError, DeadLetter, Inspect, LetterId, Position, Retried};
use gentoo_updater_fleet::name::RunId;
use lapin::Channel;
use lapin::options::{BasicGetOptions, BasicRejectOptions};

use crate::support::messages::{run_requested, scan_command, within};
use crate::support::*;

async fn looked_at(bus: &Amqp, count: usize) -> Vec<DeadLetter> {
    within(async {
        loop {
            let letters = bus.dead_letters(usize::MAX).await.unwrap();
            if letters.len() == count {
                return letters;
            }
            assert!(letters.len() < count, "{} are too many", letters.len());
        }
    })
    .await
}

fn ids(letters: &[DeadLetter]) -> BTreeSet<LetterId> {
    letters.iter().map(|letter| letter.id.clone()).collect()
}

/// Refuses a command without a word, as a broken reader would.
async fn reject_raw(channel: &Channel, queue: &str) {
    let message = within(async {
        loop {
            let options = BasicGetOptions::default();
            let got = channel.basic_get(queue.into(), options).await.unwrap();
            if let Some(message) = got {
                return message;
            }
        }
    })
    .await;
    let options = BasicRejectOptions { requeue: false };
    message.delivery.acker.reject(options).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_the_dead_letters_says_all_about_them_and_changes_nothing() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    assert_eq!(within(bus.dead_letters(10)).await.unwrap(), []);
    let (connection, channel) = raw(&vhost).await;
    let command = scan_command(RunId::generate(), 1);
    bus.issue(SCAN, &command).await.unwrap();
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    // Twice in vain, and the third time it is refused.
    for _ in 0..2 {
        drop(within(commands.next()).await.unwrap());
    }
    let delivery = within(commands.next()).await.unwrap();
    let refused = "its run is unknown".to_owned();
    delivery.settle.reject(refused.clone()).await.unwrap();
    drop(commands);
    let letters = looked_at(&bus, 1).await;
    reject_raw_of(&bus, &channel, "install.g1").await;
    let both = looked_at(&bus, 2).await;
    assert_eq!(both[0], letters[0], "a look changes nothing");
    assert_eq!(looked_at(&bus, 2).await, both);
    assert_eq!(within(bus.dead_letters(1)).await.unwrap(), both[..1]);
    assert_eq!(looked_at(&bus, 2).await, both);
    let depth = within(bus.queue(DEAD)).await.unwrap().unwrap();
    assert_eq!((depth.ready, depth.consumers), (2, Some(0)));

    let [by_worker, by_broker] = both.try_into().unwrap();
    assert_eq!(by_worker.body, command.encode().unwrap());
    assert_eq!((by_worker.queue.as_str(), by_worker.cause), (SCAN, refused));
    assert_eq!(by_worker.deliveries, Some(3));
    assert_eq!(by_worker.user.as_deref(), Some("guest"));
    assert_eq!(by_worker.buried_by.as_deref(), Some("guest"));
    assert_eq!(by_broker.queue, "install.g1");
    assert!(by_broker.cause.contains("refused"), "{}", by_broker.cause);
    assert_eq!(by_broker.user.as_deref(), Some("guest"));
    assert_eq!(by_broker.buried_by, None);
    assert!(by_broker.at.as_second() >= by_worker.at.as_second());
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}

async fn reject_raw_of(bus: &Amqp, channel: &Channel, queue: &str) {
    let command = scan_command(RunId::generate(), 1);
    bus.issue(queue, &command).await.unwrap();
    reject_raw(channel, queue).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_dead_letters_keep_their_order_and_two_who_look_see_all_of_them() {
    let vhost = Broker::shared().vhost();
    let (one, other) = (open(&vhost).await, open(&vhost).await);
    let (connection, channel) = raw(&vhost).await;
    for number in 0..3000_u32 {
        send_raw_unconfirmed(&channel, DEAD_LETTERS, SCAN, &number.to_be_bytes()).await;
    }
    channel.wait_for_confirms().await.unwrap();
    let first = looked_at(&one, 3000).await;
    let numbers = first.iter().map(|letter| letter.body.as_slice());
    assert!(numbers.eq((0..3000_u32).map(u32::to_be_bytes)));
    let (a, b, c, d) = within(async {
        tokio::join!(
            one.dead_letters(usize::MAX),
            one.dead_letters(7),
            other.dead_letters(usize::MAX),
            other.dead_letters(usize::MAX),
        )
    })
    .await;
    assert!(a.unwrap() == first);
    assert!(b.unwrap() == first[..7]);
    assert!(c.unwrap() == first);
    assert!(d.unwrap() == first);
    // One of the middle.
    let dropped = [first[1500].id.clone()].into();
    let (done, again) =
        within(async { tokio::join!(one.drop_dead(&dropped), other.dead_letters(usize::MAX)) })
            .await;
    assert_eq!(done.unwrap(), [first[1500].id.clone()]);
    assert!(again.unwrap().len() >= 2999);
    let mut left = first.clone();
    left.remove(1500);
    assert!(looked_at(&other, 2999).await == left);
    tokio::join!(one.close(), other.close());
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_nobody_waits_for_any_more_gives_everything_back() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    for number in 0..500_u32 {
        send_raw_unconfirmed(&channel, DEAD_LETTERS, SCAN, &number.to_be_bytes()).await;
    }
    channel.wait_for_confirms().await.unwrap();
    let all = looked_at(&bus, 500).await;
    for milliseconds in 0..20 {
        let limit = std::time::Duration::from_millis(milliseconds);
        drop(tokio::time::timeout(limit, bus.dead_letters(usize::MAX)).await);
    }
    assert!(within(bus.dead_letters(usize::MAX)).await.unwrap() == all);
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_command_goes_back_to_its_queue_as_it_was() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    let command = scan_command(RunId::generate(), 1);
    bus.issue(SCAN, &command).await.unwrap();
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    let delivery = within(commands.next()).await.unwrap();
    delivery
        .settle
        .reject("by mistake".to_owned())
        .await
        .unwrap();
    reject_raw_of(&bus, &channel, "install.g1").await;
    let letters = looked_at(&bus, 2).await;
    let wanted = [letters[0].id.clone(), LetterId("0123456789ab".to_owned())].into();
    let retried = within(bus.retry_dead(&wanted)).await.unwrap();
    assert_eq!(retried.returned, [letters[0].id.clone()]);
    assert_eq!(retried.stayed, []);
    let delivery = within(commands.next()).await.unwrap();
    assert_eq!(delivery.command, command);
    delivery.settle.ack().await.unwrap();
    assert_eq!(looked_at(&bus, 1).await, letters[1..]);
    let retried = within(bus.retry_dead(&wanted)).await.unwrap();
    assert_eq!(retried, Retried::default());

    // The other comes from a queue that is gone by now; it is made again.
    vhost.delete_queue("install.g1");
    let retried = within(bus.retry_dead(&ids(&letters[1..]))).await.unwrap();
    assert_eq!(retried.returned, [letters[1].id.clone()]);
    let message = get_soon(&channel, "install.g1").await;
    assert_eq!(message.delivery.data, letters[1].body);
    assert_eq!(message.exchange.as_str(), COMMANDS);
    assert_eq!(*message.properties.delivery_mode(), Some(2));
    assert_eq!(looked_at(&bus, 0).await, []);
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_planner_buried_wakes_it_again_and_comes_into_no_history() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    let event = run_requested(RunId::generate());
    bus.publish(&event).await.unwrap();
    send_raw(&channel, EVENTS, "event.Nonsense.none", br#"{"v":7}"#).await;
    let mut wakeups = bus.wakeups().await.unwrap();
    let wakeup = within(wakeups.next()).await.unwrap();
    wakeup.settle.reject("a mood".to_owned()).await.unwrap();
    // The other one is buried while this waits.
    stays_pending(wakeups.next()).await;
    let letters = looked_at(&bus, 2).await;
    assert!(letters.iter().all(|letter| letter.queue == PLAN));
    let retried = within(bus.retry_dead(&ids(&letters))).await.unwrap();
    assert_eq!(retried.returned.len(), 2);
    let wakeup = within(wakeups.next()).await.unwrap();
    assert_eq!(wakeup.event, event);
    wakeup.settle.ack().await.unwrap();
    stays_pending(wakeups.next()).await;
    let letters = looked_at(&bus, 1).await;
    assert_eq!(letters[0].body, br#"{"v":7}"#);
    assert_eq!(within(bus.end()).await.unwrap(), Some(1));
    let mut history = bus.history(Position::First).await.unwrap();
    assert_eq!(within(history.next()).await.unwrap().event.unwrap(), event);
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_from_nowhere_cannot_go_back_and_stops_no_other() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    send_raw(&channel, DEAD_LETTERS, SCAN, b"one").await;
    send_raw(&channel, DEAD_LETTERS, HISTORY, b"another").await;
    let letters = looked_at(&bus, 2).await;
    let retried = within(bus.retry_dead(&ids(&letters))).await.unwrap();
    assert_eq!(retried.returned, [letters[0].id.clone()]);
    assert_eq!(retried.stayed.len(), 1);
    assert_eq!(retried.stayed[0].letter, letters[1].id);
    assert_eq!(retried.stayed[0].queue, HISTORY);
    assert_eq!(looked_at(&bus, 1).await, letters[1..]);
    assert_eq!(get_soon(&channel, SCAN).await.delivery.data, b"one");
    let done = within(bus.drop_dead(&ids(&letters))).await.unwrap();
    assert_eq!(done, [letters[1].id.clone()]);
    assert_eq!(looked_at(&bus, 0).await, []);
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_are_looked_at_and_purged_and_no_connection_is_harmed() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let mut alive = bus.alive().await.unwrap();
    stays_pending(alive.next()).await;
    for _ in 0..3 {
        let command = scan_command(RunId::generate(), 1);
        bus.issue(SCAN, &command).await.unwrap();
    }
    within(async {
        while bus.queue(SCAN).await.unwrap().unwrap().ready < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(within(bus.queue("build.nothing")).await.unwrap(), None);
    let history = within(bus.queue(HISTORY)).await.unwrap().unwrap();
    assert_eq!(history.consumers, Some(0));
    assert_eq!(within(bus.purge(SCAN)).await.unwrap(), 3);
    assert_eq!(within(bus.purge(SCAN)).await.unwrap(), 0);
    for name in [HISTORY, SNAPSHOTS, "build.nothing", "amq.gen-1"] {
        let error = within(bus.purge(name)).await.unwrap_err();
        assert!(matches!(error, BusError::NoQueue { .. }), "{error}");
    }
    assert_eq!(vhost.cut_connections(2), 2, "none was opened anew");
    bus.close().await;
}
