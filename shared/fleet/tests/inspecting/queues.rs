//! The work of queues.

use std::collections::BTreeMap;

use gentoo_updater_fleet::inspect::*;
use gentoo_updater_fleet::message::*;

use crate::common::*;
use crate::{build, issue, planned};

fn queues(history: &History) -> BTreeMap<String, QueueWork> {
    work_of_queues(&history.fleet, |task, platform| {
        assert!(matches!(task, Task::Build(_)), "{task}");
        format!("build.{}", platform.unwrap())
    })
}

fn waiting(history: &History, queue: &str) -> Vec<String> {
    let queues = queues(history);
    let work = queues.get(queue);
    let waiting = work.iter().flat_map(|work| &work.waiting);
    waiting.map(|waiting| waiting.task.to_string()).collect()
}

fn claimed(history: &History, queue: &str) -> Vec<String> {
    let queues = queues(history);
    let work = queues.get(queue);
    let claimed = work.iter().flat_map(|work| &work.claimed);
    let words = |claimed: &Claimed| format!("{}: {}", claimed.worker, claimed.task);
    claimed.map(words).collect()
}

#[test]
fn work_waits_from_its_issue_to_its_claim_and_is_claimed_until_its_result() {
    let mut history = planned();
    let (openssl, curl) = (
        build(&history, "dev-libs/openssl-3.0"),
        build(&history, "net-misc/curl-8.0"),
    );
    issue(&mut history, &openssl, 1, "build.default");
    issue(&mut history, &curl, 1, "build.default");
    let both = [
        "build dev-libs/openssl-3.0 for g1",
        "build net-misc/curl-8.0 for g1 g2",
    ];
    assert_eq!(waiting(&history, "build.default"), both);
    let issued_at = queues(&history)["build.default"].waiting[0].issued_at;
    assert_eq!(history.now().duration_since(issued_at).as_secs(), 60);

    history.claim(openssl.clone(), 1, "builder@b1");
    assert_eq!(waiting(&history, "build.default"), both[1..]);
    assert_eq!(
        claimed(&history, "build.default"),
        ["builder@b1: build dev-libs/openssl-3.0 for g1"]
    );

    let job = history.job("dev-libs/openssl-3.0");
    history.say(built(&job));
    assert!(claimed(&history, "build.default").is_empty());
}

#[test]
fn only_the_last_attempt_of_a_task_is_shown() {
    let mut history = planned();
    let curl = build(&history, "net-misc/curl-8.0");
    issue(&mut history, &curl, 1, "build.default");
    history.claim(curl.clone(), 1, "builder@b1");
    issue(&mut history, &curl, 2, "build.default");
    assert_eq!(
        waiting(&history, "build.default"),
        ["build net-misc/curl-8.0 for g1 g2 (attempt 2)"]
    );
    assert!(claimed(&history, "build.default").is_empty());
}

#[test]
fn an_attempt_that_failed_is_neither_waiting_nor_claimed() {
    let mut history = planned();
    let curl = build(&history, "net-misc/curl-8.0");
    issue(&mut history, &curl, 1, "build.default");
    history.claim(curl, 1, "builder@b1");
    history.say(Event::BuildFailed(BuildFailed {
        had: None,
        run: run_id(),
        job: history.job("net-misc/curl-8.0").id,
        attempt: 1,
        builder: None,
        failure: transient("ConnectionLost"),
    }));
    assert_eq!(queues(&history).get("build.default"), None);
}

#[test]
fn a_claim_of_work_whose_issue_is_not_told_belongs_to_the_queue_of_its_task() {
    let mut history = planned();
    let curl = build(&history, "net-misc/curl-8.0");
    history.claim(curl, 1, "builder@b1");
    assert_eq!(
        claimed(&history, "build.default"),
        ["builder@b1: build net-misc/curl-8.0 for g1 g2"]
    );
}

#[test]
fn a_run_that_is_over_has_no_work_left() {
    let mut history = planned();
    let curl = build(&history, "net-misc/curl-8.0");
    issue(&mut history, &curl, 1, "build.default");
    history.say(Event::RunFinished(RunFinished {
        run: run_id(),
        outcome: RunOutcome::WithFailures,
        retries: 0,
    }));
    assert!(queues(&history).is_empty());
}
