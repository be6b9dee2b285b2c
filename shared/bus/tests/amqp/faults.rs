//! Cut connections and a killed broker.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::topology::{self, DEAD, EVENTS, SCAN};
use gentoo_updater_bus::worker;
use gentoo_updater_bus::{Bus, Position};
use gentoo_updater_fleet::message::{Command, Envelope};
use gentoo_updater_fleet::name::{EventId, RunId};
use lapin::BasicProperties;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::support::messages::{run_requested, scan_command, within};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn readers_go_on_where_they_were_when_their_connection_is_cut() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let mut ids = published(&bus, 20).await;
    let mut history = bus.history(Position::First).await.unwrap();
    let mut wakeups = bus.wakeups().await.unwrap();
    let mut read = Vec::new();
    for _ in 0..10 {
        read.push(within(history.next()).await.unwrap().event.unwrap().id);
        within(wakeups.next())
            .await
            .unwrap()
            .settle
            .ack()
            .await
            .unwrap();
    }
    vhost.cut_connections(2);
    ids.extend(published(&bus, 5).await);
    for _ in 0..15 {
        read.push(within(history.next()).await.unwrap().event.unwrap().id);
    }
    assert_eq!(read, ids, "nothing is missing and nothing comes twice");
    let mut woken = HashSet::new();
    while !ids[10..].iter().all(|id| woken.contains(id)) {
        let wakeup = within(wakeups.next()).await.unwrap();
        woken.insert(wakeup.event.id);
        wakeup.settle.ack().await.unwrap();
    }
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_was_not_settled_comes_again_when_the_connection_is_cut() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let command = scan_command(RunId::generate(), 1);
    bus.issue(SCAN, &command).await.unwrap();
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    let lost = within(commands.next()).await.unwrap();
    assert_eq!(lost.command, command);
    vhost.cut_connections(2);
    let again = within(commands.next()).await.unwrap();
    assert_eq!(again.command, command);
    lost.settle.ack().await.unwrap();
    again.settle.ack().await.unwrap();
    stays_pending(commands.next()).await;
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_cancelled_does_not_cut_the_connection_that_others_use() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let command = scan_command(RunId::generate(), 1);
    bus.issue(SCAN, &command).await.unwrap();
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    let held = within(commands.next()).await.unwrap();
    for microseconds in (0..3000).step_by(50) {
        let soon = Duration::from_micros(microseconds);
        // Whether it is answered or cancelled is all the same.
        let _ = tokio::time::timeout(soon, bus.end()).await;
    }
    // Were the connection another one, the command would come again.
    stays_pending(commands.next()).await;
    held.settle.ack().await.unwrap();
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_with_headers_larger_than_a_frame_stops_no_reader() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    let mut headers = FieldTable::default();
    let large = "x".repeat(100_000);
    headers.insert("large".into(), AMQPValue::LongString(large.into()));
    let event = run_requested(RunId::generate());
    let (key, body) = (topology::routing_key(&event), event.encode().unwrap());
    let sent = channel.basic_publish(
        EVENTS.into(),
        key.into(),
        BasicPublishOptions::default(),
        &body,
        BasicProperties::default().with_headers(headers),
    );
    sent.await.unwrap().await.unwrap();
    let next = published(&bus, 1).await;
    assert_eq!(
        history_of(&bus, Position::First, 2).await,
        [event.id, next[0]]
    );
    let mut wakeups = bus.wakeups().await.unwrap();
    let woken = within(wakeups.next()).await.unwrap();
    assert_eq!(woken.event.id, event.id);
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_while_messages_are_published_loses_none() {
    let broker = Broker::start();
    let vhost = broker.vhost();
    let bus = Arc::new(open(&vhost).await);
    vhost.wait_until_registered("clean.b1");
    let (confirmed, mut confirms) = mpsc::unbounded_channel();
    let publishing = {
        let bus = bus.clone();
        tokio::spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..400 {
                let event = run_requested(RunId::generate());
                bus.publish(&event).await.unwrap();
                ids.push(event.id);
                confirmed.send(()).unwrap();
            }
            ids
        })
    };
    for _ in 0..50 {
        confirms.recv().await.unwrap();
    }
    let killed = broker.clone();
    tokio::task::spawn_blocking(move || {
        killed.kill();
        killed.boot();
    })
    .await
    .unwrap();
    let ids = tokio::time::timeout(Duration::from_secs(90), publishing)
        .await
        .unwrap()
        .unwrap();
    let end = within(bus.end()).await.unwrap().unwrap();
    let mut history = bus.history(Position::First).await.unwrap();
    let mut read: Vec<EventId> = Vec::new();
    loop {
        let item = within(history.next()).await.unwrap();
        let id = item.event.unwrap().id;
        // A message whose confirm was lost may be there twice.
        if !read.contains(&id) {
            read.push(id);
        }
        if item.offset == end {
            break;
        }
    }
    assert_eq!(read, ids);
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_do_one_command_once_although_their_connections_are_cut() {
    let vhost = Broker::shared().vhost();
    let (handler, mut calls) = Slow::new();
    let (stop, directory) = (CancellationToken::new(), tempfile::TempDir::new().unwrap());
    let mut workers = Vec::new();
    let mut buses: Vec<Arc<dyn Bus>> = Vec::new();
    for id in ["scanner@1", "scanner@2"] {
        let bus: Arc<dyn Bus> = Arc::new(open(&vhost).await);
        buses.push(bus.clone());
        let spec = scanner(id, 1, directory.path());
        workers.push(tokio::spawn(worker::serve(
            bus,
            spec,
            handler.clone(),
            stop.clone(),
        )));
    }
    let bus = &buses[0];
    let run = RunId::generate();
    bus.publish(&run_requested(run)).await.unwrap();
    let command: Envelope<Command> = scan_command(run, 1);
    for _ in 0..4 {
        bus.issue(
            &topology::queue_of(&command.message.work().task, None),
            &command,
        )
        .await
        .unwrap();
    }
    let work = within(calls.recv()).await.unwrap();
    vhost.cut_connections(4);
    bus.issue(SCAN, &command).await.unwrap();
    handler.released.add_permits(10);
    let view = within(FleetView::follow(bus.clone(), stop.clone()))
        .await
        .unwrap();
    within(view.wait_until(|fleet| fleet.is_finished(&work)))
        .await
        .unwrap();
    // Everything else that the queue held has been dropped when nothing is left in it.
    let (connection, channel) = raw(&vhost).await;
    within(async {
        loop {
            let options = QueueDeclareOptions::durable().passive();
            let queue = channel
                .queue_declare(SCAN.into(), options, FieldTable::default())
                .await;
            if queue.unwrap().message_count() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    stop.cancel();
    for worker in workers {
        within(worker).await.unwrap().unwrap();
    }
    assert!(calls.try_recv().is_err(), "the work was done once");
    assert!(get(&channel, DEAD).await.is_none());
    connection.close(200, "".into()).await.unwrap();
    for bus in buses {
        bus.close().await;
    }
}
