//! How fast a process comes up beside a long history, on a private RabbitMQ, in one table.
//!
//! Exit code 1: a limit is missed. All events are made from the golden files of the messages, the
//! same ones every time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a bench fails by them"
)]

#[path = "history/events.rs"]
mod events;
#[path = "../../portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use gentoo_updater_bus::amqp::{Amqp, BrokerSettings, QUIET};
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::topology::{EVENTS, Topology};
use gentoo_updater_bus::{Bus, Position};
use gentoo_updater_fleet::snapshot::Snapshot;
use gentoo_updater_fleet::state::Fleet;
use jiff::Timestamp;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};
use tokio_util::sync::CancellationToken;

use self::events::Events;
use self::table::{Limit, Table};
use gentoo_updater_test_broker::{Broker, Vhost};

const EVENTS_IN_ALL: usize = 100_000;
const AFTER_THE_SNAPSHOT: usize = 2_000;
/// How many events are published before the first of them is confirmed.
const IN_FLIGHT: usize = 250;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let table = runtime.block_on(run());
    print!("{table}");
    if table.is_kept() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn run() -> Table {
    let broker = Broker::start();
    let vhost = broker.vhost();
    open(&vhost).await.close().await;
    let mut table = Table::default();
    let mut events = Events::new();
    let begun = Instant::now();
    let before = fill(&vhost, &mut events, EVENTS_IN_ALL - AFTER_THE_SNAPSHOT).await;
    let until_snapshot = cold_start(&vhost).await.fleet;
    let bytes = before + fill(&vhost, &mut events, AFTER_THE_SNAPSHOT).await;
    table.show("filling the history", begun.elapsed().as_secs_f64(), "s");
    table.show("the history", bytes as f64 / 1e6, "MB");

    let all = cold_start(&vhost).await;
    let below = |seconds| Limit::Below(seconds);
    let what = "FleetView::follow, 100,000 events, no snapshot";
    table.check(what, all.seconds, "s", below(15.0));

    let at = Timestamp::now();
    let snapshot = Snapshot::take(until_snapshot, "planner@bench".parse().unwrap(), at);
    let packing = Instant::now();
    let packed = snapshot.encode().unwrap().len();
    table.show("packing a snapshot", packing.elapsed().as_secs_f64(), "s");
    table.show("a packed snapshot", packed as f64 / 1e6, "MB");
    let bus = open(&vhost).await;
    bus.keep_snapshot(&snapshot).await.unwrap();
    bus.close().await;
    drop(snapshot);

    let begun = Instant::now();
    let bus = open(&vhost).await;
    let mut fleet = bus.newest_snapshot().await.unwrap().unwrap().fleet;
    let found = begun.elapsed().as_secs_f64();
    table.show("open the bus and find the newest snapshot", found, "s");
    replay(&bus, &mut fleet).await;
    let what = "the same and the 2,000 events after it";
    table.check(what, begun.elapsed().as_secs_f64(), "s", below(2.0));
    assert!(
        fleet == all.fleet,
        "the state from a snapshot is another one"
    );
    bus.close().await;

    let with_snapshot = cold_start(&vhost).await;
    assert!(with_snapshot.fleet == all.fleet);
    let what = "FleetView::follow with this snapshot";
    table.check(what, with_snapshot.seconds, "s", below(2.0));
    table
}

/// What a new process has before it can begin.
struct Started {
    seconds: f64,
    fleet: Fleet,
}

async fn cold_start(vhost: &Vhost) -> Started {
    let begun = Instant::now();
    let bus: Arc<dyn Bus> = Arc::new(open(vhost).await);
    let view = FleetView::follow(bus.clone(), CancellationToken::new());
    let view = view.await.unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    let fleet = view.read(Fleet::clone);
    bus.close().await;
    Started { seconds, fleet }
}

async fn open(vhost: &Vhost) -> Amqp {
    let settings = BrokerSettings {
        ca: None,
        url: vhost.url(),
        name: "bench".to_owned(),
        topology: Topology::default(),
        users: None,
        quiet: QUIET,
    };
    Amqp::open(settings).await.unwrap()
}

async fn replay(bus: &Amqp, fleet: &mut Fleet) {
    let from = fleet
        .offset
        .map_or(Position::First, |offset| Position::Offset(offset + 1));
    let end = bus.end().await.unwrap().unwrap();
    let mut history = bus.history(from).await.unwrap();
    while fleet.offset < Some(end) {
        let item = history.next().await.unwrap();
        fleet.apply(item.offset, &item.event.unwrap());
    }
}

/// Publishes events as the bus does, but many at once, and says how many bytes they had. The
/// planner's queue gets them, too: they are taken off it, as a planner would.
async fn fill(vhost: &Vhost, events: &mut Events, count: usize) -> usize {
    let url = vhost.url();
    let connection = Connection::connect(&url, ConnectionProperties::default());
    let connection = connection.await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let select = ConfirmSelectOptions::default();
    channel.confirm_select(select).await.unwrap();
    let options = BasicPublishOptions {
        mandatory: true,
        ..Default::default()
    };
    let mut confirms = Vec::new();
    let mut bytes = 0;
    for number in 1..=count {
        let (key, body) = events.next();
        bytes += body.len();
        let properties = BasicProperties::default().with_delivery_mode(2);
        let published = channel.basic_publish(
            EVENTS.into(),
            key.as_str().into(),
            options,
            &body,
            properties,
        );
        confirms.push(published.await.unwrap());
        if number % IN_FLIGHT == 0 || number == count {
            for confirm in confirms.drain(..) {
                assert_eq!(confirm.await.unwrap(), Confirmation::Ack(None));
            }
        }
    }
    let purged = channel.queue_purge("plan".into(), Default::default());
    purged.await.unwrap();
    connection.close(200, "".into()).await.unwrap();
    bytes
}
