//! What a process knows of a broker that takes no messages.

use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::amqp::Amqp;
use gentoo_updater_bus::{Bus, Health};
use gentoo_updater_fleet::name::RunId;

use crate::support::messages::{run_requested, within};
use crate::support::*;

async fn alarm(broker: &Arc<Broker>, is_set: bool) {
    let broker = broker.clone();
    let set = tokio::task::spawn_blocking(move || broker.memory_alarm(is_set));
    set.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_in_alarm_is_told_and_the_message_goes_out_when_it_is_over() {
    let broker = Broker::start();
    let vhost = broker.vhost();
    let bus = Arc::new(open(&vhost).await);
    let mut health = bus.health();
    assert_eq!(*health.borrow(), Health::Good);
    alarm(&broker, true).await;
    let publishing = {
        let bus = bus.clone();
        tokio::spawn(async move { bus.publish(&run_requested(RunId::generate())).await })
    };
    let blocked = health.wait_for(|health| matches!(health, Health::Blocked(_)));
    let cause = within(blocked).await.unwrap().clone();
    assert_eq!(cause, Health::Blocked("low on memory".to_owned()));
    assert!(!publishing.is_finished());
    alarm(&broker, false).await;
    within(health.wait_for(|health| *health == Health::Good))
        .await
        .unwrap();
    within(publishing).await.unwrap().unwrap();
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_learns_all_the_same_that_the_broker_is_back() {
    let broker = Broker::start();
    let vhost = broker.vhost();
    let bus = open(&vhost).await;
    let mut health = bus.health();
    let stop_and_boot = |is_stop: bool| {
        let broker = broker.clone();
        tokio::task::spawn_blocking(move || match is_stop {
            true => broker.stop(),
            false => broker.boot(),
        })
    };
    stop_and_boot(true).await.unwrap();
    let lost = health.wait_for(|health| matches!(health, Health::Disconnected(_)));
    within(lost).await.unwrap();
    stop_and_boot(false).await.unwrap();
    within(health.wait_for(|health| *health == Health::Good))
        .await
        .unwrap();
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_finds_an_alarm_without_leaving_a_message_and_needs_no_permission() {
    let broker = Broker::start();
    let vhost = broker.vhost();
    let bus = open(&vhost).await;
    vhost.user(
        "reader",
        ".*",
        "^(gentoo-updater[.](dead|snapshots)|plan|scan|history|snapshots|install.*|build.*|clean.*|collect.*|dead)$",
        ".*",
    );
    let reader = within(Amqp::open(settings(vhost.url_for("reader"))))
        .await
        .unwrap();
    let blocked = Health::Blocked("low on memory".to_owned());
    for bus in [&bus, &reader] {
        assert_eq!(within(bus.probe_now()).await.unwrap(), Health::Good);
        alarm(&broker, true).await;
        assert_eq!(within(bus.probe_now()).await.unwrap(), blocked);
        // Known by now, it is not asked for again.
        assert_eq!(within(bus.probe_now()).await.unwrap(), blocked);
        alarm(&broker, false).await;
        // A connection whose message was refused in the alarm is a new one by now.
        within(async {
            while bus.probe_now().await.unwrap() != Health::Good {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
    assert_eq!(within(bus.end()).await.unwrap(), None);
    tokio::join!(bus.close(), reader.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_gone_is_told_until_it_is_back() {
    let broker = Broker::start();
    let vhost = broker.vhost();
    let bus = open(&vhost).await;
    vhost.wait_until_registered("clean.b1");
    let mut health = bus.health();
    let killed = broker.clone();
    tokio::task::spawn_blocking(move || killed.kill())
        .await
        .unwrap();
    let gone = health.wait_for(|health| matches!(health, Health::Disconnected(_)));
    within(gone).await.unwrap();
    assert!(matches!(
        within(bus.probe_now()).await.unwrap(),
        Health::Disconnected(_)
    ));
    let booted = broker.clone();
    tokio::task::spawn_blocking(move || booted.boot())
        .await
        .unwrap();
    let event = run_requested(RunId::generate());
    within(bus.publish(&event)).await.unwrap();
    assert_eq!(*health.borrow_and_update(), Health::Good);
    assert_eq!(within(bus.probe_now()).await.unwrap(), Health::Good);
    bus.close().await;
}
