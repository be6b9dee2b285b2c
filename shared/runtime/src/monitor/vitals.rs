//! What is looked at when somebody asks how a process is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::response::Response;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Bus, Health};
use gentoo_updater_fleet::message::Role;
use gentoo_updater_fleet::name::WorkerId;
use gentoo_updater_telemetry::Metric;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::health::{self, Check, Status};
use super::meters;

/// For how long a disk may let `/health` wait: a share whose server is gone answers never.
const DISK_LIMIT: Duration = Duration::from_secs(5);

type Look = Arc<dyn Fn() -> Vec<Check> + Send + Sync>;
type Measure = Arc<dyn Fn() + Send + Sync>;

/// What a process has of workers, disks and numbers that are looked at when somebody asks. Clones
/// share it.
#[derive(Clone, Default)]
pub struct Vitals(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    bus: Connection,
    is_served: bool,
    workers: Vec<(WorkerId, Role)>,
    folders: Vec<(WorkerId, PathBuf)>,
    looks: Vec<Look>,
    measures: Vec<Measure>,
}

/// How a process is connected to others.
#[derive(Default)]
enum Connection {
    /// It needs nobody.
    #[default]
    Unneeded,
    /// There was none yet.
    NotYet,
    /// By this bus.
    By(Weak<dyn Bus>, watch::Receiver<Health>),
}

impl Connection {
    fn health(&self) -> Option<Health> {
        match self {
            Self::Unneeded => None,
            Self::NotYet => Some(Health::Disconnected("there was none yet".to_owned())),
            Self::By(_, health) => Some(health.borrow().clone()),
        }
    }
}

impl Vitals {
    /// This process does nothing without a bus, and has none yet.
    pub fn await_bus(&self) {
        describe(meters::CONNECTED);
        describe(gentoo_updater_bus::meters::METRICS);
        self.change(|known| known.bus = Connection::NotYet);
    }

    /// This process is connected to others by this bus.
    pub fn bus(&self, bus: &Arc<dyn Bus>) {
        self.bus_as(bus, bus.health());
    }

    /// The same, with what is said of its health.
    pub(super) fn bus_as(&self, bus: &Arc<dyn Bus>, health: watch::Receiver<Health>) {
        let by = Connection::By(Arc::downgrade(bus), health);
        self.change(|known| known.bus = by);
    }

    /// Whether anybody can ask.
    pub fn is_served(&self) -> bool {
        self.read(|known| known.is_served)
    }

    pub(super) fn serve(&self) {
        self.change(|known| known.is_served = true);
    }

    /// This worker works in this process.
    pub fn worker(&self, worker: &WorkerId, role: Role) {
        self.change(|known| known.workers.push((worker.clone(), role)));
    }

    /// This folder is what a worker cannot do without.
    pub fn folder(&self, worker: &WorkerId, folder: PathBuf) {
        self.change(|known| known.folders.push((worker.clone(), folder)));
    }

    /// To be looked at for `/health`. It may wait for a disk.
    pub fn look(&self, look: impl Fn() -> Vec<Check> + Send + Sync + 'static) {
        self.change(|known| known.looks.push(Arc::new(look)));
    }

    /// To be measured for `/metrics`, at once.
    pub fn measure(&self, measure: impl Fn() + Send + Sync + 'static) {
        self.change(|known| known.measures.push(Arc::new(measure)));
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn read<T>(&self, read: impl FnOnce(&Known) -> T) -> T {
        read(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn view(&self) -> Option<FleetView> {
        let bus = self.read(|known| match &known.bus {
            Connection::By(bus, _) => bus.upgrade(),
            Connection::Unneeded | Connection::NotYet => None,
        });
        FleetView::existing(&bus?)
    }

    /// Measures everything that is measured when somebody asks.
    pub(super) fn measure_all(&self) {
        if let Some(health) = self.read(|known| known.bus.health()) {
            meters::tell_bus(&health);
        }
        if let Some(view) = self.view() {
            meters::tell_history(&view);
        }
        // Not under the lock: they may take their time.
        for measure in self.read(|known| known.measures.clone()) {
            measure();
        }
    }

    /// The answer to `/health`: JSON with how everything is, and 503 while this process cannot do its work.
    pub async fn health(&self) -> Response {
        health::answer(&self.checks().await)
    }

    /// How everything is.
    pub(super) async fn checks(&self) -> Vec<Check> {
        let health = self.read(|known| known.bus.health());
        let mut checks: Vec<Check> = health.as_ref().map(Check::of_bus).into_iter().collect();
        checks.extend(self.of_workers());
        let (folders, looks) = self.read(|known| (known.folders.clone(), known.looks.clone()));
        let disks = spawn_blocking(move || {
            let folders = folders.iter().map(|(worker, path)| writable(worker, path));
            let mut checks: Vec<Check> = folders.collect();
            checks.extend(looks.iter().flat_map(|look| look()));
            checks
        });
        match timeout(DISK_LIMIT, disks).await {
            Ok(Ok(disks)) => checks.extend(disks),
            Ok(Err(_)) | Err(_) => checks.push(Check::pass("disk", None).but(
                Status::Fail,
                format!("a disk does not answer within {} s", DISK_LIMIT.as_secs()),
                "Look at the mounts below `state_directory` and the stores; a share may have lost its \
                 server",
            )),
        }
        checks
    }

    /// Who takes no work, as the history tells it.
    fn of_workers(&self) -> Vec<Check> {
        let workers = self.read(|known| known.workers.clone());
        let Some(view) = self.view() else {
            return Vec::new();
        };
        view.read(|fleet| {
            let each = workers.iter().flat_map(|(worker, role)| {
                let subject = Some(worker.to_string());
                let paused = Check::pass("paused", subject.clone());
                let paused = match fleet.pause_of(worker, *role) {
                    None => paused,
                    Some(pause) => paused.but(
                        Status::Warn,
                        format!(
                            "{} has paused it: {}",
                            pause.by,
                            pause.reason.as_deref().unwrap_or("no reason given")
                        ),
                        format!("`gentoo-updater resume {worker}`, or {role} for all of that role"),
                    ),
                };
                let machine = Check::pass("machine", subject);
                let known = fleet.workers.get(worker);
                let unfit = known.and_then(|worker| worker.paused.as_ref());
                let machine = match unfit {
                    None => machine,
                    Some((_, failure)) => machine.but(
                        Status::Fail,
                        format!("{}: {}", failure.cause, failure.message),
                        "Put the machine right; the worker looks again by itself every half minute",
                    ),
                };
                [paused, machine]
            });
            each.collect()
        })
    }
}

/// Says what these metrics mean to whoever collects them, if anybody does.
pub fn describe(metrics: &[&Metric]) {
    metrics.iter().for_each(|metric| metric.describe());
}

/// Whether a worker can keep what it has claimed: tried, since a full disk lets files be made and
/// not be written.
fn writable(worker: &WorkerId, folder: &Path) -> Check {
    let check = Check::pass("state_directory", Some(worker.to_string()));
    let path = folder.join(".health");
    let written = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .open(&path)
        .and_then(|mut file| file.write_all(b"written\n"))
        .and_then(|()| fs::remove_file(&path));
    match written {
        Ok(()) => check,
        // The worker makes it when it is connected.
        Err(error) if error.kind() == io::ErrorKind::NotFound => check,
        Err(error) => check.but(
            Status::Fail,
            format!("{} cannot be written: {error}", path.display()),
            "Make room, or give the user of this worker the right to write there; without it no \
             command can be claimed",
        ),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn worker() -> WorkerId {
        "scanner@a".parse().unwrap()
    }

    #[tokio::test]
    async fn a_state_directory_that_cannot_be_written_is_told_with_the_remedy() {
        let folder = TempDir::new().unwrap();
        let vitals = Vitals::default();
        vitals.folder(&worker(), folder.path().join("not/yet"));
        vitals.folder(&worker(), folder.path().to_owned());
        let checks = vitals.checks().await;
        assert!(checks.iter().all(|check| check.status == Status::Pass));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        // Nothing can be made below a file, not by root either.
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let vitals = Vitals::default();
        vitals.folder(&worker(), file);
        let checks = vitals.checks().await;
        let [check] = checks.as_slice() else {
            panic!("{checks:?}");
        };
        assert_eq!(check.status, Status::Fail);
        assert_eq!(check.subject.as_deref(), Some("scanner@a"));
        assert!(check.remedy.as_deref().unwrap().contains("Make room"));
    }
}
