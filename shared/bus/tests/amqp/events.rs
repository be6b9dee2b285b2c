//! History, wake-ups and signs of life.

use std::collections::HashSet;
use std::time::Duration;

use gentoo_updater_bus::{Bus, Position};
use gentoo_updater_fleet::message::{Event, PlannerAlive};
use gentoo_updater_fleet::name::RunId;

use crate::support::messages::{run_requested, said, within};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_history_replays_every_event_in_one_order_from_any_offset() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    assert_eq!(within(bus.end()).await.unwrap(), None);
    let ids = published(&bus, 300).await;
    assert_eq!(history_of(&bus, Position::First, 300).await, ids);
    assert_eq!(
        history_of(&bus, Position::Offset(120), 180).await,
        ids[120..]
    );
    assert_eq!(within(bus.end()).await.unwrap(), Some(299));
    // Another process sees the same, and waits for what is not there yet.
    let other = open(&vhost).await;
    assert_eq!(history_of(&other, Position::First, 300).await, ids);
    let mut history = other.history(Position::Offset(300)).await.unwrap();
    let event = run_requested(RunId::generate());
    let (item, sent) = tokio::join!(within(history.next()), bus.publish(&event));
    sent.unwrap();
    let item = item.unwrap();
    assert_eq!((item.offset, item.event.unwrap()), (300, event));
    tokio::join!(bus.close(), other.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_planners_one_is_woken_until_it_is_gone() {
    let vhost = Broker::shared().vhost();
    let (first, second) = (open(&vhost).await, open(&vhost).await);
    let ids = published(&first, 2).await;
    let mut active = first.wakeups().await.unwrap();
    let unsettled = within(active.next()).await.unwrap();
    assert_eq!(unsettled.event.id, ids[0]);
    let mut waiting = second.wakeups().await.unwrap();
    stays_pending(waiting.next()).await;
    first.close().await;
    // What was not settled comes to the next planner, in any order: wake-ups are hints.
    let mut woken = HashSet::new();
    for _ in &ids {
        let wakeup = within(waiting.next()).await.unwrap();
        woken.insert(wakeup.event.id);
        wakeup.settle.ack().await.unwrap();
    }
    assert_eq!(woken, ids.into_iter().collect());
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signs_of_life_reach_listeners_and_the_planner_and_not_the_history() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    let mut alive = bus.alive().await.unwrap();
    let mut wakeups = bus.wakeups().await.unwrap();
    // The listener is there when it has heard something.
    let beat = said(Event::PlannerAlive(PlannerAlive {
        worker: "planner@1".parse().unwrap(),
        beat: 1,
    }));
    let heard = tokio::spawn(async move { alive.next().await });
    let heard = within(async {
        while !heard.is_finished() {
            bus.publish(&beat).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        heard.await.unwrap().unwrap()
    })
    .await;
    assert_eq!(heard, beat);
    assert_eq!(within(wakeups.next()).await.unwrap().event, beat);
    assert_eq!(within(bus.end()).await.unwrap(), None);
    bus.close().await;
}
