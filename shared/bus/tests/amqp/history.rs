//! The history from any place, and snapshots.

use std::time::Duration;

use gentoo_updater_bus::amqp::Amqp;
use gentoo_updater_bus::topology::{HISTORY, LARGEST_SNAPSHOT, SNAPSHOTS, SNAPSHOTS_EXCHANGE};
use gentoo_updater_bus::{Bus, BusError, Position};
use gentoo_updater_fleet::config::History;
use gentoo_updater_fleet::message::{PauseTarget, Role};
use gentoo_updater_fleet::snapshot::{STATE_VERSION, Snapshot};
use gentoo_updater_fleet::state::{Fleet, Pause};
use jiff::Timestamp;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};

use crate::support::messages::within;
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_history_replays_from_a_time() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let before = published(&bus, 5).await;
    // The broker finds whole seconds.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let time = Timestamp::now();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let after = published(&bus, 5).await;
    let long_ago = Position::Time(Timestamp::UNIX_EPOCH - Duration::from_secs(1));
    let all = [before, after.clone()].concat();
    assert_eq!(history_of(&bus, long_ago, 10).await, all);
    assert_eq!(history_of(&bus, Position::Time(time), 5).await, after);
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_wait_for_an_event_loses_none_and_doubles_none() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let ids = published(&bus, 600).await;
    let mut history = bus.history(Position::First).await.unwrap();
    let mut read = Vec::new();
    within(async {
        while read.len() < ids.len() {
            // Mostly in the middle of an acknowledgement or of the opening.
            let soon = tokio::time::timeout(Duration::from_micros(200), history.next()).await;
            if let Ok(item) = soon {
                read.push(item.unwrap().event.unwrap().id);
            }
        }
    })
    .await;
    assert_eq!(read, ids);
    bus.close().await;
}

async fn declare_stream(vhost: &Vhost, name: &str, arguments: &[(&str, AMQPValue)]) {
    let (connection, channel) = raw(vhost).await;
    let mut table = FieldTable::default();
    for (key, value) in arguments {
        table.insert((*key).into(), value.clone());
    }
    let options = QueueDeclareOptions::durable();
    let declared = channel.queue_declare(name.into(), options, table).await;
    declared.unwrap();
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_keeps_something_else_is_worked_with_and_any_other_difference_is_fatal() {
    let broker = Broker::shared();
    let text = |text: &str| AMQPValue::LongString(text.into());
    let segment = AMQPValue::LongLongInt(50_000_000);
    // No age at all, and another size.
    let vhost = broker.vhost();
    let mut arguments = vec![
        ("x-queue-type", text("stream")),
        ("x-max-length-bytes", AMQPValue::LongLongInt(7_000_000_000)),
        ("x-stream-max-segment-size-bytes", segment),
    ];
    declare_stream(&vhost, HISTORY, &arguments).await;
    let bus = open(&vhost).await;
    let ids = published(&bus, 3).await;
    assert_eq!(history_of(&bus, Position::First, 3).await, ids);
    let kept = &vhost.queue_arguments(HISTORY)["x-max-length-bytes"];
    assert_eq!(kept, 7_000_000_000_u64);
    bus.close().await;

    let vhost = broker.vhost();
    arguments[2].1 = AMQPValue::LongLongInt(60_000_000);
    declare_stream(&vhost, HISTORY, &arguments).await;
    let opened = within(Amqp::open(settings(vhost.url()))).await;
    let error = opened.err().unwrap();
    assert!(
        matches!(&error, BusError::DeclaredOtherwise { name, detail }
            if name == HISTORY && detail.contains("segment")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_declared_with_what_the_configuration_keeps() {
    let vhost = Broker::shared().vhost();
    let mut settings = settings(vhost.url());
    settings.topology.history = History {
        days: 3,
        megabytes: 123,
    };
    let bus = within(Amqp::open(settings)).await.unwrap();
    let arguments = vhost.queue_arguments(HISTORY);
    assert_eq!(arguments["x-max-age"], "3D");
    assert_eq!(arguments["x-max-length-bytes"], 123_000_000);
    bus.close().await;
}

/// This is why the remedy that the warning names is one. RabbitMQ keeps whole segments.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_outranks_the_retention_that_a_stream_was_declared_with() {
    let vhost = Broker::shared().vhost();
    let text = |text: &str| AMQPValue::LongString(text.into());
    let arguments = [
        ("x-queue-type", text("stream")),
        ("x-max-age", text("30D")),
        ("x-max-length-bytes", AMQPValue::LongLongInt(2_000_000_000)),
        (
            "x-stream-max-segment-size-bytes",
            AMQPValue::LongLongInt(500_000),
        ),
    ];
    declare_stream(&vhost, "by-size", &arguments).await;
    declare_stream(&vhost, "by-age", &arguments).await;
    declare_stream(&vhost, "as-declared", &arguments).await;
    for (name, definition) in [
        ("by-size", r#"{"max-length-bytes":1000000}"#),
        ("by-age", r#"{"max-age":"1s"}"#),
    ] {
        let policy =
            format!(r#"{{"pattern":"^{name}$","definition":{definition},"apply-to":"queues"}}"#);
        let path = format!("policies/{}/{name}", vhost.name);
        let (status, body) = vhost.broker.http("PUT", &path, &policy);
        assert_eq!(status, 201, "{body}");
    }
    let (connection, channel) = raw(&vhost).await;
    let body = vec![b'x'; 100_000];
    for name in ["by-size", "by-age", "as-declared"] {
        within(async {
            // It is trimmed when a segment is full.
            for _ in 0..40 {
                send_raw(&channel, "", name, &body).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        let trimmed = within(first_offset(&vhost, name)).await > 0;
        assert_eq!(trimmed, name != "as-declared", "{name}");
    }
    connection.close(200, "".into()).await.unwrap();
}

fn snapshot_at(offset: u64) -> Snapshot {
    let fleet = Fleet {
        offset: Some(offset),
        ..Fleet::default()
    };
    Snapshot::take(fleet, "planner@1".parse().unwrap(), Timestamp::now())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_snapshot_is_found_by_another_process() {
    let vhost = Broker::shared().vhost();
    let (bus, other) = (open(&vhost).await, open(&vhost).await);
    assert_eq!(within(other.newest_snapshot()).await.unwrap(), None);
    for offset in 0..30 {
        let snapshot = snapshot_at(offset);
        within(bus.keep_snapshot(&snapshot)).await.unwrap();
        if offset % 10 == 0 {
            let found = within(other.newest_snapshot()).await.unwrap();
            assert_eq!(found, Some(snapshot));
        }
    }
    assert_eq!(within(bus.end()).await.unwrap(), None, "they are no events");
    tokio::join!(bus.close(), other.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_that_cannot_be_read_are_passed_over() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    let mut newer = snapshot_at(9);
    newer.state_version = STATE_VERSION + 1;
    for _ in 0..3 {
        within(bus.keep_snapshot(&newer)).await.unwrap();
        send_raw(&channel, SNAPSHOTS_EXCHANGE, "", b"no snapshot").await;
    }
    assert_eq!(within(bus.newest_snapshot()).await.unwrap(), None);
    let good = snapshot_at(5);
    within(bus.keep_snapshot(&good)).await.unwrap();
    for _ in 0..3 {
        within(bus.keep_snapshot(&newer)).await.unwrap();
        send_raw(&channel, SNAPSHOTS_EXCHANGE, "", b"no snapshot").await;
    }
    assert_eq!(within(bus.newest_snapshot()).await.unwrap(), Some(good));
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}

/// A state that cannot be packed to less than so many bytes.
fn larger_than(bytes: usize) -> Snapshot {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let digits = (0..bytes * 2).map(|_| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        char::from_digit((random >> 60) as u32, 16).unwrap()
    });
    let pause = Pause {
        by: "operator@test".parse().unwrap(),
        since: Timestamp::now(),
        reason: Some(digits.collect()),
    };
    let mut snapshot = snapshot_at(1);
    let target = PauseTarget::Role(Role::Builder);
    snapshot.fleet.pauses.insert(target, pause);
    snapshot
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_too_large_is_refused_and_harms_no_connection() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let large = larger_than(LARGEST_SNAPSHOT);
    let error = within(bus.keep_snapshot(&large)).await.unwrap_err();
    assert!(
        matches!(&error, BusError::MessageRefused { kind, .. } if kind == "Snapshot"),
        "{error}"
    );
    assert_eq!(within(bus.newest_snapshot()).await.unwrap(), None);
    let good = snapshot_at(1);
    within(bus.keep_snapshot(&good)).await.unwrap();
    assert_eq!(within(bus.newest_snapshot()).await.unwrap(), Some(good));
    bus.close().await;
}

/// RabbitMQ trims whole segments, and begins a new one behind the message that made one too large.
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_of_many_large_snapshots_is_always_there() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    let large = vec![7; 12_000_000];
    let mut newest = None;
    for offset in 0..10 {
        send_raw(&channel, SNAPSHOTS_EXCHANGE, "", &large).await;
        assert_eq!(within(bus.newest_snapshot()).await.unwrap(), newest);
        let snapshot = snapshot_at(offset);
        within(bus.keep_snapshot(&snapshot)).await.unwrap();
        newest = Some(snapshot);
    }
    assert_eq!(within(bus.newest_snapshot()).await.unwrap(), newest);
    assert!(
        within(first_offset(&vhost, SNAPSHOTS)).await > 0,
        "old ones are gone"
    );
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}
