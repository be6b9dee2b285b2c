//! A worker that works for as long as its test wants.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gentoo_updater_bus::topology::SCAN;
use gentoo_updater_bus::worker::{Handler, WorkerSpec};
use gentoo_updater_bus::{Pulse, SystemClock};
use gentoo_updater_fleet::message::{Command, Event, Failure, Role, WorkKey};
use tokio::sync::{Semaphore, mpsc};

use super::messages::{scan_failed, scanned};

/// Says what it is called with, and ends when the test lets it.
pub(crate) struct Slow {
    called: mpsc::UnboundedSender<WorkKey>,
    pub(crate) released: Semaphore,
}

impl Slow {
    pub(crate) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<WorkKey>) {
        let (called, calls) = mpsc::unbounded_channel();
        let released = Semaphore::new(0);
        (Arc::new(Self { called, released }), calls)
    }
}

#[async_trait]
impl Handler for Slow {
    async fn handle(&self, command: &Command) -> Event {
        self.called.send(command.work()).unwrap();
        self.released.acquire().await.unwrap().forget();
        match command {
            Command::ScanGuest(scan) => scanned(scan),
            other => panic!("no test issues {}", other.kind()),
        }
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        scan_failed(command, failure)
    }
}

/// A scanner with its state below `directory`.
pub(crate) fn scanner(id: &str, slots: u16, directory: &Path) -> WorkerSpec {
    WorkerSpec {
        id: id.parse().unwrap(),
        clock: Arc::new(SystemClock),
        role: Role::Scanner,
        queues: vec![SCAN.to_owned()],
        slots,
        state_directory: directory.join(id).into(),
        heartbeat: Duration::from_secs(1),
        grace: Duration::from_secs(10),
        read_back: true,
        builder: None,
        pulse: Pulse::default(),
    }
}
