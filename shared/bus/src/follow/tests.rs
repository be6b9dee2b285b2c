use std::sync::Arc;

use async_trait::async_trait;
use gentoo_updater_fleet::message::{Command, Envelope, Event, RunFinished, RunOutcome};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::snapshot::Snapshot;
use gentoo_updater_fleet::state::{Fleet, KEPT_RUNS};
use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::embedded::Embedded;
use crate::seam::{Alive, Commands, Health, Position, QueueState, Wakeups};
use crate::testing::{run_requested, said, within};

/// A bus whose newest snapshot a test gives.
struct WithSnapshot {
    bus: Arc<dyn Bus>,
    newest: Mutex<Option<Snapshot>>,
}

#[async_trait]
impl Bus for WithSnapshot {
    async fn publish(&self, event: &Envelope<Event>) -> Result<(), BusError> {
        self.bus.publish(event).await
    }

    async fn issue(&self, queue: &str, command: &Envelope<Command>) -> Result<(), BusError> {
        self.bus.issue(queue, command).await
    }

    async fn bury(
        &self,
        queue: &str,
        command: &Envelope<Command>,
        cause: String,
    ) -> Result<(), BusError> {
        self.bus.bury(queue, command, cause).await
    }

    async fn commands(&self, queues: &[String]) -> Result<Box<dyn Commands>, BusError> {
        self.bus.commands(queues).await
    }

    async fn history(&self, from: Position) -> Result<Box<dyn History>, BusError> {
        self.bus.history(from).await
    }

    async fn end(&self) -> Result<Option<u64>, BusError> {
        self.bus.end().await
    }

    async fn wakeups(&self) -> Result<Box<dyn Wakeups>, BusError> {
        self.bus.wakeups().await
    }

    async fn alive(&self) -> Result<Box<dyn Alive>, BusError> {
        self.bus.alive().await
    }

    async fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), BusError> {
        *self.newest.lock().unwrap() = Some(snapshot.clone());
        Ok(())
    }

    async fn newest_snapshot(&self) -> Result<Option<Snapshot>, BusError> {
        Ok(self.newest.lock().unwrap().clone())
    }

    async fn queue(&self, name: &str) -> Result<Option<QueueState>, BusError> {
        self.bus.queue(name).await
    }

    fn health(&self) -> tokio::sync::watch::Receiver<Health> {
        self.bus.health()
    }

    async fn close(&self) {
        self.bus.close().await;
    }
}

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

#[tokio::test(start_paused = true)]
async fn a_wait_for_an_event_that_the_history_does_not_have_ends_with_an_error() {
    let directory = TempDir::new().unwrap();
    let bus = bus(&directory).await;
    let view = follow(&bus).await;
    bus.publish(&run_requested(RunId::generate()))
        .await
        .unwrap();
    let lost = run_requested(RunId::generate());
    let begun = tokio::time::Instant::now();
    let error = view.wait_for_event(lost.id).await.unwrap_err();
    assert!(
        matches!(error, BusError::EventLost { id } if id == lost.id),
        "{error}"
    );
    assert!(begun.elapsed() >= MISSED_AFTER);
}

/// The bus with a snapshot of the state as it is now.
async fn with_snapshot(bus: &Arc<dyn Bus>) -> Arc<dyn Bus> {
    let fleet = follow(bus).await.read(Fleet::clone);
    let by = "planner@1".parse().unwrap();
    let snapshot = Snapshot::take(fleet, by, Timestamp::UNIX_EPOCH);
    Arc::new(WithSnapshot {
        bus: bus.clone(),
        newest: Mutex::new(Some(snapshot)),
    })
}

async fn publish_runs(bus: &Arc<dyn Bus>, count: usize) -> Vec<EventId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let event = run_requested(RunId::generate());
        bus.publish(&event).await.unwrap();
        ids.push(event.id);
    }
    ids
}

#[tokio::test]
async fn a_view_begins_with_the_newest_snapshot_and_knows_the_same_as_from_the_beginning() {
    let directory = TempDir::new().unwrap();
    let plain = bus(&directory).await;
    publish_runs(&plain, 5).await;
    let bus = with_snapshot(&plain).await;
    let whole = follow(&plain).await;
    // Nobody can read what came before the snapshot any more.
    Connection::open(directory.path().join("journal"))
        .unwrap()
        .execute_batch("DELETE FROM history WHERE offset < 5")
        .unwrap();
    publish_runs(&plain, 5).await;
    let view = follow(&bus).await;
    assert!(
        matches!(view.beginning(), Beginning::Snapshot { offset: 5, .. }),
        "{:?}",
        view.beginning()
    );
    assert_eq!(view.applied(), Some(10));
    within(whole.wait_until(|fleet| fleet.offset == Some(10)))
        .await
        .unwrap();
    assert_eq!(view.read(Fleet::clone), whole.read(Fleet::clone));
}

#[tokio::test]
async fn a_wait_for_an_event_that_is_in_the_snapshot_ends_and_for_a_new_one_it_is_waited() {
    let directory = TempDir::new().unwrap();
    let plain = bus(&directory).await;
    let old = publish_runs(&plain, 3).await;
    let bus = with_snapshot(&plain).await;
    let view = follow(&bus).await;
    for id in old {
        within(view.wait_for_event(id)).await.unwrap();
    }
    let run = RunId::generate();
    let event = run_requested(run);
    bus.publish(&event).await.unwrap();
    within(view.wait_for_event(event.id)).await.unwrap();
    assert!(view.read(|fleet| fleet.runs.contains_key(&run)));
}

#[tokio::test]
async fn a_wait_for_an_event_in_the_snapshot_ends_also_when_its_clock_was_days_ahead() {
    let directory = TempDir::new().unwrap();
    let plain = bus(&directory).await;
    let in_a_day = Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let time = uuid::Timestamp::from_unix(uuid::NoContext, in_a_day.as_second().unsigned_abs(), 0);
    let mut ahead = run_requested(RunId::generate());
    ahead.id = EventId(uuid::Uuid::new_v7(time));
    plain.publish(&ahead).await.unwrap();
    publish_runs(&plain, 2).await;
    let bus = with_snapshot(&plain).await;
    let view = follow(&bus).await;
    within(view.wait_for_event(ahead.id)).await.unwrap();
}

#[tokio::test]
async fn a_snapshot_of_another_history_is_not_used_and_the_reason_is_told() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (taken_of, plain) = (bus(&one).await, bus(&other).await);
    publish_runs(&taken_of, 3).await;
    let snapshot = follow(&taken_of).await.read(Fleet::clone);
    for (events, reason) in [
        (2, "the history ends at 2"),
        (3, "another event is at offset 3"),
    ] {
        publish_runs(&plain, if events == 2 { 2 } else { 1 }).await;
        let by = "planner@1".parse().unwrap();
        let taken = Snapshot::take(snapshot.clone(), by, Timestamp::UNIX_EPOCH);
        let bus: Arc<dyn Bus> = Arc::new(WithSnapshot {
            bus: plain.clone(),
            newest: Mutex::new(Some(taken)),
        });
        let view = follow(&bus).await;
        let Beginning::FirstEvent { why } = view.beginning() else {
            panic!("{:?}", view.beginning())
        };
        assert!(why.contains(reason), "{why}");
        assert_eq!(view.read(|fleet| fleet.runs.len()), events);
    }
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_left_out_counted_and_told_also_behind_a_snapshot() {
    let directory = TempDir::new().unwrap();
    let plain = bus(&directory).await;
    publish_runs(&plain, 1).await;
    let tamper = |version: u32| {
        Connection::open(directory.path().join("journal"))
            .unwrap()
            .execute(
                "INSERT INTO history (id, stored_at, body) VALUES ('x', unixepoch(), ?1)",
                [format!("{{\"v\":{version}}}").into_bytes()],
            )
            .unwrap();
    };
    tamper(9);
    publish_runs(&plain, 1).await;
    let view = follow(&plain).await;
    assert_eq!(view.read(|fleet| fleet.runs.len()), 2);
    let left_out = view.left_out();
    assert_eq!(left_out.count, 1);
    assert!(left_out.newest.unwrap().contains("version 9"));

    tamper(10);
    publish_runs(&plain, 1).await;
    within(view.wait_until(|fleet| fleet.offset == Some(5)))
        .await
        .unwrap();
    let bus = with_snapshot(&plain).await;
    publish_runs(&plain, 1).await;
    let behind = follow(&bus).await;
    assert_eq!(behind.left_out().count, 2);
    assert!(matches!(behind.beginning(), Beginning::Snapshot { .. }));
}

#[tokio::test]
async fn a_run_that_the_state_has_forgotten_is_told_by_the_history() {
    let directory = TempDir::new().unwrap();
    let bus = bus(&directory).await;
    let old = RunId::generate();
    let finished = |run| {
        let outcome = RunOutcome::Complete;
        said(Event::RunFinished(RunFinished {
            run,
            outcome,
            retries: 0,
        }))
    };
    bus.publish(&run_requested(old)).await.unwrap();
    // Its further round is asked for before it ends.
    let mut further = run_requested(old.following());
    if let Event::RunRequested(further) = &mut further.message {
        further.follows = Some(old);
    }
    bus.publish(&further).await.unwrap();
    bus.publish(&finished(old)).await.unwrap();
    bus.publish(&finished(old.following())).await.unwrap();
    for _ in 0..KEPT_RUNS {
        let run = RunId::generate();
        bus.publish(&run_requested(run)).await.unwrap();
        bus.publish(&finished(run)).await.unwrap();
    }
    let view = follow(&bus).await;
    assert!(view.read(|fleet| !fleet.runs.contains_key(&old) && fleet.is_over(old)));
    let told = within(view.one_run(old)).await.unwrap();
    assert!(told.runs[&old].finished.is_some());
    assert!(told.runs[&old.following()].finished.is_some());
    assert_eq!(told.runs.len(), 2);
    let unknown = within(one_run(bus.as_ref(), RunId::generate()))
        .await
        .unwrap();
    assert!(unknown.runs.is_empty());
}
