use std::path::Path;
use std::sync::Arc;

use gentoo_updater_fleet::message::{Envelope, FailureClass, WorkKey, WorkStarted, WorkerAlive};
use gentoo_updater_fleet::name::{EventId, RunId};
use tempfile::TempDir;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::embedded::{DeadLetter, Embedded};
use crate::follow::FleetView;
use crate::seam::{Bus, Position};
use crate::testing::{run_requested, said, scan_command, scan_failed, scanned, within};
use crate::topology::SCAN;

/// Says when it is called, and ends when the test lets it.
struct Stepped {
    called: mpsc::UnboundedSender<WorkKey>,
    released: Semaphore,
    failure: Option<Failure>,
}

#[async_trait]
impl Handler for Stepped {
    async fn handle(&self, command: &Command) -> Event {
        self.called.send(command.work()).unwrap();
        self.released.acquire().await.unwrap().forget();
        match (command, &self.failure) {
            (_, Some(failure)) => scan_failed(command, failure.clone()),
            (Command::ScanGuest(scan), None) => scanned(scan),
            (other, None) => panic!("no test issues {}", other.kind()),
        }
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        scan_failed(command, failure)
    }
}

struct Panicking;

#[async_trait]
impl Handler for Panicking {
    async fn handle(&self, _: &Command) -> Event {
        panic!("out of cheese")
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        scan_failed(command, failure)
    }
}

struct Bench {
    directory: TempDir,
    embedded: Arc<Embedded>,
    bus: Arc<dyn Bus>,
    view: FleetView,
}

impl Bench {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let embedded = Arc::new(
            Embedded::open(directory.path().join("journal"))
                .await
                .unwrap(),
        );
        let bus: Arc<dyn Bus> = embedded.clone();
        let view = FleetView::follow(bus.clone(), CancellationToken::new())
            .await
            .unwrap();
        Self {
            directory,
            embedded,
            bus,
            view,
        }
    }

    /// A run with one command in the queue of the scanners.
    async fn issue(&self) -> Envelope<Command> {
        let run = RunId::generate();
        self.bus.publish(&run_requested(run)).await.unwrap();
        let command = scan_command(run, 1);
        self.bus.issue(SCAN, &command).await.unwrap();
        command
    }

    fn spec(&self, id: &str) -> WorkerSpec {
        WorkerSpec {
            id: id.parse().unwrap(),
            role: Role::Scanner,
            queues: vec![SCAN.to_owned()],
            slots: 2,
            state_directory: self.directory.path().join(id),
            heartbeat: Duration::from_secs(10),
            grace: Duration::from_secs(10),
            read_back: true,
            builder: None,
        }
    }

    async fn history(&self) -> Vec<Envelope<Event>> {
        let Some(end) = self.bus.end().await.unwrap() else {
            return Vec::new();
        };
        let mut history = self.bus.history(Position::First).await.unwrap();
        let mut events = Vec::new();
        loop {
            let item = within(history.next()).await.unwrap();
            events.push(item.event.unwrap());
            if item.offset >= end {
                return events;
            }
        }
    }

    async fn count(&self, kind: &str) -> usize {
        self.history()
            .await
            .iter()
            .filter(|event| event.message.kind() == kind)
            .count()
    }

    async fn finished(&self, work: &WorkKey) {
        within(self.view.wait_until(|fleet| fleet.is_finished(work)))
            .await
            .unwrap();
    }

    async fn dead(&self) -> Vec<DeadLetter> {
        self.embedded.dead_letters().await.unwrap()
    }

    /// Waits until every command is settled.
    async fn settled(&self) {
        within(async {
            while !self.embedded.queue_lengths().await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

struct Running {
    handler: Arc<Stepped>,
    calls: mpsc::UnboundedReceiver<WorkKey>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl Running {
    fn start(bench: &Bench, spec: WorkerSpec) -> Self {
        Self::start_failing(bench, spec, None)
    }

    fn start_failing(bench: &Bench, spec: WorkerSpec, failure: Option<Failure>) -> Self {
        let (called, calls) = mpsc::unbounded_channel();
        let handler = Arc::new(Stepped {
            called,
            released: Semaphore::new(0),
            failure,
        });
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(
            bench.bus.clone(),
            spec,
            handler.clone(),
            stop.clone(),
        ));
        Self {
            handler,
            calls,
            stop,
            task,
        }
    }

    async fn called(&mut self) -> WorkKey {
        within(self.calls.recv()).await.unwrap()
    }

    fn release(&self) {
        self.handler.released.add_permits(1);
    }

    async fn stop(self) -> Result<(), WorkerError> {
        self.stop.cancel();
        within(self.task).await.unwrap()
    }

    /// As a SIGKILL would: nothing is finished in good order.
    async fn crash(self) {
        self.task.abort();
        assert!(within(self.task).await.unwrap_err().is_cancelled());
    }
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

async fn until_empty(folder: &Path) {
    within(async {
        while files(folder) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_command_is_claimed_worked_on_and_answered_once() {
    let bench = Bench::new().await;
    let command = bench.issue().await;
    let spec = bench.spec("scanner@1");
    let state = spec.state_directory.clone();
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
    let claims = spec.state_directory.join("claims");
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
    until_empty(&spec.state_directory.join("claims")).await;
    until_empty(&spec.state_directory.join("results")).await;
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
    until_empty(&spec.state_directory.join("claims")).await;
    again.stop.cancel();
    within(again.task).await.unwrap().unwrap();
    assert!(again.calls.try_recv().is_err());
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
    let claims = spec.state_directory.join("claims");
    std::fs::create_dir_all(&claims).unwrap();
    let name = EventId::generate().to_string();
    std::fs::write(claims.join(format!("{name}.json")), "{\"v\":1").unwrap();
    let command = bench.issue().await;
    let mut worker = Running::start(&bench, spec);
    assert_eq!(worker.called().await, command.message.work());
    assert!(claims.join(format!("{name}.unreadable")).exists());
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
