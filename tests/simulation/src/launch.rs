//! The processes of a fleet: the real planners and worker loops, each behind a bus in trouble.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use gentoo_updater_bus::embedded::Embedded;
use gentoo_updater_bus::worker::{self, MemoryDirectory, StateDirectory, WorkerSpec};
use gentoo_updater_bus::{Bus, Pulse, Speaker, topology};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::message::Role;
use gentoo_updater_fleet::name::{BuilderName, WorkerId};
use gentoo_updater_runtime::Context;
use jiff::SignedDuration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::bus::{FaultyBus, Trouble};
use crate::clock::MachineClock;
use crate::faults::{Fault, Weather};
use crate::operator::Operator;
use crate::orders::Orders;
use crate::process::{Fate, Life, supervise};
use crate::random::Dice;
use crate::records::{Death, Records};
use crate::world::{Hands, World, platform};

/// The processes, each as its supervisor sees it.
pub type Processes = JoinSet<Result<(), String>>;

/// What all processes of a schedule share.
pub struct Fleet {
    /// Their chance.
    pub dice: Dice,
    /// When the simulated time began.
    pub begun: Instant,
    /// What goes wrong for all of them.
    pub weather: Arc<Weather>,
    /// The machines that they work on.
    pub world: Arc<World>,
    /// What is seen of them.
    pub records: Arc<Records>,
    /// The bus, without its faults.
    pub bus: Arc<dyn Bus>,
    /// The same, for an operator.
    pub embedded: Arc<Embedded>,
    /// The configuration.
    pub settings: Arc<Settings>,
    /// Ends all of them.
    pub over: CancellationToken,
    /// In how many of a thousand lives a process is killed.
    pub killed: u32,
    /// Whether every builder may stay away for good.
    pub is_deserted: bool,
}

/// What one worker is.
struct Post {
    name: String,
    role: Role,
    queues: Vec<String>,
    builder: Option<BuilderName>,
}

impl Fleet {
    /// Starts one or two planners, and workers of every role.
    pub fn start(&self) -> Processes {
        let mut processes = Processes::new();
        for number in 1..=self.dice.between(1, 2) {
            self.start_planner(number, &mut processes);
        }
        let posts = self.posts();
        self.start_operators(&posts, &mut processes);
        for post in posts {
            self.start_worker(post, &mut processes);
        }
        processes
    }

    /// In some fleets an operator meddles.
    fn start_operators(&self, posts: &[Post], processes: &mut Processes) {
        if self.dice.per_mille(250) {
            processes.spawn(self.operator().purge(self.world.clone()));
        }
        if self.dice.per_mille(250) {
            let names = posts.iter().map(|post| post.name.parse());
            let names = names.map(|name| name.expect("a name of a worker"));
            processes.spawn(self.operator().pause(names.collect()));
        }
        if self.dice.per_mille(400) {
            processes.spawn(self.operator().retry());
        }
    }

    /// Somebody at a desk whose clock is right.
    fn operator(&self) -> Operator {
        let clock = MachineClock::new(self.begun, self.dice.fork());
        Operator {
            dice: self.dice.fork(),
            weather: self.weather.clone(),
            bus: self.embedded.clone(),
            records: self.records.clone(),
            speaker: Speaker::new("operator@desk".parse().expect("a name"), clock),
            over: self.over.clone(),
        }
    }

    fn posts(&self) -> Vec<Post> {
        let scanners = 1..=self.dice.between(1, 2);
        let mut posts: Vec<Post> = scanners
            .map(|number| Post {
                name: format!("scanner@s{number}"),
                role: Role::Scanner,
                queues: vec![topology::SCAN.to_owned()],
                builder: None,
            })
            .collect();
        posts.extend(self.world.builders.keys().map(|builder| Post {
            name: format!("builder@{builder}"),
            role: Role::Builder,
            queues: vec![topology::build_queue(&platform())],
            builder: Some(builder.clone()),
        }));
        let queues = self.world.guests.keys().map(topology::install_queue);
        posts.push(Post {
            name: "installer@i1".to_owned(),
            role: Role::Installer,
            queues: queues.collect(),
            builder: None,
        });
        let queues = self.world.builders.keys().map(topology::clean_queue);
        let queues = queues.chain([topology::collect_queue(&platform())]);
        posts.push(Post {
            name: "janitor@j1".to_owned(),
            role: Role::Janitor,
            queues: queues.collect(),
            builder: None,
        });
        posts
    }

    fn fate(&self, may_vanish: bool) -> Fate {
        Fate {
            killed: self.killed,
            longest_away: [200, 5_000, 30_000][self.dice.between(0, 2) as usize],
            may_vanish,
        }
    }

    /// A clock of a machine, which may jump some times.
    fn clock(&self, processes: &mut Processes) -> Arc<MachineClock> {
        let clock = MachineClock::new(self.begun, self.dice.fork());
        if self.dice.per_mille(200) {
            let jumping = jump(
                clock.clone(),
                self.dice.fork(),
                self.weather.clone(),
                self.over.clone(),
            );
            processes.spawn(jumping);
        }
        clock
    }

    fn trouble(
        &self,
        id: Option<WorkerId>,
        role: Role,
        disk: MemoryDirectory,
    ) -> impl Fn(&Life) -> Trouble + Send + Sync + 'static {
        let (weather, records) = (self.weather.clone(), self.records.clone());
        move |life| Trouble {
            life: life.clone(),
            weather: weather.clone(),
            records: records.clone(),
            orders: Arc::new(Orders::new(id.clone(), role)),
            disk: disk.clone(),
            held: Arc::default(),
        }
    }

    fn supervise(
        &self,
        name: String,
        may_vanish: bool,
        processes: &mut Processes,
        died: impl Fn(Instant, Death) + Send + Sync + 'static,
        start: impl Fn(Life) -> BoxFuture<'static, Result<(), String>> + Send + Sync + 'static,
    ) {
        processes.spawn(supervise(
            name,
            self.fate(may_vanish),
            self.dice.fork(),
            self.weather.clone(),
            self.over.clone(),
            died,
            start,
        ));
    }

    fn start_planner(&self, number: u64, processes: &mut Processes) {
        let clock = self.clock(processes);
        let (bus, settings) = (self.bus.clone(), self.settings.clone());
        let trouble = self.trouble(None, Role::Planner, MemoryDirectory::default());
        let start = move |life: Life| {
            let bus = FaultyBus::wrap(bus.clone(), trouble(&life));
            let mut context = Context::new(settings.clone(), bus, life.stop);
            context.clock = clock.clone();
            let planned: BoxFuture<'static, _> = Box::pin(async move {
                let served = gentoo_updater_planner::serve(&context).await;
                served.map_err(|error| format!("{error:#}"))
            });
            planned
        };
        let name = format!("planner {number}");
        self.supervise(name, number > 1, processes, |_, _| {}, start);
    }

    fn start_worker(&self, post: Post, processes: &mut Processes) {
        let id: WorkerId = post.name.parse().expect("a name of a worker");
        let (policy, disk) = (&self.settings.policy, MemoryDirectory::default());
        let spec = WorkerSpec {
            id: id.clone(),
            clock: self.clock(processes),
            role: post.role,
            queues: post.queues,
            slots: if post.role == Role::Builder { 1 } else { 4 },
            state_directory: StateDirectory::Memory(disk.clone()),
            heartbeat: policy.heartbeat,
            grace: policy.grace,
            read_back: true,
            builder: post.builder.clone(),
            pulse: Pulse::default(),
        };
        // In most fleets one builder stays, to finish the work. In the others it is given up.
        let may_vanish = post
            .builder
            .as_ref()
            .is_some_and(|name| self.is_deserted || name.as_str() == "b2");
        let bus = self.bus.clone();
        let trouble = self.trouble(Some(id.clone()), post.role, disk.clone());
        let (world, dice, worker) = (self.world.clone(), Arc::new(self.dice.fork()), id.clone());
        let start = move |life: Life| {
            let trouble = trouble(&life);
            let hands = Hands {
                world: world.clone(),
                worker: worker.clone(),
                builder: post.builder.clone(),
                trouble: trouble.clone(),
                dice: dice.clone(),
            };
            let (bus, spec) = (FaultyBus::wrap(bus.clone(), trouble), spec.clone());
            let served: BoxFuture<'static, _> = Box::pin(async move {
                let served = worker::serve(bus, spec, Arc::new(hands), life.stop).await;
                served.map_err(|error| error.to_string())
            });
            served
        };
        let records = self.records.clone();
        let died = move |at, death| records.death(&id, at, death);
        self.supervise(post.name, may_vanish, processes, died, start);
    }
}

async fn jump(
    clock: Arc<MachineClock>,
    dice: Dice,
    weather: Arc<Weather>,
    over: CancellationToken,
) -> Result<(), String> {
    while weather.is_rough() {
        sleep(dice.millis(500, 30_000)).await;
        let hours = i64::try_from(dice.between(0, 48)).unwrap_or(0) - 24;
        weather.count(Fault::ClockJumped);
        clock.set_wrong_by(SignedDuration::from_hours(hours));
    }
    over.cancelled().await;
    Ok(())
}
