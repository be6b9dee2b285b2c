//! A run that builds, and its planner.

use std::time::Duration;

use gentoo_updater_fleet::decide::{Order, Patience, decide, observe};
use gentoo_updater_fleet::liveness::Liveness;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::needs::{Capacity, Demands};

use super::{History, built, machine, scanned, update, worker};

pub const SECOND: Duration = Duration::from_secs(1);

/// A run whose batch is planned, and a planner that has just come up.
pub struct Building {
    pub history: History,
    pub liveness: Liveness,
    patience: Patience,
}

impl Building {
    pub fn of(updates: Vec<Update>) -> Self {
        Self::with(updates, Demands::default())
    }

    pub fn with(updates: Vec<Update>, demands: Demands) -> Self {
        let mut history = History::requested(&["g1"]);
        history.say(Event::GuestScanned(scanned("g1", updates, vec![])));
        let mut building = Self {
            history,
            liveness: Liveness::new(30 * SECOND, 60 * SECOND, SECOND),
            patience: Patience {
                demands,
                ..Patience::default()
            },
        };
        for order in building.decide() {
            if let Order::Publish(event) = order {
                building.history.say(event);
            }
        }
        building.history.search_in_vain();
        building
    }

    pub fn register(&mut self, id: &str, slots: u16) {
        self.register_with(id, slots, None);
    }

    /// With so many megabytes of memory, and space for everything.
    pub fn register_with(&mut self, id: &str, slots: u16, memory: Option<u64>) {
        self.history.say(Event::WorkerRegistered(WorkerRegistered {
            worker: worker(id),
            role: Role::Builder,
            queues: vec!["build.default".to_owned()],
            machine: Some(BuilderMachine {
                slots: Some(slots),
                capacity: memory.map(|memory_megabytes| Capacity {
                    memory_megabytes,
                    disk_megabytes: u64::MAX,
                }),
                ..machine(id.split_once('@').unwrap().1, None)
            }),
        }));
        self.liveness.alive(&worker(id), []);
    }

    pub fn decide(&mut self) -> Vec<Order> {
        observe(&self.history.fleet, &mut self.liveness);
        decide(
            &self.history.fleet,
            &self.liveness,
            &self.patience,
            self.history.now(),
        )
    }

    /// What is given out now, in its order, and said to be so.
    pub fn given_out(&mut self) -> Vec<String> {
        let commands = self.commands();
        let names = commands.iter().map(|build| build.job.key.cpv.to_string());
        names.collect()
    }

    /// The same, as commands.
    pub fn commands(&mut self) -> Vec<BuildPackage> {
        let mut commands = Vec::new();
        for order in self.decide() {
            if let Order::Issue(command @ Command::BuildPackage(_)) = order {
                self.history.say(Event::CommandIssued(CommandIssued {
                    command: command.id().unwrap(),
                    work: command.work(),
                    queue: "build.default".to_owned(),
                }));
                if let Command::BuildPackage(build) = command {
                    commands.push(build);
                }
            }
        }
        commands
    }

    /// Time goes by, and these workers live.
    pub fn wait(&mut self, seconds: u32, alive: &[&str]) {
        for _ in 0..seconds {
            self.liveness.beat(SECOND);
            for id in alive {
                self.liveness.alive(&worker(id), []);
            }
            observe(&self.history.fleet, &mut self.liveness);
        }
    }

    pub fn claim(&mut self, name: &str, attempt: u32, by: &str) {
        let job = self.history.job(name).id;
        self.history.claim(Task::Build(job), attempt, by);
    }

    pub fn built(&mut self, name: &str) {
        let job = self.history.job(name);
        self.history.say(built(&job));
    }
}

pub fn alone(names: &[&str]) -> Vec<Update> {
    names.iter().map(|name| update(name)).collect()
}
