//! Consumers that stay open, and rest.

use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::amqp::{Amqp, BrokerSettings};
use gentoo_updater_bus::topology::{HISTORY, PLAN, SCAN};
use gentoo_updater_bus::worker::{self, WorkerError};
use gentoo_updater_bus::{Bus, Position};
use gentoo_updater_fleet::message::WorkKey;
use gentoo_updater_fleet::name::RunId;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::messages::{run_requested, scan_command, within};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_stays_from_command_to_command_and_ends_when_its_reader_rests() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    for _ in 0..5 {
        let command = scan_command(RunId::generate(), 1);
        bus.issue(SCAN, &command).await.unwrap();
        let delivery = within(commands.next()).await.unwrap();
        assert_eq!(delivery.command, command);
        delivery.settle.ack().await.unwrap();
        assert_eq!(counts(&channel, SCAN).await.1, 1, "it consumes still");
    }
    commands.rest().await;
    wait_for_counts(&channel, SCAN, (0, 0)).await;
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_deliveries_are_held_at_once_and_settled_while_more_come() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let queues = ["scan", "build.amd64", "install.g1"].map(str::to_owned);
    for queue in &queues {
        for _ in 0..2 {
            let command = scan_command(RunId::generate(), 1);
            bus.issue(queue, &command).await.unwrap();
        }
    }
    let mut commands = bus.commands(&queues).await.unwrap();
    let mut held = Vec::new();
    for _ in &queues {
        held.push(within(commands.next()).await.unwrap());
    }
    // One of each queue; the second of a queue comes when the first is settled.
    stays_pending(commands.next()).await;
    while let Some(delivery) = held.pop() {
        delivery.settle.ack().await.unwrap();
        let next = within(commands.next()).await.unwrap();
        assert_eq!(next.queue, delivery.queue);
        next.settle.ack().await.unwrap();
    }
    stays_pending(commands.next()).await;
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_on_its_way_goes_back_when_the_reader_rests_although_another_delivery_is_held() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let (connection, channel) = raw(&vhost).await;
    let queues = ["scan", "install.g1"].map(str::to_owned);
    for queue in &queues {
        let command = scan_command(RunId::generate(), 1);
        bus.issue(queue, &command).await.unwrap();
    }
    let mut busy = bus.commands(&queues).await.unwrap();
    let held = within(busy.next()).await.unwrap();
    let other = queues.iter().find(|queue| **queue != held.queue).unwrap();
    // The other one has been sent as well.
    wait_for_counts(&channel, other, (0, 1)).await;
    busy.rest().await;
    wait_for_counts(&channel, other, (1, 0)).await;
    let mut free = bus.commands(&queues).await.unwrap();
    let taken = within(free.next()).await.unwrap();
    assert_eq!(&taken.queue, other);
    taken.settle.ack().await.unwrap();
    held.settle.ack().await.unwrap();
    stays_pending(free.next()).await;
    bus.close().await;
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_deleted_under_its_consumer_is_consumed_again_and_others_lose_nothing() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let queues = ["scan", "install.g1"].map(str::to_owned);
    let command = scan_command(RunId::generate(), 1);
    bus.issue("install.g1", &command).await.unwrap();
    let mut commands = bus.commands(&queues).await.unwrap();
    let held = within(commands.next()).await.unwrap();
    vhost.delete_queue(SCAN);
    // The broker says so by the end of the consumer, and nothing else. Its channel is closed, so
    // what was held on it comes again.
    let again = within(commands.next()).await.unwrap();
    assert_eq!(again.command, command);
    held.settle.ack().await.unwrap();
    again.settle.ack().await.unwrap();
    let command = scan_command(RunId::generate(), 1);
    bus.issue(SCAN, &command).await.unwrap();
    let delivery = within(commands.next()).await.unwrap();
    assert_eq!(
        (delivery.command, delivery.queue),
        (command, SCAN.to_owned())
    );
    delivery.settle.ack().await.unwrap();
    stays_pending(commands.next()).await;
    bus.close().await;
}

/// Workers on a vhost of their own.
struct Workers {
    vhost: Vhost,
    bus: Arc<dyn Bus>,
    handler: Arc<Slow>,
    calls: UnboundedReceiver<WorkKey>,
    stop: CancellationToken,
    directory: TempDir,
    serving: Vec<JoinHandle<Result<(), WorkerError>>>,
}

impl Workers {
    async fn new() -> Self {
        let vhost = Broker::shared().vhost();
        let bus: Arc<dyn Bus> = Arc::new(open(&vhost).await);
        let (handler, calls) = Slow::new();
        Self {
            vhost,
            bus,
            handler,
            calls,
            stop: CancellationToken::new(),
            directory: TempDir::new().unwrap(),
            serving: Vec::new(),
        }
    }

    fn serve(&mut self, id: &str, slots: u16) {
        let spec = scanner(id, slots, self.directory.path());
        let (bus, handler, stop) = (self.bus.clone(), self.handler.clone(), self.stop.clone());
        let serving = worker::serve(bus, spec, handler, stop);
        self.serving.push(tokio::spawn(serving));
    }

    async fn issue(&self) -> RunId {
        let run = RunId::generate();
        self.bus.publish(&run_requested(run)).await.unwrap();
        let command = scan_command(run, 1);
        self.bus.issue(SCAN, &command).await.unwrap();
        run
    }

    async fn called_with(&mut self) -> RunId {
        within(self.calls.recv()).await.unwrap().run
    }

    async fn end(self) {
        self.handler.released.add_permits(100);
        self.stop.cancel();
        for worker in self.serving {
            within(worker).await.unwrap().unwrap();
        }
        self.bus.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_free_slots_keeps_its_consumer_from_command_to_command() {
    let mut workers = Workers::new().await;
    workers.serve("scanner@roomy", 8);
    let first = workers.issue().await;
    assert_eq!(workers.called_with().await, first);
    let tags = consumer_tags(&workers.vhost, SCAN).await;
    for _ in 0..4 {
        let run = workers.issue().await;
        assert_eq!(workers.called_with().await, run);
    }
    assert_eq!(consumer_tags(&workers.vhost, SCAN).await, tags);
    workers.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_a_free_slot_leaves_what_is_queued_to_others() {
    let mut workers = Workers::new().await;
    let (connection, channel) = raw(&workers.vhost).await;
    workers.serve("scanner@first", 1);
    let issued = [
        workers.issue().await,
        workers.issue().await,
        workers.issue().await,
    ];
    assert_eq!(workers.called_with().await, issued[0]);
    wait_for_counts(&channel, SCAN, (2, 0)).await;
    workers.serve("scanner@second", 1);
    assert_eq!(workers.called_with().await, issued[1]);
    wait_for_counts(&channel, SCAN, (1, 0)).await;
    // Whoever is free first takes the last one.
    workers.handler.released.add_permits(1);
    assert_eq!(workers.called_with().await, issued[2]);
    wait_for_counts(&channel, SCAN, (0, 0)).await;
    workers.handler.released.add_permits(2);
    wait_for_counts(&channel, SCAN, (0, 2)).await;
    connection.close(200, "".into()).await.unwrap();
    workers.end().await;
}

/// Waits until the queue has another consumer than it has now.
async fn opened_anew(vhost: &Vhost, queue: &str) {
    let before = consumer_tags(vhost, queue).await;
    within(async {
        loop {
            let tags = vhost.consumer_tags(queue);
            if tags.iter().any(|tag| !before.contains(tag)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_hears_nothing_for_long_is_opened_anew_and_misses_nothing() {
    let vhost = Broker::shared().vhost();
    let bus = within(Amqp::open(BrokerSettings {
        quiet: Duration::from_secs(2),
        ..settings(vhost.url())
    }));
    let bus = bus.await.unwrap();
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    let mut wakeups = bus.wakeups().await.unwrap();
    let mut history = bus.history(Position::First).await.unwrap();
    let (mut taken, mut woken, mut read) = (Vec::new(), Vec::new(), Vec::new());
    let (mut orders, mut events) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let quiet = async {
            tokio::join!(
                opened_anew(&vhost, SCAN),
                opened_anew(&vhost, PLAN),
                opened_anew(&vhost, HISTORY),
            )
        };
        tokio::select! {
            _ = quiet => {}
            _ = commands.next() => panic!("no command was issued"),
            _ = wakeups.next() => panic!("nothing was said"),
            _ = history.next() => panic!("nothing was said"),
        }
        let order = scan_command(RunId::generate(), 1);
        bus.issue(SCAN, &order).await.unwrap();
        let event = run_requested(RunId::generate());
        bus.publish(&event).await.unwrap();
        orders.push(order);
        events.push(event);
        let delivery = within(commands.next()).await.unwrap();
        taken.push(delivery.command);
        delivery.settle.ack().await.unwrap();
        let wakeup = within(wakeups.next()).await.unwrap();
        woken.push(wakeup.event);
        wakeup.settle.ack().await.unwrap();
        read.push(within(history.next()).await.unwrap().event.unwrap());
    }
    assert_eq!((&taken, &woken, &read), (&orders, &events, &events));
    bus.close().await;
}

/// The tags of the consumers of a queue, when the broker's API shows any.
async fn consumer_tags(vhost: &Vhost, queue: &str) -> Vec<String> {
    within(async {
        loop {
            let tags = vhost.consumer_tags(queue);
            if !tags.is_empty() {
                return tags;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_given_up_while_its_consumer_is_opened_holds_nobody_up() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    for micros in (0..6_000).step_by(150) {
        let mut alive = bus.alive().await.unwrap();
        // Somewhere between the first word to the broker and its last.
        let _ = tokio::time::timeout(Duration::from_micros(micros), alive.next()).await;
        let asked = within(bus.queue(SCAN)).await.unwrap();
        assert!(asked.is_some(), "after {micros} microseconds");
        drop(alive);
    }
    bus.close().await;
}
