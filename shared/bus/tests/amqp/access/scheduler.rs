//! The scheduler's user.

use gentoo_updater_bus::{Bus, Position};
use gentoo_updater_fleet::message::{Role, WorkerAlive, WorkerRegistered};

use super::*;

/// A golden event as a scheduler says it.
fn of_scheduler(kind: &str) -> Value {
    sample(kind, "scheduler@control")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_asks_for_what_is_due_and_reads_the_history_and_that_is_all() {
    let vhost = set_up();
    // Who declares comes first.
    let planner = open_as(&vhost, "planner").await;
    let scheduler = open_as(&vhost, "scheduler").await;
    let mut requested = of_scheduler("RunRequested");
    requested["body"]["schedule"] =
        serde_json::json!({ "schedule": "nightly", "at": "2026-01-05T03:00:00Z" });
    let registered = Event::WorkerRegistered(WorkerRegistered {
        worker: worker("scheduler@control"),
        role: Role::Scheduler,
        queues: Vec::new(),
        machine: None,
    });
    let all = [
        said("scheduler@control", registered),
        event(&of_scheduler("ScheduleAdopted")),
        event(&of_scheduler("OccurrencesMissed")),
        event(&requested),
    ];
    for event in &all {
        within(scheduler.publish(event)).await.unwrap();
    }
    let alive = Event::WorkerAlive(WorkerAlive {
        worker: worker("scheduler@control"),
        role: Role::Scheduler,
        working_on: Vec::new(),
        slots: None,
        paused: false,
        bus_trouble: None,
    });
    let alive = said("scheduler@control", alive);
    within(scheduler.publish(&alive)).await.unwrap();
    // It is woken by each of them, and believes it.
    let mut wakeups = planner.wakeups().await.unwrap();
    for event in all.iter().chain([&alive]) {
        let woken = within(wakeups.next()).await.unwrap();
        assert_eq!(woken.event, *event);
        woken.settle.ack().await.unwrap();
    }
    let mut history = scheduler.history(Position::First).await.unwrap();
    for event in &all {
        let read = within(history.next()).await.unwrap();
        assert_eq!(read.event.unwrap(), *event);
    }

    let run = RunId::generate();
    let ordered = within(scheduler.issue("scan", &command("ScanGuest", run))).await;
    assert!(ordered.is_err(), "a scheduler ordered something");
    let paused = event(&of_scheduler("PauseRequested"));
    assert!(within(scheduler.publish(&paused)).await.is_err());
}
