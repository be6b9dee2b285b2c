//! Dead letters, snapshots and looks into queues, under separate users.

use std::collections::BTreeSet;

use gentoo_updater_bus::topology::{DEAD_LETTERS, PLAN, SCAN, SNAPSHOTS_EXCHANGE, queue_for};
use gentoo_updater_bus::{Bus, BusError, DeadLetter, Health, Inspect, LetterId};
use gentoo_updater_fleet::snapshot::Snapshot;
use gentoo_updater_fleet::state::Fleet;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldArray, FieldTable};

use super::attacks::publish;
use super::*;

const ALL: [&str; 7] = [
    "planner",
    "scanner",
    "builder",
    "installer",
    "janitor",
    "operator",
    "guest.web",
];

/// Waits until there are so many dead letters.
async fn letters_of(operator: &Amqp, count: usize) -> Vec<DeadLetter> {
    within(async {
        loop {
            let letters = operator.dead_letters(usize::MAX).await.unwrap();
            if letters.len() == count {
                return letters;
            }
            assert!(letters.len() < count, "{letters:?}");
        }
    })
    .await
}

fn ids(letters: &[DeadLetter]) -> BTreeSet<LetterId> {
    letters.iter().map(|letter| letter.id.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_answers_every_user_whether_it_takes_messages() {
    let vhost = set_up();
    for user in ALL {
        let bus = open_as(&vhost, user).await;
        for _ in 0..2 {
            let health = within(bus.probe()).await.unwrap();
            assert_eq!(health, Health::Good, "{user}");
        }
        assert_eq!(*bus.health().borrow(), Health::Good, "{user}");
        bus.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_begins_with_a_state_that_is_not_the_planners() {
    let vhost = set_up();
    let planner = open_as(&vhost, "planner").await;
    let kept = |offset, sender: &str| {
        let fleet = Fleet {
            offset: Some(offset),
            ..Fleet::default()
        };
        Snapshot::take(fleet, worker(sender), jiff::Timestamp::UNIX_EPOCH)
    };
    let of_planner = kept(5, "planner@1");
    within(planner.keep_snapshot(&of_planner)).await.unwrap();
    // By somebody who may write everywhere: without a user, and with one that is none of the fleet.
    let (stranger, _channel) = crate::support::raw(&vhost).await;
    let forged = kept(9, "planner@1").encode().unwrap();
    for properties in [
        BasicProperties::default(),
        BasicProperties::default().with_user_id("guest".into()),
    ] {
        let answer = publish(&stranger, SNAPSHOTS_EXCHANGE, "", properties, &forged).await;
        assert_eq!(answer, 200);
    }
    stranger.close(200, "".into()).await.unwrap();
    for user in ALL.into_iter().filter(|user| !user.starts_with("guest.")) {
        let bus = open_as(&vhost, user).await;
        let newest = within(bus.newest_snapshot()).await.unwrap().unwrap();
        assert_eq!(newest.fleet.offset, Some(5), "{user}");
        bus.close().await;
    }
    let scanner = open_as(&vhost, "scanner").await;
    let error = within(scanner.keep_snapshot(&of_planner)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, BusError::AccessRefused { .. }), "{error}");
    tokio::join!(planner.close(), scanner.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_puts_back_what_a_worker_and_what_the_broker_buried() {
    let vhost = set_up();
    let (planner, operator) = (
        open_as(&vhost, "planner").await,
        open_as(&vhost, "operator").await,
    );
    // A role's user buries itself, with the cause; for a guest's user the broker does.
    for (kind, queue, user) in [
        ("ScanGuest", "scan", "scanner"),
        ("InstallPackages", "install.web", "guest.web"),
    ] {
        let worker = open_as(&vhost, user).await;
        let order = command(kind, RunId::generate());
        within(planner.issue(queue, &order)).await.unwrap();
        let mut commands = worker.commands(&[queue.to_owned()]).await.unwrap();
        let delivery = within(commands.next()).await.unwrap();
        delivery.settle.reject("not now".to_owned()).await.unwrap();
        let letters = letters_of(&operator, 1).await;
        assert_eq!(letters[0].queue, queue);
        assert_eq!(letters[0].user.as_deref(), Some("fleet.planner"));
        let back = within(operator.retry_dead(&ids(&letters))).await.unwrap();
        assert_eq!(back.returned, [letters[0].id.clone()]);
        let delivery = within(commands.next()).await.unwrap();
        assert_eq!(delivery.command, order);
        delivery.settle.ack().await.unwrap();
        worker.close().await;
    }
    // What the planner gives up goes back, too.
    let order = command("BuildPackage", RunId::generate());
    let queue = queue_for(&order.message);
    within(planner.bury(&queue, &order, "three deaths".to_owned()))
        .await
        .unwrap();
    let letters = letters_of(&operator, 1).await;
    let back = within(operator.retry_dead(&ids(&letters))).await.unwrap();
    assert_eq!(back.stayed, []);
    let builder = open_as(&vhost, "builder").await;
    let mut commands = builder.commands(&[queue]).await.unwrap();
    assert_eq!(within(commands.next()).await.unwrap().command, order);
    tokio::join!(planner.close(), operator.close(), builder.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guests_user_gives_up_is_no_dead_letter_and_no_error() {
    let vhost = set_up();
    let (agent, operator) = (
        open_as(&vhost, "guest.web").await,
        open_as(&vhost, "operator").await,
    );
    let order = command("InstallPackages", RunId::generate());
    within(agent.bury("install.web", &order, "three deaths".to_owned()))
        .await
        .unwrap();
    let letters = within(operator.dead_letters(10)).await.unwrap();
    assert_eq!(letters, []);
    tokio::join!(agent.close(), operator.close());
}

/// What a compromised worker would say of a letter: that the planner sent it, and where to put it.
fn claimed() -> FieldTable {
    let mut headers = FieldTable::default();
    for (name, text) in [
        ("cause", "because"),
        ("queue", "build.default"),
        ("time", "2026-01-01T00:00:00Z"),
        ("user", "fleet.planner"),
    ] {
        headers.insert(name.into(), AMQPValue::LongString(text.into()));
    }
    headers
}

fn claimed_of_the_broker() -> FieldTable {
    let (mut headers, mut death) = (FieldTable::default(), FieldTable::default());
    for (name, text) in [("queue", "build.default"), ("reason", "rejected")] {
        death.insert(name.into(), AMQPValue::LongString(text.into()));
    }
    let deaths = FieldArray::from(vec![AMQPValue::FieldTable(death)]);
    headers.insert("x-death".into(), AMQPValue::FieldArray(deaths));
    headers
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_a_worker_forged_among_the_dead_letters_goes_nowhere() {
    let vhost = set_up();
    let operator = open_as(&vhost, "operator").await;
    let scanner = connect_as(&vhost, "scanner").await;
    let order = command("BuildPackage", RunId::generate()).encode().unwrap();
    for (headers, user) in [
        (claimed(), Some("fleet.scanner")),
        (claimed(), None),
        (claimed_of_the_broker(), Some("fleet.scanner")),
        (claimed_of_the_broker(), None),
    ] {
        let mut properties = BasicProperties::default().with_headers(headers);
        if let Some(user) = user {
            properties = properties.with_user_id(user.into());
        }
        let key = "build.default";
        let answer = publish(&scanner, DEAD_LETTERS, key, properties, &order).await;
        assert_eq!(answer, 200, "the broker takes it");
    }
    let letters = letters_of(&operator, 4).await;
    assert!(letters.iter().all(|letter| letter.queue == "build.default"));
    let retried = within(operator.retry_dead(&ids(&letters))).await.unwrap();
    assert_eq!(retried.returned, []);
    let stayed: BTreeSet<LetterId> = retried.stayed.into_iter().map(|it| it.letter).collect();
    assert_eq!(stayed, ids(&letters));
    assert_eq!(letters_of(&operator, 4).await.len(), 4, "they stay");
    let queue = within(operator.queue("build.default")).await.unwrap();
    assert_eq!(queue.unwrap().ready, 0);
    let gone = within(operator.drop_dead(&ids(&letters))).await.unwrap();
    assert_eq!(gone.len(), ids(&letters).len());
    letters_of(&operator, 0).await;
    scanner.close(200, "".into()).await.unwrap();
    operator.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_of_the_planner_stays_and_an_operator_may_empty_queues() {
    let vhost = set_up();
    let (planner, operator) = (
        open_as(&vhost, "planner").await,
        open_as(&vhost, "operator").await,
    );
    let said = event(&sample("PauseRequested", "operator@desk"));
    within(operator.publish(&said)).await.unwrap();
    let mut wakeups = planner.wakeups().await.unwrap();
    let woken = within(wakeups.next()).await.unwrap();
    woken.settle.reject("no".to_owned()).await.unwrap();
    let letters = letters_of(&operator, 1).await;
    assert_eq!(letters[0].queue, PLAN);
    let retried = within(operator.retry_dead(&ids(&letters))).await.unwrap();
    assert_eq!(retried.stayed[0].letter, letters[0].id);
    assert_eq!(letters_of(&operator, 1).await, letters);

    let order = command("ScanGuest", RunId::generate());
    within(planner.issue(SCAN, &order)).await.unwrap();
    within(async { while operator.purge(SCAN).await.unwrap() == 0 {} }).await;
    let queue = within(operator.queue(SCAN)).await.unwrap();
    assert_eq!(queue.unwrap().ready, 0);
    tokio::join!(planner.close(), operator.close());
}
