//! Crashes, stops and what is found on the disk after them.

use gentoo_updater_fleet::message::{WorkKey, WorkStarted};
use gentoo_updater_fleet::name::EventId;

use super::bench::*;
use crate::testing::{said, scanned, within};
use crate::worker::*;

#[tokio::test]
async fn a_worker_that_was_killed_resumes_its_claim_and_publishes_the_result_once() {
    let bench = Bench::new().await;
    let command = bench.issue().await;
    let work = command.message.work();
    let mut killed = Running::start(&bench, bench.spec("scanner@1"));
    killed.called().await;
    killed.crash().await;

    let mut again = Running::start(&bench, bench.spec("scanner@1"));
    assert_eq!(again.called().await, work);
    again.release();
    bench.finished(&work).await;
    bench.settled().await;
    again.stop().await.unwrap();
    assert_eq!(bench.count("GuestScanned").await, 1);
    assert_eq!(
        bench.count("WorkStarted").await,
        1,
        "the claim in the history is still its own"
    );
}

#[tokio::test]
async fn a_worker_that_resumes_work_in_all_its_slots_looks_at_its_machine_meanwhile() {
    let bench = Bench::new().await;
    let work = bench.issue().await.message.work();
    let spec = WorkerSpec {
        slots: 1,
        ..bench.spec("scanner@1")
    };
    let mut killed = Running::start(&bench, spec.clone());
    killed.called().await;
    killed.crash().await;

    let mut again = Running::start(&bench, spec);
    assert_eq!(again.called().await, work);
    // What it says of itself is known from this look alone, and others wait for it.
    again.asked(1).await;
    assert_eq!(bench.count("GuestScanned").await, 0, "it still works");
    again.release();
    bench.finished(&work).await;
    again.stop().await.unwrap();
}

#[tokio::test]
async fn a_result_that_was_not_confirmed_before_the_crash_is_published_after_it() {
    let bench = Bench::new().await;
    let command = bench.issue().await;
    let Command::ScanGuest(scan) = &command.message else {
        panic!()
    };
    let spec = bench.spec("scanner@1");
    let mut killed = Running::start(&bench, spec.clone());
    killed.called().await;
    killed.crash().await;
    // What the worker would have written had it been killed one step later.
    let store = within(async {
        loop {
            match store::Store::open(&spec).await {
                Ok(store) => return store,
                Err(WorkerError::InUse { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await;
    let result = said(scanned(scan));
    store
        .write_result(command.message.id().unwrap(), &result)
        .await
        .unwrap();
    drop(store);

    let mut again = Running::start(&bench, spec.clone());
    bench.finished(&command.message.work()).await;
    until_empty(&folder(&spec, "claims")).await;
    until_empty(&folder(&spec, "results")).await;
    again.stop.cancel();
    within(again.task).await.unwrap().unwrap();
    assert!(
        again.calls.try_recv().is_err(),
        "it was not worked on again"
    );
    assert_eq!(
        bench
            .history()
            .await
            .iter()
            .filter(|event| event.id == result.id)
            .count(),
        1
    );
}

#[tokio::test]
async fn a_claim_on_the_disk_is_void_when_its_run_went_on_without_this_worker() {
    let bench = Bench::new().await;
    let command = bench.issue().await;
    let Command::ScanGuest(scan) = &command.message else {
        panic!()
    };
    let spec = bench.spec("scanner@1");
    let mut killed = Running::start(&bench, spec.clone());
    killed.called().await;
    killed.crash().await;
    bench.bus.publish(&said(scanned(scan))).await.unwrap();

    let mut again = Running::start(&bench, spec.clone());
    until_empty(&folder(&spec, "claims")).await;
    again.stop.cancel();
    within(again.task).await.unwrap().unwrap();
    assert!(again.calls.try_recv().is_err());
}

#[tokio::test]
async fn a_claim_of_its_own_is_void_when_a_later_attempt_is_claimed() {
    let bench = Bench::new().await;
    let work = bench.issue().await.message.work();
    let spec = bench.spec("scanner@1");
    let mut killed = Running::start(&bench, spec.clone());
    killed.called().await;
    killed.crash().await;
    let later = WorkStarted {
        work: WorkKey { attempt: 2, ..work },
        worker: "scanner@2".parse().unwrap(),
        builder: None,
    };
    let later = said(Event::WorkStarted(later));
    bench.bus.publish(&later).await.unwrap();

    let mut again = Running::start(&bench, spec.clone());
    until_empty(&folder(&spec, "claims")).await;
    again.stop.cancel();
    within(again.task).await.unwrap().unwrap();
    assert!(again.calls.try_recv().is_err());
}

#[tokio::test]
async fn after_the_stop_running_work_is_finished_and_its_result_published() {
    let bench = Bench::new().await;
    let command = bench.issue().await;
    let mut worker = Running::start(&bench, bench.spec("scanner@1"));
    worker.called().await;
    worker.stop.cancel();
    let later = bench.issue().await;
    worker.release();
    within(worker.task).await.unwrap().unwrap();
    bench.finished(&command.message.work()).await;
    assert_eq!(
        bench
            .view
            .read(|fleet| fleet.claim(&later.message.work()).cloned()),
        None
    );
}

#[tokio::test]
async fn work_that_outlasts_the_grace_stays_claimed_and_is_resumed() {
    let bench = Bench::new().await;
    let command = bench.issue().await;
    let mut spec = bench.spec("scanner@1");
    spec.grace = Duration::ZERO;
    let mut worker = Running::start(&bench, spec.clone());
    worker.called().await;
    worker.stop().await.unwrap();
    assert_eq!(bench.count("GuestScanned").await, 0);
    let mut again = Running::start(&bench, spec);
    assert_eq!(again.called().await, command.message.work());
}

#[tokio::test]
async fn two_workers_of_one_name_do_not_run_at_once() {
    let bench = Bench::new().await;
    let mut first = Running::start(&bench, bench.spec("scanner@1"));
    bench.issue().await;
    first.called().await;
    let second = Running::start(&bench, bench.spec("scanner@1"));
    let error = within(second.task).await.unwrap().unwrap_err();
    assert!(matches!(error, WorkerError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("scanner@1"));
}

#[tokio::test]
async fn a_claim_that_cannot_be_read_is_set_aside_and_does_not_stop_the_worker() {
    let bench = Bench::new().await;
    let spec = bench.spec("scanner@1");
    let claims = folder(&spec, "claims");
    std::fs::create_dir_all(&claims).unwrap();
    let name = EventId::generate().to_string();
    std::fs::write(claims.join(format!("{name}.json")), "{\"v\":1").unwrap();
    let command = bench.issue().await;
    let mut worker = Running::start(&bench, spec);
    assert_eq!(worker.called().await, command.message.work());
    assert!(claims.join(format!("{name}.unreadable")).exists());
}

#[tokio::test]
async fn a_state_in_memory_outlives_its_worker_and_has_one_at_a_time() {
    let bench = Bench::new().await;
    let command = bench.issue().await;
    let directory = MemoryDirectory::default();
    let spec = WorkerSpec {
        state_directory: StateDirectory::Memory(directory.clone()),
        ..bench.spec("scanner@1")
    };
    let mut killed = Running::start(&bench, spec.clone());
    let work = killed.called().await;
    assert_eq!(work, command.message.work());
    let id = command.message.id().unwrap();
    let files = [format!("begun/{id}"), format!("claims/{id}.json")];
    assert_eq!(directory.names(), files);
    let refused = Running::start(&bench, spec.clone());
    assert!(matches!(
        within(refused.task).await.unwrap(),
        Err(WorkerError::InUse { .. })
    ));
    killed.crash().await;

    let mut again = Running::start(&bench, spec);
    assert_eq!(again.called().await, work);
    again.release();
    bench.finished(&work).await;
    within(async {
        while !directory.names().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    again.stop().await.unwrap();
}
