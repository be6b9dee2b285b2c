//! The planner at work on the embedded bus.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gentoo_updater_bus::embedded::Embedded;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{
    Alive, Bus, BusError, Commands, Health, History, Position, QueueState, Wakeups,
};
use gentoo_updater_fleet::config;
use gentoo_updater_fleet::message::{
    Command, Envelope, Event, PauseRequested, PauseTarget, ResumeRequested, Role, RunFinished,
    RunKind, RunOutcome, RunRequested, Task, WorkKey,
};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::snapshot::Snapshot;
use gentoo_updater_fleet::state::{Fleet, Issued};
use gentoo_updater_runtime::Context;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The embedded bus; what it says of queues and does with snapshots a test decides and sees.
struct Watched {
    bus: Embedded,
    /// What `queue` says; a queue that is not here holds one message.
    queues: Mutex<BTreeMap<String, Option<u64>>>,
    asked: watch::Sender<u64>,
    snapshots: watch::Sender<Vec<Snapshot>>,
    refuses_snapshots: bool,
}

#[async_trait]
impl Bus for Watched {
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
        self.snapshots
            .send_modify(|kept| kept.push(snapshot.clone()));
        if self.refuses_snapshots {
            return Err(BusError::MessageRefused {
                kind: "Snapshot".to_owned(),
                detail: "larger than configured max size".to_owned(),
            });
        }
        Ok(())
    }

    async fn newest_snapshot(&self) -> Result<Option<Snapshot>, BusError> {
        Ok(None)
    }

    async fn queue(&self, name: &str) -> Result<Option<QueueState>, BusError> {
        self.asked.send_modify(|asked| *asked += 1);
        let queues = self.queues.lock().unwrap();
        let ready = queues.get(name).copied().unwrap_or(Some(1));
        Ok(ready.map(|ready| QueueState {
            ready,
            consumers: None,
        }))
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.bus.health()
    }

    async fn close(&self) {
        self.bus.close().await;
    }
}

struct Bench {
    directory: TempDir,
    watched: Arc<Watched>,
    bus: Arc<dyn Bus>,
    view: FleetView,
}

struct Planner {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Planner {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

const CONFIGURATION: &str = r#"
[builders.b1]
address = "local"
[guests.g1]
address = "local"
"#;

impl Bench {
    async fn new(refuses_snapshots: bool) -> Self {
        let directory = TempDir::new().unwrap();
        let bus = Embedded::open(directory.path().join("journal"));
        let watched = Arc::new(Watched {
            bus: bus.await.unwrap(),
            queues: Mutex::default(),
            asked: watch::Sender::new(0),
            snapshots: watch::Sender::default(),
            refuses_snapshots,
        });
        let bus: Arc<dyn Bus> = watched.clone();
        let view = FleetView::follow(bus.clone(), CancellationToken::new())
            .await
            .unwrap();
        Self {
            directory,
            watched,
            bus,
            view,
        }
    }

    fn planner(&self) -> Planner {
        let path = self.directory.path().join("fleet.toml");
        std::fs::write(&path, CONFIGURATION).unwrap();
        let settings = Arc::new(config::load(&path).unwrap());
        let stop = CancellationToken::new();
        let context = Context::new(settings, self.bus.clone(), stop.clone());
        let task = tokio::spawn(async move { gentoo_updater_planner::serve(&context).await });
        Planner { stop, task }
    }

    async fn say(&self, event: Event) {
        let by = "operator@test".parse().unwrap();
        let event = Envelope::new(by, Timestamp::now(), event);
        self.bus.publish(&event).await.unwrap();
    }

    async fn request(&self) -> WorkKey {
        let run = RunId::generate();
        self.say(Event::RunRequested(RunRequested {
            run,
            kind: RunKind::ScanOnly,
            more_rounds: 0,
            follows: None,
            retries: 0,
            guests: [("g1".parse().unwrap(), "default".parse().unwrap())].into(),
            force: false,
            sync: Default::default(),
            rollout: Default::default(),
            schedule: None,
        }))
        .await;
        WorkKey {
            run,
            task: Task::Scan("g1".parse().unwrap()),
            attempt: 1,
        }
    }

    async fn until(&self, wanted: impl Fn(&Fleet) -> bool) {
        let waited = self.view.wait_until(wanted);
        let limit = Duration::from_secs(100_000);
        tokio::time::timeout(limit, waited).await.unwrap().unwrap();
    }
}

fn issued(fleet: &Fleet, work: &WorkKey) -> Option<Issued> {
    let task = fleet.runs.get(&work.run)?.tasks.get(&work.task)?;
    task.attempts.get(&work.attempt)?.issued.clone()
}

fn times(fleet: &Fleet, work: &WorkKey) -> u32 {
    issued(fleet, work).map_or(0, |issued| issued.times)
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_queue_was_emptied_or_deleted_is_issued_again_under_its_id() {
    let bench = Bench::new(false).await;
    let planner = bench.planner();
    let work = bench.request().await;
    bench.until(|fleet| times(fleet, &work) == 1).await;
    let first = bench.view.read(|fleet| issued(fleet, &work)).unwrap();
    for (count, ready) in [(2, Some(0)), (3, None)] {
        let queues = &bench.watched.queues;
        queues.lock().unwrap().insert(first.queue.clone(), ready);
        bench.until(|fleet| times(fleet, &work) == count).await;
        queues.lock().unwrap().clear();
    }
    let again = bench.view.read(|fleet| issued(fleet, &work)).unwrap();
    assert_eq!((again.command, again.first), (first.command, first.first));
    assert!(again.last > first.last);
    planner.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_command_that_lies_in_its_queue_is_asked_about_now_and_then_and_not_issued_again() {
    let bench = Bench::new(false).await;
    let planner = bench.planner();
    let mut asked = bench.watched.asked.subscribe();
    let work = bench.request().await;
    bench.until(|fleet| times(fleet, &work) == 1).await;
    let begun = tokio::time::Instant::now();
    asked.wait_for(|asked| *asked >= 50).await.unwrap();
    let elapsed = begun.elapsed();
    assert!(elapsed >= Duration::from_secs(490), "{elapsed:?}");
    assert_eq!(bench.view.read(|fleet| times(fleet, &work)), 1);
    planner.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_kept_when_a_run_has_ended_and_by_the_planner_that_is_woken_alone() {
    let bench = Bench::new(false).await;
    let planners = [bench.planner(), bench.planner()];
    let mut kept = bench.watched.snapshots.subscribe();
    for count in 1..=3 {
        let run = bench.request().await.run;
        bench.until(|fleet| fleet.runs.contains_key(&run)).await;
        let outcome = RunOutcome::Complete;
        bench
            .say(Event::RunFinished(RunFinished {
                run,
                outcome,
                retries: 0,
            }))
            .await;
        let kept = kept.wait_for(|kept| kept.len() == count).await.unwrap();
        assert!(kept[count - 1].fleet.is_over(run));
    }
    for planner in planners {
        planner.stop().await;
    }
    assert_eq!(kept.borrow().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_cannot_be_kept_stops_no_planner_and_is_not_tried_at_every_wake_up() {
    let bench = Bench::new(true).await;
    let planner = bench.planner();
    let mut kept = bench.watched.snapshots.subscribe();
    let run = bench.request().await.run;
    let outcome = RunOutcome::Complete;
    bench
        .say(Event::RunFinished(RunFinished {
            run,
            outcome,
            retries: 0,
        }))
        .await;
    kept.wait_for(|kept| kept.len() == 1).await.unwrap();
    let work = bench.request().await;
    bench.until(|fleet| times(fleet, &work) == 1).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(kept.borrow().len(), 1);
    planner.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_planner_issues_nothing_and_goes_on_when_it_is_resumed() {
    let bench = Bench::new(false).await;
    let target = PauseTarget::Role(Role::Planner);
    let reason = None;
    bench
        .say(Event::PauseRequested(PauseRequested {
            target: target.clone(),
            reason,
        }))
        .await;
    let planner = bench.planner();
    let mut alive = bench.bus.alive().await.unwrap();
    let work = bench.request().await;
    bench
        .until(|fleet| fleet.runs.contains_key(&work.run))
        .await;
    for _ in 0..20 {
        // It lives, and each of its beats makes it decide.
        alive.next().await.unwrap();
    }
    assert_eq!(bench.view.read(|fleet| times(fleet, &work)), 0);
    bench
        .say(Event::ResumeRequested(ResumeRequested { target }))
        .await;
    bench.until(|fleet| times(fleet, &work) == 1).await;
    planner.stop().await;
}
