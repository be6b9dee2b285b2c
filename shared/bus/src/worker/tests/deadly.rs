//! Work that its worker dies of.

use gentoo_updater_fleet::message::{FailureClass, WorkKey};

use super::bench::*;
use crate::testing::within;
use crate::topology::SCAN;
use crate::worker::*;

async fn failures(bench: &Bench) -> Vec<Failure> {
    let history = bench.history().await;
    let failures = history.iter().filter_map(|event| event.message.failure());
    failures.cloned().collect()
}

async fn crash_over(bench: &Bench, work: &WorkKey) {
    let mut worker = Running::start(bench, bench.spec("scanner@1"));
    assert_eq!(worker.called().await, *work);
    worker.crash().await;
}

#[tokio::test]
async fn a_command_that_killed_its_worker_three_times_is_given_up_and_becomes_a_dead_letter() {
    let bench = Bench::new().await;
    let command = bench.issue().await;
    let work = command.message.work();
    for _ in 0..3 {
        crash_over(&bench, &work).await;
    }
    let mut worker = Running::start(&bench, bench.spec("scanner@1"));
    bench.finished(&work).await;
    let claims = folder(&bench.spec("scanner@1"), "claims");
    until_empty(&claims).await;
    let failures = failures(&bench).await;
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].cause, "KilledItsWorker");
    assert_eq!(failures[0].class, FailureClass::Permanent);
    let dead = bench.dead().await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].queue, SCAN);
    assert!(
        dead[0]
            .cause
            .starts_with("KilledItsWorker: scanner@1 died 3 times")
    );
    assert_eq!(dead[0].body, command.encode().unwrap());

    let next = bench.issue().await.message.work();
    assert_eq!(
        worker.called().await,
        next,
        "the worker goes on with the rest"
    );
}

#[tokio::test]
async fn a_stop_in_good_order_is_no_death() {
    let bench = Bench::new().await;
    let work = bench.issue().await.message.work();
    let mut spec = bench.spec("scanner@1");
    spec.grace = Duration::ZERO;
    for _ in 0..5 {
        let mut worker = Running::start(&bench, spec.clone());
        assert_eq!(worker.called().await, work);
        worker.stop().await.unwrap();
    }
    let mut worker = Running::start(&bench, spec);
    assert_eq!(worker.called().await, work);
    worker.release();
    bench.finished(&work).await;
    assert_eq!(failures(&bench).await, []);
}

#[tokio::test]
async fn what_was_under_way_beside_deadly_work_is_resumed_alone_and_not_blamed() {
    let bench = Bench::new().await;
    let works = [
        bench.issue().await.message.work(),
        bench.issue().await.message.work(),
    ];
    for _ in 0..2 {
        let mut worker = Running::start(&bench, bench.spec("scanner@1"));
        let mut called = [worker.called().await, worker.called().await];
        called.sort();
        assert_eq!(called.iter().collect::<Vec<_>>(), {
            let mut works: Vec<_> = works.iter().collect();
            works.sort();
            works
        });
        worker.crash().await;
    }
    // From here on the one that is resumed first kills its worker; the other one never runs.
    let mut alive = bench.bus.alive().await.unwrap();
    let mut worker = Running::start(&bench, bench.spec("scanner@1"));
    let deadly = worker.called().await;
    within(async {
        loop {
            if let Event::WorkerAlive(alive) = alive.next().await.unwrap().message
                && alive.working_on.len() == 2
            {
                return;
            }
        }
    })
    .await;
    assert!(worker.calls.try_recv().is_err(), "one at a time");
    worker.crash().await;

    let mut worker = Running::start(&bench, bench.spec("scanner@1"));
    let innocent = worker.called().await;
    assert_ne!(innocent, deadly);
    worker.release();
    for work in &works {
        bench.finished(work).await;
    }
    let blamed = bench.view.read(|fleet| {
        let failed = works.iter().filter(|work| {
            let run = &fleet.runs[&work.run];
            run.failure(&work.task).is_some()
        });
        failed.cloned().collect::<Vec<_>>()
    });
    assert_eq!(blamed, [deadly]);
}
