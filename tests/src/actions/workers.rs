//! The five workers, each a process of its own.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use crate::fixtures::{Process, Program, Scene, wait_until};

/// One worker of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worker {
    /// The scanner of all guests.
    Scanner,
    /// The planner.
    Planner,
    /// The builder of this name.
    Builder(String),
    /// The installer of all guests.
    Installer,
    /// The agent of this guest, in place of an installer.
    Agent(String),
    /// The janitor of all builders.
    Janitor,
}

impl Worker {
    /// The builder of this name.
    pub fn builder(name: &str) -> Self {
        Self::Builder(name.to_owned())
    }

    /// The name of its logs.
    pub fn name(&self) -> String {
        match self {
            Self::Scanner => "scanner".to_owned(),
            Self::Planner => "planner".to_owned(),
            Self::Builder(name) => format!("builder-{name}"),
            Self::Installer => "installer".to_owned(),
            Self::Agent(guest) => format!("agent-{guest}"),
            Self::Janitor => "janitor".to_owned(),
        }
    }

    fn start(&self, scene: &Scene) -> Process {
        let (program, args) = match self {
            Self::Scanner => (Program::Scanner, vec![]),
            Self::Planner => (Program::Planner, vec![]),
            Self::Builder(name) => (Program::Builder, vec!["--builder", name.as_str()]),
            Self::Installer => (Program::Installer, vec![]),
            Self::Agent(guest) => {
                let args = vec!["--guest", guest.as_str(), "--agent"];
                (Program::Installer, args)
            }
            Self::Janitor => (Program::Janitor, vec![]),
        };
        scene.start(&self.name(), program, args)
    }
}

/// The workers of a fleet.
pub struct Workers<'a> {
    scene: &'a Scene,
    running: BTreeMap<Worker, Process>,
}

impl<'a> Workers<'a> {
    /// Starts one worker of each role; a builder for each builder machine.
    pub fn start(scene: &'a Scene) -> Self {
        Self::start_with(scene, vec![Worker::Installer])
    }

    /// Starts one worker of each role, and in place of an installer an agent of each guest.
    pub fn start_with_agents(scene: &'a Scene) -> Self {
        let agents = scene.lab.guests().into_iter().map(Worker::Agent);
        Self::start_with(scene, agents.collect())
    }

    fn start_with(scene: &'a Scene, installers: Vec<Worker>) -> Self {
        let mut workers = Self {
            scene,
            running: BTreeMap::new(),
        };
        let others = [Worker::Scanner, Worker::Planner, Worker::Janitor];
        for worker in others.into_iter().chain(installers) {
            workers.start_one(worker);
        }
        for name in scene.lab.builders() {
            workers.start_one(Worker::Builder(name));
        }
        workers
    }

    /// Starts a worker.
    pub fn start_one(&mut self, worker: Worker) {
        let process = worker.start(self.scene);
        assert!(
            self.running.insert(worker.clone(), process).is_none(),
            "{} runs already",
            worker.name()
        );
    }

    /// Kills a worker with SIGKILL.
    pub fn kill(&mut self, worker: &Worker) {
        self.take(worker).kill();
    }

    /// Kills a worker with SIGKILL and starts it again at once.
    pub fn kill_and_start(&mut self, worker: &Worker) {
        self.kill(worker);
        self.start_one(worker.clone());
    }

    /// Sends SIGTERM and gives the time that the worker took to end.
    ///
    /// # Panics
    /// When it does not end within `patience`, or not with exit code 0.
    pub fn terminate(&mut self, worker: &Worker, patience: Duration) -> Duration {
        let asked = Instant::now();
        let status = self.take(worker).terminate(patience);
        assert!(
            status.code() == Some(0),
            "{} ended after SIGTERM with {status} (signal {:?}) instead of exit code 0",
            worker.name(),
            status.signal()
        );
        asked.elapsed()
    }

    /// Waits until every worker has said that it is ready.
    pub fn wait_until_ready(&self) {
        for (worker, process) in &self.running {
            if *worker == Worker::Planner {
                continue;
            }
            wait_until(
                &format!("{} is ready", worker.name()),
                Duration::from_secs(30),
                || std::fs::read_to_string(&process.stderr).is_ok_and(|log| log.contains("ready")),
            );
        }
    }

    /// All that run.
    pub fn names(&self) -> Vec<Worker> {
        self.running.keys().cloned().collect()
    }

    /// # Panics
    /// When a worker has ended.
    pub fn all_still_run(&mut self) {
        for (worker, process) in &mut self.running {
            assert!(
                process.is_running(),
                "{} has ended by itself",
                worker.name()
            );
        }
    }

    fn take(&mut self, worker: &Worker) -> Process {
        self.running
            .remove(worker)
            .unwrap_or_else(|| panic!("{} does not run", worker.name()))
    }
}
