//! The scheduler at work on the embedded bus, by a clock that the test sets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gentoo_updater_bus::embedded::Embedded;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Bus, Clock};
use gentoo_updater_fleet::config;
use gentoo_updater_fleet::message::{
    Envelope, Event, MissedCause, PauseRequested, PauseTarget, ResumeRequested, Role, RunFinished,
    RunOutcome,
};
use gentoo_updater_fleet::name::{EventId, RunId};
use gentoo_updater_fleet::state::{Fleet, Scheduled};
use gentoo_updater_runtime::Context;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const CONFIGURATION: &str = r#"
[builders.b1]
address = "local"
[guests.g1]
address = "local"
[schedules.nightly]
calendar = "0 3 * * *"
late_minutes = 60
"#;

#[derive(Debug)]
struct SetClock(Mutex<Timestamp>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn event_id(&self) -> EventId {
        EventId::generate()
    }
}

struct Bench {
    directory: TempDir,
    clock: Arc<SetClock>,
    bus: Arc<dyn Bus>,
    view: FleetView,
}

struct Scheduler {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Scheduler {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

impl Bench {
    async fn at(now: &str) -> Self {
        let bus: Arc<dyn Bus> = Arc::new(Embedded::in_memory());
        let view = FleetView::follow(bus.clone(), CancellationToken::new());
        Self {
            directory: TempDir::new().unwrap(),
            clock: Arc::new(SetClock(Mutex::new(now.parse().unwrap()))),
            view: view.await.unwrap(),
            bus,
        }
    }

    fn scheduler(&self, instance: &'static str) -> Scheduler {
        let path = self.directory.path().join("fleet.toml");
        std::fs::write(&path, CONFIGURATION).unwrap();
        let settings = Arc::new(config::load(&path).unwrap());
        let stop = CancellationToken::new();
        let mut context = Context::new(settings, self.bus.clone(), stop.clone());
        context.clock = self.clock.clone();
        let task =
            tokio::spawn(async move { gentoo_updater_scheduler::serve(&context, instance).await });
        Scheduler { stop, task }
    }

    fn set(&self, now: &str) {
        *self.clock.0.lock().unwrap() = now.parse().unwrap();
    }

    async fn say(&self, event: Event) {
        let by = "operator@test".parse().unwrap();
        let event = Envelope::new(by, Timestamp::now(), event);
        self.bus.publish(&event).await.unwrap();
    }

    async fn until(&self, wanted: impl Fn(&Fleet) -> bool) {
        let waited = self.view.wait_until(wanted);
        let limit = Duration::from_secs(100_000);
        tokio::time::timeout(limit, waited).await.unwrap().unwrap();
    }

    /// Waits until the calendar counts.
    async fn adopted(&self) {
        self.until(|fleet| nightly(fleet).is_some()).await;
    }

    /// Waits until so many have begun, and gives the last run.
    async fn begun(&self, count: usize) -> RunId {
        let has_begun = |fleet: &Fleet| nightly(fleet).map_or(0, |state| state.begun.len());
        self.until(|fleet| has_begun(fleet) >= count).await;
        assert_eq!(self.view.read(has_begun), count);
        self.view
            .read(|fleet| nightly(fleet).unwrap().begun.back().unwrap().run)
    }

    async fn finish(&self, run: RunId) {
        self.say(Event::RunFinished(RunFinished {
            run,
            outcome: RunOutcome::Complete,
            retries: 0,
        }))
        .await;
        self.until(|fleet| fleet.is_over(run)).await;
    }
}

fn nightly(fleet: &Fleet) -> Option<&Scheduled> {
    fleet.schedules.get(&"nightly".parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn what_is_due_begins_once_also_with_two_schedulers_and_after_a_restart() {
    let bench = Bench::at("2026-01-05T12:00:00Z").await;
    let schedulers = [bench.scheduler("a"), bench.scheduler("b")];
    bench.adopted().await;
    bench.set("2026-01-06T03:00:00Z");
    let run = bench.begun(1).await;
    for scheduler in schedulers {
        scheduler.stop().await;
    }
    bench.finish(run).await;
    let scheduler = bench.scheduler("a");
    bench.set("2026-01-07T03:00:00Z");
    bench.begun(2).await;
    scheduler.stop().await;
    let finished = bench
        .view
        .read(|fleet| nightly(fleet).unwrap().begun[0].finished);
    assert_eq!(finished.unwrap().outcome, RunOutcome::Complete);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_was_there_for_is_told_by_the_next_one() {
    let bench = Bench::at("2026-01-05T12:00:00Z").await;
    let scheduler = bench.scheduler("a");
    bench.adopted().await;
    scheduler.stop().await;
    bench.set("2026-01-08T12:00:00Z");
    let scheduler = bench.scheduler("a");
    let missed = |fleet: &Fleet| {
        let missed = &nightly(fleet).unwrap().missed;
        missed.iter().map(|it| it.occurrences.count).sum::<u32>()
    };
    bench.until(|fleet| missed(fleet) == 3).await;
    scheduler.stop().await;
    bench.view.read(|fleet| {
        assert!(fleet.runs.is_empty());
        let newest = nightly(fleet).unwrap().newest_missed().unwrap();
        assert_eq!(newest.occurrences.cause, MissedCause::NobodyThere);
    });
}

#[tokio::test(start_paused = true)]
async fn a_paused_scheduler_begins_what_is_due_when_it_is_resumed() {
    let bench = Bench::at("2026-01-05T12:00:00Z").await;
    let scheduler = bench.scheduler("a");
    bench.adopted().await;
    let target = PauseTarget::Role(Role::Scheduler);
    let (pause, resume) = (
        PauseRequested {
            target: target.clone(),
            reason: None,
        },
        ResumeRequested { target },
    );
    bench.say(Event::PauseRequested(pause)).await;
    bench.until(|fleet| !fleet.pauses.is_empty()).await;
    bench.set("2026-01-06T03:00:00Z");
    // It has looked several times by then.
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(bench.view.read(|fleet| fleet.runs.is_empty()));
    bench.say(Event::ResumeRequested(resume)).await;
    bench.begun(1).await;
    scheduler.stop().await;
}
