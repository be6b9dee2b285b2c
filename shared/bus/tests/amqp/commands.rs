//! Commands and dead letters.

use std::collections::HashSet;
use std::time::Duration;

use gentoo_updater_bus::topology::{COMMANDS, DEAD, DEAD_LETTERS, EVENTS, SCAN};
use gentoo_updater_bus::{Bus, Position};
use gentoo_updater_fleet::name::RunId;

use crate::support::messages::{run_requested, scan_command, within};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_rests_leaves_the_next_command_to_others() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let queues = ["build.amd64", "scan"].map(str::to_owned);
    let issued = [
        scan_command(RunId::generate(), 1),
        scan_command(RunId::generate(), 1),
    ];
    for command in &issued {
        bus.issue("scan", command).await.unwrap();
    }
    let mut busy = bus.commands(&queues).await.unwrap();
    let first = within(busy.next()).await.unwrap();
    assert_eq!(
        (first.command, first.queue.as_str()),
        (issued[0].clone(), "scan")
    );
    busy.rest().await;
    first.settle.ack().await.unwrap();
    // The busy one asks for no more; the other is served at once.
    let mut free = bus.commands(&queues).await.unwrap();
    let second = within(free.next()).await.unwrap();
    assert_eq!(second.command, issued[1]);
    // Dropped unsettled it goes back.
    drop(second);
    free.rest().await;
    let again = within(busy.next()).await.unwrap();
    assert_eq!(again.command, issued[1]);
    again.settle.ack().await.unwrap();
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_of_many_queues_takes_what_is_in_them_and_leaves_nothing_behind() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let queues: Vec<String> = (0..40).map(|n| format!("install.m{n}")).collect();
    let mut issued = HashSet::new();
    for queue in &queues {
        let command = scan_command(RunId::generate(), 1);
        within(bus.issue(queue, &command)).await.unwrap();
        issued.insert(command.id);
    }
    let mut commands = bus.commands(&queues).await.unwrap();
    while !issued.is_empty() {
        let delivery = within(commands.next()).await.unwrap();
        if issued.remove(&delivery.command.id) {
            delivery.settle.ack().await.unwrap();
        }
    }
    stays_pending(commands.next()).await;
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_wait_for_a_command_loses_none() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    for _ in 0..5 {
        let command = scan_command(RunId::generate(), 1);
        let soon = tokio::time::timeout(Duration::from_millis(20), commands.next()).await;
        assert!(soon.is_err(), "nothing was issued yet");
        bus.issue(SCAN, &command).await.unwrap();
        let delivery = within(commands.next()).await.unwrap();
        assert_eq!(delivery.command, command);
        delivery.settle.ack().await.unwrap();
    }
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decoded_or_is_refused_becomes_a_dead_letter_as_it_was() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    let nonsense = br#"{"v":1,"type":"GuestScanned","body":{"package":"cat/pkg-1;touch x"}}"#;
    send_raw(&channel, COMMANDS, SCAN, nonsense).await;
    let refused = scan_command(RunId::generate(), 1);
    bus.issue(SCAN, &refused).await.unwrap();
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    let delivery = within(commands.next()).await.unwrap();
    assert_eq!(delivery.command, refused);
    delivery
        .settle
        .reject("its run is unknown".to_owned())
        .await
        .unwrap();

    let letter = get_soon(&channel, DEAD).await;
    assert_eq!(letter.delivery.data, nonsense);
    assert_eq!(header(&letter, "queue"), "scan");
    assert!(
        header(&letter, "cause").contains("cannot be decoded"),
        "{}",
        header(&letter, "cause")
    );
    assert!(!header(&letter, "time").is_empty());
    assert_eq!(
        (letter.exchange.as_str(), letter.routing_key.as_str()),
        (DEAD_LETTERS, SCAN)
    );
    assert_eq!(
        letter.properties.kind().as_ref().unwrap().as_str(),
        "Nonsense"
    );
    let letter = get_soon(&channel, DEAD).await;
    assert_eq!(letter.delivery.data, refused.encode().unwrap());
    assert_eq!(header(&letter, "cause"), "its run is unknown");
    assert_eq!(header(&letter, "user"), "guest");
    stays_pending(commands.next()).await;

    // What lies in no queue any more can be buried, too.
    let deadly = scan_command(RunId::generate(), 1);
    let cause = "KilledItsWorker: it died 3 times".to_owned();
    bus.bury(SCAN, &deadly, cause.clone()).await.unwrap();
    let letter = get_soon(&channel, DEAD).await;
    assert_eq!(letter.delivery.data, deadly.encode().unwrap());
    assert_eq!(header(&letter, "cause"), cause);
    assert_eq!(header(&letter, "queue"), "scan");
    assert!(!header(&letter, "time").is_empty());
    let kind = letter.properties.kind().as_ref().unwrap();
    assert_eq!(kind.as_str(), "ScanGuest");

    // The planner buries events; the other readers of the history pass them.
    send_raw(&channel, EVENTS, "event.Nonsense.none", br#"{"v":7}"#).await;
    let good = run_requested(RunId::generate());
    bus.publish(&good).await.unwrap();
    let mut wakeups = bus.wakeups().await.unwrap();
    assert_eq!(within(wakeups.next()).await.unwrap().event, good);
    let letter = get_soon(&channel, DEAD).await;
    assert_eq!(
        (
            header(&letter, "queue").as_str(),
            letter.delivery.data.as_slice()
        ),
        ("plan", &br#"{"v":7}"#[..])
    );
    assert!(header(&letter, "cause").contains("version 7"));
    let mut history = bus.history(Position::First).await.unwrap();
    assert!(within(history.next()).await.unwrap().event.is_err());
    assert_eq!(within(history.next()).await.unwrap().event.unwrap(), good);
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_carries_who_sent_it_and_what_it_is() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let command = scan_command(RunId::generate(), 1);
    bus.issue(SCAN, &command).await.unwrap();
    let (connection, channel) = raw(&vhost).await;
    let message = get_soon(&channel, SCAN).await;
    let properties = &message.properties;
    assert_eq!(properties.user_id().as_ref().unwrap().as_str(), "guest");
    assert_eq!(properties.kind().as_ref().unwrap().as_str(), "ScanGuest");
    assert_eq!(
        properties.message_id().as_ref().unwrap().as_str(),
        command.id.to_string()
    );
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(*properties.timestamp(), Some(command.at.as_second() as u64));
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}
