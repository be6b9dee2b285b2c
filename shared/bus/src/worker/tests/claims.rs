//! Who works, and that it is done once.

use std::sync::Arc;

use gentoo_updater_fleet::message::{
    FailureClass, RunFinished, RunOutcome, WorkKey, WorkStarted, WorkerAlive,
};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::state::{Fleet, KEPT_RUNS};
use tokio_util::sync::CancellationToken;

use super::bench::*;
use crate::testing::{run_requested, said, scan_command, within};
use crate::topology::SCAN;
use crate::worker::*;

#[tokio::test]
async fn a_command_is_claimed_worked_on_and_answered_once() {
    let bench = Bench::new().await;
    let command = bench.issue().await;
    let spec = bench.spec("scanner@1");
    let state = folder(&spec, "");
    let mut worker = Running::start(&bench, spec);
    assert_eq!(worker.called().await, command.message.work());
    assert_eq!(files(&state.join("claims")), 1);
    assert_eq!(
        bench
            .view
            .read(|fleet| fleet.claim(&command.message.work()).cloned()),
        Some("scanner@1".parse().unwrap())
    );
    worker.release();
    bench.finished(&command.message.work()).await;
    until_empty(&state.join("results")).await;
    assert_eq!(files(&state.join("claims")), 0);
    bench.settled().await;
    worker.stop().await.unwrap();
    let kinds: Vec<_> = bench
        .history()
        .await
        .iter()
        .map(|event| event.message.kind())
        .collect();
    assert_eq!(kinds[kinds.len() - 2..], ["WorkStarted", "GuestScanned"]);
    assert_eq!(bench.count("WorkerRegistered").await, 1);
}

#[tokio::test]
async fn of_two_workers_that_get_the_same_command_one_works() {
    let bench = Bench::new().await;
    let mut one = Running::start(&bench, bench.spec("scanner@1"));
    let mut other = Running::start(&bench, bench.spec("scanner@2"));
    let command = bench.issue().await;
    for _ in 0..5 {
        bench.bus.issue(SCAN, &command).await.unwrap();
    }
    let work = within(async {
        tokio::select! {
            work = one.calls.recv() => work,
            work = other.calls.recv() => work,
        }
    })
    .await
    .unwrap();
    bench.settled().await;
    one.release();
    other.release();
    bench.finished(&work).await;
    one.stop.cancel();
    other.stop.cancel();
    within(one.task).await.unwrap().unwrap();
    within(other.task).await.unwrap().unwrap();
    assert!(one.calls.try_recv().is_err() && other.calls.try_recv().is_err());
    assert_eq!(bench.count("GuestScanned").await, 1);
}

#[tokio::test]
async fn a_claim_that_came_second_in_the_history_is_dropped() {
    let bench = Bench::new().await;
    let run = RunId::generate();
    bench.bus.publish(&run_requested(run)).await.unwrap();
    let command = scan_command(run, 1);
    let work = command.message.work();
    let first = WorkStarted {
        work: work.clone(),
        worker: "scanner@other".parse().unwrap(),
        builder: None,
    };
    bench
        .bus
        .publish(&said(Event::WorkStarted(first)))
        .await
        .unwrap();
    bench.bus.issue(SCAN, &command).await.unwrap();
    let spec = bench.spec("scanner@1");
    let claims = folder(&spec, "claims");
    let mut worker = Running::start(&bench, spec);
    let next = bench.issue().await;
    assert_eq!(worker.called().await, next.message.work());
    worker.release();
    bench.finished(&next.message.work()).await;
    until_empty(&claims).await;
    bench.settled().await;
    worker.stop().await.unwrap();
    assert_eq!(bench.count("GuestScanned").await, 1);
}

#[tokio::test]
async fn a_panic_of_the_handler_is_a_permanent_failure_of_its_command() {
    let bench = Bench::new().await;
    let command = bench.issue().await;
    let stop = CancellationToken::new();
    let spec = bench.spec("scanner@1");
    let task = tokio::spawn(serve(
        bench.bus.clone(),
        spec,
        Arc::new(Panicking),
        stop.clone(),
    ));
    bench.finished(&command.message.work()).await;
    stop.cancel();
    within(task).await.unwrap().unwrap();
    let history = bench.history().await;
    let Event::ScanFailed(failed) = &history.last().unwrap().message else {
        panic!()
    };
    assert_eq!(failed.failure.class, FailureClass::Permanent);
    assert!(
        failed.failure.message.contains("out of cheese"),
        "{}",
        failed.failure.message
    );
}

#[tokio::test]
async fn an_attempt_that_failed_is_not_worked_on_again_when_its_command_comes_again() {
    let bench = Bench::new().await;
    let command = bench.issue().await;
    let failure = Failure::new(
        FailureClass::Transient,
        "ConnectionLost",
        "the line dropped",
    );
    let mut worker = Running::start_failing(&bench, bench.spec("scanner@1"), Some(failure));
    worker.called().await;
    worker.release();
    within(bench.view.wait_until(|fleet| {
        fleet.runs.values().any(|run| {
            run.tasks
                .values()
                .any(|task| task.attempts.values().any(|a| a.failure.is_some()))
        })
    }))
    .await
    .unwrap();
    bench.bus.issue(SCAN, &command).await.unwrap();
    bench.settled().await;
    worker.stop.cancel();
    within(worker.task).await.unwrap().unwrap();
    assert!(worker.calls.try_recv().is_err());
}

#[tokio::test]
async fn a_worker_takes_no_more_commands_than_it_has_slots_and_leaves_the_rest_to_others() {
    let bench = Bench::new().await;
    let mut spec = bench.spec("scanner@1");
    spec.slots = 1;
    let mut busy = Running::start(&bench, spec);
    bench.issue().await;
    let first = busy.called().await;
    let second = bench.issue().await;
    let mut free = Running::start(&bench, bench.spec("scanner@2"));
    assert_eq!(free.called().await, second.message.work());
    free.release();
    bench.finished(&second.message.work()).await;
    busy.release();
    bench.finished(&first).await;
}

#[tokio::test]
async fn a_command_of_a_run_that_nobody_knows_becomes_a_dead_letter() {
    let bench = Bench::new().await;
    let command = scan_command(RunId::generate(), 1);
    bench.bus.issue(SCAN, &command).await.unwrap();
    let worker = Running::start(&bench, bench.spec("scanner@1"));
    let dead = within(async {
        loop {
            let dead = bench.dead().await;
            if !dead.is_empty() {
                return dead;
            }
        }
    })
    .await;
    assert!(
        dead[0].cause.contains("does not know run"),
        "{}",
        dead[0].cause
    );
    worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_command_of_a_run_that_ended_long_ago_is_dropped_without_a_word() {
    let bench = Bench::new().await;
    let old = bench.issue().await;
    let mut run = old.message.work().run;
    for _ in 0..=KEPT_RUNS {
        let outcome = RunOutcome::Complete;
        let finished = said(Event::RunFinished(RunFinished {
            run,
            outcome,
            retries: 0,
        }));
        bench.bus.publish(&finished).await.unwrap();
        run = RunId::generate();
        bench.bus.publish(&run_requested(run)).await.unwrap();
    }
    let forgotten = old.message.work().run;
    let worker = Running::start(&bench, bench.spec("scanner@1"));
    bench.settled().await;
    let is_forgotten = |fleet: &Fleet| !fleet.runs.contains_key(&forgotten);
    assert!(bench.view.read(is_forgotten));
    assert_eq!(bench.dead().await, []);
    assert_eq!(bench.count("WorkStarted").await, 0);
    worker.stop().await.unwrap();
}

#[tokio::test]
async fn signs_of_life_name_the_work_at_once_when_it_changes() {
    let bench = Bench::new().await;
    let mut alive = bench.bus.alive().await.unwrap();
    let mut worker = Running::start(&bench, bench.spec("scanner@1"));
    let command = bench.issue().await;
    worker.called().await;
    let mut working_on = async |expected: &[WorkKey]| {
        within(async {
            loop {
                let event = alive.next().await.unwrap();
                let Event::WorkerAlive(WorkerAlive { working_on, .. }) = event.message else {
                    continue;
                };
                let working_on: Vec<_> = working_on.into_iter().map(|on| on.work).collect();
                if working_on == expected {
                    return;
                }
            }
        })
        .await;
    };
    working_on(&[command.message.work()]).await;
    worker.release();
    working_on(&[]).await;
}

#[tokio::test]
async fn a_worker_without_the_history_works_on_what_it_gets_and_once() {
    let bench = Bench::new().await;
    let mut spec = bench.spec("installer@g1");
    spec.read_back = false;
    let mut worker = Running::start(&bench, spec);
    let command = bench.issue().await;
    worker.called().await;
    bench.bus.issue(SCAN, &command).await.unwrap();
    bench.settled().await;
    worker.release();
    bench.finished(&command.message.work()).await;
    worker.stop.cancel();
    within(worker.task).await.unwrap().unwrap();
    assert!(worker.calls.try_recv().is_err());
}
