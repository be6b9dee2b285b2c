//! A machine that is unfit gets no work.

use gentoo_updater_fleet::message::{FailureClass, WorkKey};
use gentoo_updater_fleet::state::Fleet;

use super::bench::*;
use crate::testing::{scan_command, within};
use crate::topology::SCAN;
use crate::worker::readiness::Pauses;
use crate::worker::*;

const SHORT: Pauses = Pauses {
    first: Duration::from_millis(1),
    longest_unready: Duration::from_millis(1),
    longest_left: Duration::from_millis(1),
};
const LONG: Pauses = Pauses {
    first: Duration::from_secs(3600),
    longest_unready: Duration::from_secs(3600),
    longest_left: Duration::from_secs(3600),
};

fn off() -> Failure {
    Failure::new(FailureClass::Transient, "Unreachable", "it is off")
}

fn builder(bench: &Bench, id: &str) -> WorkerSpec {
    WorkerSpec {
        slots: 1,
        builder: Some("spare".parse().unwrap()),
        ..bench.spec(id)
    }
}

async fn failed(bench: &Bench, work: &WorkKey) {
    let has_failed = |fleet: &Fleet| {
        let task = fleet.runs.get(&work.run)?.tasks.get(&work.task)?;
        Some(task.attempts.get(&work.attempt)?.failure.is_some())
    };
    within(
        bench
            .view
            .wait_until(|fleet| has_failed(fleet) == Some(true)),
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_worker_whose_machine_is_unfit_takes_nothing_and_leaves_it_to_others() {
    let bench = Bench::new().await;
    let command = bench.issue().await;
    let spec = builder(&bench, "builder@spare");
    let mut unfit = Running::start_unfit(&bench, spec, None, Some(off()), SHORT);
    unfit.asked(3).await;
    let mut fit = Running::start(&bench, builder(&bench, "builder@fast"));
    assert_eq!(fit.called().await, command.message.work());
    assert!(unfit.calls.try_recv().is_err());
    unfit.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_takes_commands_when_its_machine_becomes_fit() {
    let bench = Bench::new().await;
    let command = bench.issue().await;
    let spec = builder(&bench, "builder@spare");
    let mut worker = Running::start_unfit(&bench, spec, None, Some(off()), SHORT);
    worker.asked(2).await;
    *worker.handler.unfit.lock().unwrap() = None;
    assert_eq!(worker.called().await, command.message.work());
}

#[tokio::test]
async fn a_stop_is_obeyed_while_the_machine_is_unfit_and_signs_of_life_go_on() {
    let bench = Bench::new().await;
    let mut alive = bench.bus.alive().await.unwrap();
    let mut spec = builder(&bench, "builder@spare");
    spec.heartbeat = Duration::from_millis(1);
    let worker = Running::start_unfit(&bench, spec, None, Some(off()), LONG);
    worker.asked(1).await;
    for _ in 0..5 {
        within(alive.next()).await.unwrap();
    }
    worker.stop().await.unwrap();
}

#[tokio::test]
async fn after_a_failure_of_the_machine_it_is_asked_before_the_next_command() {
    let bench = Bench::new().await;
    let first = bench.issue().await;
    let spec = builder(&bench, "builder@spare");
    let mut worker = Running::start_unfit(&bench, spec, Some(off()), None, SHORT);
    assert_eq!(worker.called().await, first.message.work());
    let asked = worker.times_asked();
    *worker.handler.unfit.lock().unwrap() = Some(off());
    let second = bench.issue().await;
    worker.release();
    worker.asked(asked + 3).await;
    assert!(worker.calls.try_recv().is_err());
    *worker.handler.unfit.lock().unwrap() = None;
    assert_eq!(worker.called().await, second.message.work());
}

#[tokio::test]
async fn after_a_failure_of_its_machine_a_worker_pauses_so_that_an_idle_one_gets_the_rest() {
    let bench = Bench::new().await;
    let first = bench.issue().await;
    let spec = builder(&bench, "builder@spare");
    let mut broken = Running::start_unfit(&bench, spec, Some(off()), None, LONG);
    broken.called().await;
    let mut busy = Running::start(&bench, builder(&bench, "builder@fast"));
    let other = bench.issue().await;
    assert_eq!(busy.called().await, other.message.work());
    broken.release();
    failed(&bench, &first.message.work()).await;
    let last = bench.issue().await;
    busy.release();
    assert_eq!(busy.called().await, last.message.work());
    assert!(broken.calls.try_recv().is_err());
    broken.stop().await.unwrap();
}

#[tokio::test]
async fn the_next_attempt_waits_for_a_busy_worker_and_is_not_taken_by_the_one_that_failed() {
    let bench = Bench::new().await;
    let mut busy = Running::start(&bench, builder(&bench, "builder@fast"));
    bench.issue().await;
    busy.called().await;
    let spec = builder(&bench, "builder@spare");
    let mut broken = Running::start_unfit(&bench, spec, Some(off()), None, SHORT);
    let first = bench.issue().await.message.work();
    assert_eq!(broken.called().await, first);
    broken.release();
    failed(&bench, &first).await;
    let second = scan_command(first.run, 2);
    bench.bus.issue(SCAN, &second).await.unwrap();
    let asked = broken.times_asked();
    broken.asked(asked + 5).await;
    assert!(broken.calls.try_recv().is_err());
    busy.release();
    assert_eq!(busy.called().await, second.message.work());
    broken.stop().await.unwrap();
}

#[tokio::test]
async fn a_copy_of_a_command_whose_work_is_done_is_dropped_and_left_to_nobody() {
    let bench = Bench::new().await;
    let spec = builder(&bench, "builder@spare");
    let mut broken = Running::start_unfit(&bench, spec, Some(off()), None, SHORT);
    let first = bench.issue().await.message.work();
    assert_eq!(broken.called().await, first);
    broken.release();
    failed(&bench, &first).await;
    broken.stop().await.unwrap();
    let mut other = Running::start(&bench, builder(&bench, "builder@fast"));
    let second = scan_command(first.run, 2);
    bench.bus.issue(SCAN, &second).await.unwrap();
    assert_eq!(other.called().await, second.message.work());
    other.release();
    bench.finished(&second.message.work()).await;
    other.stop().await.unwrap();

    let _broken = Running::start(&bench, builder(&bench, "builder@spare"));
    bench.bus.issue(SCAN, &second).await.unwrap();
    bench.settled().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_says_again_every_day_that_it_is_there_and_that_its_machine_is_unfit() {
    let bench = Bench::new().await;
    let mut spec = builder(&bench, "builder@spare");
    spec.heartbeat = Duration::from_secs(3600);
    let id = spec.id.clone();
    let worker = Running::start_unfit(&bench, spec, None, Some(off()), LONG);
    let registered = |fleet: &Fleet| {
        let worker = fleet.workers.get(&id)?;
        worker.paused.is_some().then_some(worker.offset)
    };
    let mut first = None;
    for day in 0..3 {
        let news = bench
            .view
            .wait_until(|fleet| registered(fleet).is_some_and(|offset| Some(offset) > first));
        let limit = Duration::from_secs(25 * 3600);
        tokio::time::timeout(limit, news).await.unwrap().unwrap();
        first = bench.view.read(registered);
        assert_eq!(bench.count("WorkerRegistered").await, day + 1);
    }
    worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_for_many_guests_goes_on_when_one_of_them_is_off() {
    let bench = Bench::new().await;
    let _other = Running::start_unfit(&bench, bench.spec("scanner@2"), None, Some(off()), LONG);
    let spec = bench.spec("scanner@1");
    let mut worker = Running::start_unfit(&bench, spec, Some(off()), None, LONG);
    for _ in 0..2 {
        let work = bench.issue().await.message.work();
        assert_eq!(worker.called().await, work);
        worker.release();
        failed(&bench, &work).await;
    }
}

#[tokio::test]
async fn a_worker_registers_anew_when_its_machine_turns_out_to_be_another_one() {
    let bench = Bench::new().await;
    let spec = builder(&bench, "builder@spare");
    let id = spec.id.clone();
    let mut worker = Running::start_unfit(&bench, spec, Some(off()), None, SHORT);
    // At first nobody has asked the machine.
    let has_come_up = |fleet: &Fleet| fleet.workers.contains_key(&id);
    within(bench.view.wait_until(has_come_up)).await.unwrap();
    let machine = |platform: &str| BuilderMachine {
        capacity: None,
        builder: "spare".parse().unwrap(),
        platform: platform.parse().unwrap(),
        compiles_as: None,
        slots: Some(2),
    };
    for platform in ["one", "other"] {
        // A failure of the machine has it looked at again.
        *worker.handler.machine.lock().unwrap() = Some(machine(platform));
        bench.issue().await;
        worker.called().await;
        worker.release();
        let is_known = |fleet: &Fleet| {
            let registered = fleet.workers.get(&id);
            registered.is_some_and(|worker| worker.machine.as_ref() == Some(&machine(platform)))
        };
        within(bench.view.wait_until(is_known)).await.unwrap();
    }
    assert_eq!(bench.count("WorkerRegistered").await, 3);
    assert_eq!(bench.count("WorkerPaused").await, 0);
    worker.stop().await.unwrap();
}

#[tokio::test]
async fn what_the_machine_tells_of_former_builds_is_told_once_however_often_the_worker_restarts() {
    let bench = Bench::new().await;
    let log = |durations: &[(&str, u64)]| -> Durations {
        let all = durations.iter();
        all.map(|(name, duration)| (name.parse().unwrap(), *duration))
            .collect()
    };
    let first = log(&[("a/a", 9000), ("a/b", 7000)]);
    let grown = log(&[("a/a", 9000), ("a/b", 7000), ("a/c", 1000)]);
    for (start, durations) in [&first, &first, &grown, &grown].into_iter().enumerate() {
        let spec = builder(&bench, "builder@spare");
        let id = spec.id.clone();
        let worker = Running::start_unfit(&bench, spec, None, Some(off()), SHORT);
        worker.asked(1).await;
        let machine = BuilderMachine {
            capacity: None,
            builder: "spare".parse().unwrap(),
            platform: format!("p{start}").parse().unwrap(),
            compiles_as: None,
            slots: Some(1),
        };
        *worker.handler.machine.lock().unwrap() = Some(machine.clone());
        *worker.handler.durations.lock().unwrap() = Arc::new(durations.clone());
        *worker.handler.unfit.lock().unwrap() = None;
        // Whoever knows the machine knows what there is to know of its durations.
        let is_known = |fleet: &Fleet| {
            let registered = fleet.workers.get(&id);
            registered.is_some_and(|worker| worker.machine.as_ref() == Some(&machine))
        };
        within(bench.view.wait_until(is_known)).await.unwrap();
        assert!(bench.view.read(|fleet| fleet.durations == *durations));
        worker.stop().await.unwrap();
    }
    let told: Vec<_> = bench
        .history()
        .await
        .into_iter()
        .filter_map(|event| match event.message {
            Event::DurationsLearned(told) => Some((told.builder.to_string(), told.durations)),
            _ => None,
        })
        .collect();
    let spare = || "spare".to_owned();
    assert_eq!(told, [(spare(), first), (spare(), log(&[("a/c", 1000)]))]);
}

#[tokio::test]
async fn a_worker_takes_no_more_than_its_machine_can_do_at_once() {
    let mut bench = Bench::new().await;
    bench.at_once = 1;
    let first = bench.issue().await;
    let mut limited = Running::start(&bench, bench.spec("one"));
    assert_eq!(limited.called().await, first.message.work());
    bench.at_once = u16::MAX;
    let mut other = Running::start(&bench, bench.spec("other"));
    // It has two slots, as the first one has.
    for _ in 0..2 {
        let next = bench.issue().await;
        assert_eq!(other.called().await, next.message.work());
    }
    assert!(limited.calls.try_recv().is_err());
    let last = bench.issue().await;
    limited.release();
    assert_eq!(limited.called().await, last.message.work());
}
