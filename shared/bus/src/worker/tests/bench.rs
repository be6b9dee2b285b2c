//! What the tests of the worker loop share.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use gentoo_updater_fleet::message::{Envelope, WorkKey};
use gentoo_updater_fleet::name::RunId;
use tempfile::TempDir;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::SystemClock;
use crate::embedded::Embedded;
use crate::follow::FleetView;
use crate::seam::{Bus, DeadLetter, Inspect, Position};
use crate::testing::{run_requested, scan_command, scan_failed, scanned, within};
use crate::topology::SCAN;
use crate::worker::readiness::Pauses;
use crate::worker::serve::serve_pausing;
use crate::worker::*;

/// Says when it is called, and ends when the test lets it.
pub(super) struct Stepped {
    pub(super) called: mpsc::UnboundedSender<WorkKey>,
    pub(super) released: Semaphore,
    pub(super) failure: Option<Failure>,
    /// What it says of its machine.
    pub(super) unfit: Mutex<Option<Failure>>,
    /// What its machine is, once it was asked.
    pub(super) machine: Mutex<Option<BuilderMachine>>,
    /// How long packages took to be built there before.
    pub(super) durations: Mutex<Arc<Durations>>,
    /// How often it was asked.
    pub(super) asked: watch::Sender<usize>,
    /// How much it says that its machine can do at once.
    pub(super) at_once: u16,
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

    async fn ready(&self) -> Result<(), Failure> {
        self.asked.send_modify(|asked| *asked += 1);
        let unfit = self.unfit.lock().unwrap().clone();
        unfit.map_or(Ok(()), Err)
    }

    fn machine(&self) -> Option<BuilderMachine> {
        self.machine.lock().unwrap().clone()
    }

    fn durations(&self) -> Arc<Durations> {
        self.durations.lock().unwrap().clone()
    }

    fn at_once(&self) -> u16 {
        self.at_once
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        scan_failed(command, failure)
    }
}

pub(super) struct Panicking;

#[async_trait]
impl Handler for Panicking {
    async fn handle(&self, _: &Command) -> Event {
        panic!("out of cheese")
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        scan_failed(command, failure)
    }
}

pub(super) struct Bench {
    pub(super) directory: TempDir,
    pub(super) embedded: Arc<Embedded>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) view: FleetView,
    /// How much the machine of the next worker can do at once.
    pub(super) at_once: u16,
}

impl Bench {
    pub(super) async fn new() -> Self {
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
            at_once: u16::MAX,
        }
    }

    /// A run with one command in the queue of the scanners.
    pub(super) async fn issue(&self) -> Envelope<Command> {
        let run = RunId::generate();
        self.bus.publish(&run_requested(run)).await.unwrap();
        let command = scan_command(run, 1);
        self.bus.issue(SCAN, &command).await.unwrap();
        command
    }

    pub(super) fn spec(&self, id: &str) -> WorkerSpec {
        WorkerSpec {
            id: id.parse().unwrap(),
            clock: Arc::new(SystemClock),
            role: Role::Scanner,
            queues: vec![SCAN.to_owned()],
            slots: 2,
            state_directory: self.directory.path().join(id).into(),
            heartbeat: Duration::from_secs(10),
            grace: Duration::from_secs(10),
            read_back: true,
            builder: None,
            pulse: Pulse::default(),
        }
    }

    pub(super) async fn history(&self) -> Vec<Envelope<Event>> {
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

    pub(super) async fn count(&self, kind: &str) -> usize {
        self.history()
            .await
            .iter()
            .filter(|event| event.message.kind() == kind)
            .count()
    }

    pub(super) async fn finished(&self, work: &WorkKey) {
        within(self.view.wait_until(|fleet| fleet.is_finished(work)))
            .await
            .unwrap();
    }

    pub(super) async fn dead(&self) -> Vec<DeadLetter> {
        self.embedded.dead_letters(usize::MAX).await.unwrap()
    }

    /// Waits until every command is settled.
    pub(super) async fn settled(&self) {
        within(async {
            while !self.embedded.queue_lengths().await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

pub(super) struct Running {
    pub(super) handler: Arc<Stepped>,
    pub(super) calls: mpsc::UnboundedReceiver<WorkKey>,
    pub(super) stop: CancellationToken,
    pub(super) task: JoinHandle<Result<(), WorkerError>>,
}

impl Running {
    pub(super) fn start(bench: &Bench, spec: WorkerSpec) -> Self {
        Self::start_failing(bench, spec, None)
    }

    pub(super) fn start_failing(bench: &Bench, spec: WorkerSpec, failure: Option<Failure>) -> Self {
        Self::start_unfit(bench, spec, failure, None, Pauses::default())
    }

    pub(super) fn start_unfit(
        bench: &Bench,
        spec: WorkerSpec,
        failure: Option<Failure>,
        unfit: Option<Failure>,
        pauses: Pauses,
    ) -> Self {
        let (called, calls) = mpsc::unbounded_channel();
        let handler = Arc::new(Stepped {
            called,
            released: Semaphore::new(0),
            failure,
            unfit: Mutex::new(unfit),
            machine: Mutex::default(),
            durations: Mutex::default(),
            asked: watch::Sender::new(0),
            at_once: bench.at_once,
        });
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve_pausing(
            bench.bus.clone(),
            spec,
            handler.clone(),
            stop.clone(),
            pauses,
        ));
        Self {
            handler,
            calls,
            stop,
            task,
        }
    }

    /// Waits until the worker has asked this often whether its machine is fit.
    pub(super) async fn asked(&self, times: usize) {
        let mut asked = self.handler.asked.subscribe();
        within(asked.wait_for(|asked| *asked >= times))
            .await
            .unwrap();
    }

    pub(super) fn times_asked(&self) -> usize {
        *self.handler.asked.borrow()
    }

    pub(super) async fn called(&mut self) -> WorkKey {
        within(self.calls.recv()).await.unwrap()
    }

    pub(super) fn release(&self) {
        self.handler.released.add_permits(1);
    }

    pub(super) async fn stop(self) -> Result<(), WorkerError> {
        self.stop.cancel();
        within(self.task).await.unwrap()
    }

    /// As a SIGKILL would: nothing is finished in good order.
    pub(super) async fn crash(self) {
        self.task.abort();
        assert!(within(self.task).await.unwrap_err().is_cancelled());
    }
}

/// A folder of a worker's state directory.
pub(super) fn folder(spec: &WorkerSpec, name: &str) -> PathBuf {
    match &spec.state_directory {
        StateDirectory::Folder(path) => path.join(name),
        StateDirectory::Memory(_) => panic!("these tests keep the state in files"),
    }
}

pub(super) fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

pub(super) async fn until_empty(folder: &Path) {
    within(async {
        while files(folder) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
