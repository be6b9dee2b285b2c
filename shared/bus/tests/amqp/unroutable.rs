//! Messages that no queue takes.

use std::sync::Arc;

use gentoo_updater_bus::amqp::Amqp;
use gentoo_updater_bus::topology::{DEAD, EVENTS, HISTORY, PLAN};
use gentoo_updater_bus::{Bus, Position};
use gentoo_updater_fleet::name::RunId;
use lapin::options::{QueueBindOptions, QueueDeleteOptions};
use lapin::types::FieldTable;

use crate::support::messages::{run_requested, scan_command, within};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_queue_cannot_be_made_becomes_a_dead_letter_and_is_issued_well() {
    let vhost = Broker::shared().vhost();
    open(&vhost).await.close().await;
    // It may declare what is in its topology, and no other queue.
    let known = "^(gentoo-updater.*|plan|scan|history|snapshots|install.g1|build.amd64|clean.b1\
        |collect.amd64|dead)$";
    vhost.user("planner", known, ".*", ".*");
    let bus = within(Amqp::open(settings(vhost.url_for("planner"))))
        .await
        .unwrap();
    let (connection, channel) = raw(&vhost).await;
    let long = format!("install.{}", "x".repeat(300));
    for (queue, cause) in [
        ("install.g9", "refused for user 'planner'"),
        (&long, "longer than AMQP allows"),
    ] {
        let command = scan_command(RunId::generate(), 1);
        within(bus.issue(queue, &command)).await.unwrap();
        let letter = get_soon(&channel, DEAD).await;
        assert_eq!(letter.delivery.data, command.encode().unwrap());
        assert_eq!(header(&letter, "queue"), queue);
        let told = header(&letter, "cause");
        assert!(
            told.starts_with("unroutable: ") && told.contains(cause),
            "{told}"
        );
        assert!(!header(&letter, "time").is_empty());
        assert_eq!(header(&letter, "user"), "planner");
        let kind = letter.properties.kind().as_ref().unwrap();
        assert_eq!(kind.as_str(), "ScanGuest");
    }
    // What can be routed is, as before.
    let command = scan_command(RunId::generate(), 1);
    within(bus.issue("install.g1", &command)).await.unwrap();
    get_soon(&channel, "install.g1").await;
    assert!(get(&channel, DEAD).await.is_none());
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_no_queue_takes_is_tried_until_one_does() {
    let vhost = Broker::shared().vhost();
    vhost.user("eventful", ".*", ".*", ".*");
    let bus = Arc::new(
        within(Amqp::open(settings(vhost.url_for("eventful"))))
            .await
            .unwrap(),
    );
    let (connection, channel) = raw(&vhost).await;
    for queue in [HISTORY, PLAN] {
        let (queue, exchange) = (queue.into(), EVENTS.into());
        let unbound = channel.queue_unbind(queue, exchange, EVERY.into(), FieldTable::default());
        unbound.await.unwrap();
    }
    // It cannot mend that itself.
    vhost.user("eventful", "^$", ".*", ".*");
    let event = run_requested(RunId::generate());
    let mut publishing = {
        let (bus, event) = (bus.clone(), event.clone());
        tokio::spawn(async move { bus.publish(&event).await })
    };
    stays_pending(&mut publishing).await;
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    let bound = channel.queue_bind(HISTORY.into(), EVENTS.into(), EVERY.into(), options, none);
    bound.await.unwrap();
    within(publishing).await.unwrap().unwrap();
    let reader = open(&vhost).await;
    assert_eq!(history_of(&reader, Position::First, 1).await, [event.id]);
    assert!(get(&channel, DEAD).await.is_none());
    tokio::join!(bus.close(), reader.close());
    connection.close(200, "".into()).await.unwrap();
}

/// The binding key of every event.
const EVERY: &str = "event.#";

#[tokio::test(flavor = "multi_thread")]
async fn events_go_out_while_the_planners_queue_is_deleted_again_and_again() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    let mut ids = Vec::new();
    for _ in 0..40 {
        let events = [
            run_requested(RunId::generate()),
            run_requested(RunId::generate()),
        ];
        let deleting = channel.queue_delete(PLAN.into(), QueueDeleteOptions::default());
        let (deleted, first, second) = within(async {
            tokio::join!(deleting, bus.publish(&events[0]), bus.publish(&events[1]))
        })
        .await;
        deleted.unwrap();
        first.unwrap();
        second.unwrap();
        ids.extend(events.map(|event| event.id));
    }
    let mut history = bus.history(Position::First).await.unwrap();
    let mut read = Vec::new();
    while !ids.iter().all(|id| read.contains(id)) {
        read.push(within(history.next()).await.unwrap().event.unwrap().id);
    }
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}
