use std::sync::Arc;

use gentoo_updater_fleet::name::RunId;
use tempfile::TempDir;

use super::*;
use crate::embedded::Embedded;
use crate::testing::{run_requested, within};

async fn bus(directory: &TempDir) -> Arc<dyn Bus> {
    Arc::new(
        Embedded::open(directory.path().join("journal"))
            .await
            .unwrap(),
    )
}

async fn follow(bus: &Arc<dyn Bus>) -> FleetView {
    within(FleetView::follow(bus.clone(), CancellationToken::new()))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_new_view_knows_everything_that_was_published_before() {
    let directory = TempDir::new().unwrap();
    let bus = bus(&directory).await;
    let runs: Vec<RunId> = (0..50).map(|_| RunId::generate()).collect();
    for run in &runs {
        bus.publish(&run_requested(*run)).await.unwrap();
    }
    let view = follow(&bus).await;
    assert_eq!(
        view.read(|fleet| fleet.runs.keys().copied().collect::<Vec<_>>()),
        runs
    );
}

#[tokio::test]
async fn views_of_one_bus_share_the_state_and_views_of_two_do_not() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (one, other) = (bus(&one).await, bus(&other).await);
    let first = follow(&one).await;
    assert!(Arc::ptr_eq(&first.follower, &follow(&one).await.follower));
    assert!(!Arc::ptr_eq(
        &first.follower,
        &follow(&other).await.follower
    ));
}

#[tokio::test]
async fn waiting_for_an_event_ends_when_it_is_applied() {
    let directory = TempDir::new().unwrap();
    let bus = bus(&directory).await;
    let view = follow(&bus).await;
    let run = RunId::generate();
    let event = run_requested(run);
    let changed = view.changed();
    let (waited, until, published) = tokio::join!(
        within(view.wait_for_event(event.id)),
        within(view.wait_until(|fleet| fleet.runs.contains_key(&run))),
        bus.publish(&event),
    );
    waited.unwrap();
    until.unwrap();
    published.unwrap();
    within(changed).await.unwrap();
}

#[tokio::test]
async fn a_bus_that_is_closed_ends_every_wait() {
    let directory = TempDir::new().unwrap();
    let bus = bus(&directory).await;
    let view = follow(&bus).await;
    let changed = view.changed();
    let (until, changed, ()) = tokio::join!(
        within(view.wait_until(|_| false)),
        within(changed),
        bus.close()
    );
    assert!(matches!(until, Err(BusError::Closed)));
    assert!(matches!(changed, Err(BusError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_some_time_after_the_stop() {
    let directory = TempDir::new().unwrap();
    let bus = bus(&directory).await;
    let stop = CancellationToken::new();
    let view = FleetView::follow(bus.clone(), stop.clone()).await.unwrap();
    stop.cancel();
    assert!(matches!(
        view.wait_until(|_| false).await,
        Err(BusError::Closed)
    ));
}
