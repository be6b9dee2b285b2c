//! A fleet of worker processes on one vhost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;

use gentoo_updater_bus::Bus;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_chaos::Role;
use gentoo_updater_chaos::scene::Scene;
use gentoo_updater_fleet::message::{Envelope, Event, RunKind, RunRequested};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_runtime::Context;
use gentoo_updater_test_broker::owner;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::opening::{Policy, START_SECONDS, context, open, write_configuration};
use super::process::Process;
use super::within;

/// How the workers reach the broker.
pub(crate) struct Ways {
    /// The URL of the broker for all.
    pub(crate) url: String,
    /// The builder that lives in a network namespace of its own: that, and its URL.
    pub(crate) far: Option<(Role, String, String)>,
}

impl From<String> for Ways {
    fn from(url: String) -> Self {
        Self { url, far: None }
    }
}

/// A fleet of worker processes. All of it ends when it is dropped.
pub(crate) struct Fleet {
    pub(crate) scene: Scene,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) view: FleetView,
    pub(crate) url: String,
    ways: Ways,
    policy: Policy,
    roles: Vec<Role>,
    stop: CancellationToken,
    processes: BTreeMap<Role, Process>,
    // The last field: everything else is gone when the folder goes.
    folder: TempDir,
}

pub(crate) fn builder(name: &str) -> Role {
    Role::Builder {
        name: name.parse().expect("a builder"),
    }
}

fn all_roles() -> [Role; 6] {
    [
        Role::Planner,
        Role::Scanner,
        builder("b1"),
        builder("b2"),
        Role::Installer,
        Role::Janitor,
    ]
}

impl Fleet {
    /// Starts all workers and waits until they are ready. `scene` gets the folder of the fleet.
    pub(crate) async fn start(
        ways: impl Into<Ways>,
        policy: Policy,
        scene: impl FnOnce(&Path) -> Scene,
    ) -> Self {
        Self::start_with(ways, policy, all_roles().to_vec(), scene).await
    }

    /// As [`Self::start`], with these workers.
    pub(crate) async fn start_with(
        ways: impl Into<Ways>,
        policy: Policy,
        roles: Vec<Role>,
        scene: impl FnOnce(&Path) -> Scene,
    ) -> Self {
        let folder = owner::folder();
        let scene = scene(folder.path());
        scene.write(&folder.path().join("scene.json"));
        let ways = ways.into();
        let stop = CancellationToken::new();
        let bus = open(&scene, policy, &ways.url, stop.clone()).await;
        let view = FleetView::follow(bus.clone(), stop.clone())
            .await
            .expect("a history");
        let url = ways.url.clone();
        let processes = BTreeMap::new();
        let mut fleet = Self {
            scene,
            bus,
            view,
            url,
            ways,
            policy,
            roles,
            stop,
            processes,
            folder,
        };
        fleet.start_workers().await;
        fleet
    }

    /// Starts its workers, and waits until the history knows them.
    async fn start_workers(&mut self) {
        for role in self.roles.clone() {
            self.start_worker(&role, None);
        }
        self.until_registered(self.roles.len()).await;
    }

    /// Waits until the history knows so many workers.
    pub(crate) async fn until_registered(&self, workers: usize) {
        let ready = self.view.wait_until(|state| state.workers.len() == workers);
        within("the start of the fleet", START_SECONDS, ready)
            .await
            .expect("a history");
    }

    /// What a further worker needs that lives in this process, as one of the benches has.
    #[allow(dead_code)]
    pub(crate) async fn context(&self, name: &str) -> Context {
        let (scene, policy) = (&self.scene, self.policy);
        context(scene, policy, &self.url, name, self.stop.child_token()).await
    }

    /// Waits until all workers have ended with an error, each with this in its log, and starts
    /// them again, as their service manager does. The history may be another one than before.
    pub(crate) async fn all_end_and_start_again(&mut self, error: &str) {
        for role in self.roles.clone() {
            let status = self.worker_ended(&role).await;
            let name = role.name();
            assert!(!status.success(), "{name} ended with {status}");
            let log = self.logs(&name);
            assert!(log.contains(error), "{name} does not say {error:?}: {log}");
        }
        self.processes.clear();
        self.bus.close().await;
        self.bus = open(&self.scene, self.policy, &self.url, self.stop.clone()).await;
        self.view = FleetView::follow(self.bus.clone(), self.stop.clone())
            .await
            .expect("a history");
        self.start_workers().await;
    }

    /// How many connections it has at least: two a worker, and the test's own, which has a second
    /// one only after it has published something.
    pub(crate) fn connections(&self) -> usize {
        2 * self.processes.len() + 1
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a worker, which dies at this step.
    pub(crate) fn start_worker(&mut self, role: &Role, die_at: Option<u32>) {
        let name = role.name();
        let far = self.ways.far.as_ref().filter(|(far, ..)| far == role);
        let url = far.map_or(&self.ways.url, |(.., url)| url);
        let configuration = self.path(&format!("{name}.toml"));
        write_configuration(&configuration, &self.scene, self.policy, url);
        let mut arguments = vec![
            "--config".to_owned(),
            configuration.display().to_string(),
            "--scene".to_owned(),
            self.path("scene.json").display().to_string(),
        ];
        if let Some(step) = die_at {
            arguments.extend(["--die-at".to_owned(), step.to_string()]);
        }
        arguments.extend(role.arguments());
        let namespace = far.map(|(_, namespace, _)| namespace.as_str());
        let log = self.path(&format!("{name}.log"));
        let process = Process::start(&name, &arguments, namespace, self.folder.path(), &log);
        self.processes.insert(role.clone(), process);
    }

    /// Kills a worker with SIGKILL.
    pub(crate) async fn kill_worker(&mut self, role: &Role) {
        self.processes
            .remove(role)
            .expect("a worker that runs")
            .kill()
            .await;
    }

    /// Stops a worker, unless it has ended, and says how it ended.
    pub(crate) async fn stop_worker(&mut self, role: &Role) -> ExitStatus {
        self.processes
            .remove(role)
            .expect("a worker that runs")
            .stop()
            .await
    }

    /// Waits until a worker has ended by itself.
    pub(crate) async fn worker_ended(&mut self, role: &Role) -> ExitStatus {
        self.processes
            .get_mut(role)
            .expect("a worker that runs")
            .ended()
            .await
    }

    /// Asks for a run of all guests.
    pub(crate) async fn request_run(&self) -> RunId {
        let run = RunId::generate();
        let platform = "default".parse().expect("a platform");
        let guests = self.scene.guests.keys();
        let requested = Event::RunRequested(RunRequested {
            run,
            kind: RunKind::Update,
            more_rounds: 0,
            follows: None,
            retries: 0,
            guests: guests
                .map(|guest| (guest.clone(), Clone::clone(&platform)))
                .collect(),
            force: false,
            sync: Default::default(),
            rollout: Default::default(),
            schedule: None,
        });
        let sender = "operator@test".parse().expect("a worker id");
        let envelope = Envelope::new(sender, Timestamp::now(), requested);
        self.bus
            .publish(&envelope)
            .await
            .expect("a broker that takes it");
        run
    }

    /// What all workers have logged, or those whose names begin so.
    pub(crate) fn logs(&self, beginning: &str) -> String {
        let mut logs = String::new();
        let entries = fs::read_dir(self.folder.path())
            .into_iter()
            .flatten()
            .flatten();
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(beginning) && name.ends_with(".log") {
                let text = fs::read_to_string(entry.path()).unwrap_or_default();
                logs.push_str(&format!("--- {name}\n{text}"));
            }
        }
        logs
    }

    /// Stops all workers. Each must end well, and nothing that they started may be left.
    pub(crate) async fn end(mut self) {
        for (role, process) in std::mem::take(&mut self.processes) {
            let status = process.stop().await;
            assert!(status.success(), "{} ended with {status}", role.name());
        }
        self.stop.cancel();
        self.bus.close().await;
        let left = owner::processes_in(self.folder.path());
        assert!(left.is_empty(), "these processes were left: {left:?}");
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = self.logs("");
            let lines: Vec<&str> = logs.lines().collect();
            eprintln!("{}", lines[lines.len().saturating_sub(300)..].join("\n"));
            for process in self.processes.values() {
                eprintln!("{}", process.threads());
            }
        }
        self.processes.clear();
        owner::end_all_in(self.folder.path());
    }
}
