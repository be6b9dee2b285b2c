//! One seed, from its begin to its verdict.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gentoo_updater_bus::embedded::Embedded;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::worker::{self, WorkerSpec};
use gentoo_updater_bus::{Bus, Inspect, Position, Speaker, topology};
use gentoo_updater_fleet::config::{self, Settings};
use gentoo_updater_fleet::describe::describe;
use gentoo_updater_fleet::message::{Envelope, Event, Role, RunKind, RunRequested};
use gentoo_updater_fleet::name::{BuilderName, RunId, WorkerId};
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_runtime::Context;
use jiff::SignedDuration;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::bus::{FaultyBus, Trouble};
use crate::clock::MachineClock;
use crate::faults::{Fault, Rates, Weather};
use crate::invariants::{self, End};
use crate::process::{Fate, Life, supervise};
use crate::random::Dice;
use crate::records::Records;
use crate::world::{Hands, World};

/// `policy.lease_seconds` of these fleets.
pub const LEASE: Duration = Duration::from_secs(12);
/// How much sooner than after the lease, by the simulation's clock, the planner may take a worker
/// for lost: its own clock runs in beats of two seconds, and begins with the sign of life before.
pub const SLACK: Duration = Duration::from_secs(4);
/// Within this time after the last fault every run is over.
const ENDS_WITHIN: Duration = Duration::from_secs(3600);

const CONFIGURATION: &str = "
[builders.b1]
address = \"ssh://root@b1\"
[guests.g1]
address = \"ssh://root@g1\"
[policy]
heartbeat_seconds = 4
lease_seconds = 12
retry_delay_seconds = 1
unserved_seconds = 90
grace_seconds = 3
";

/// What came of a seed.
#[derive(Debug)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// What did not hold; empty when all did.
    pub broken: Vec<String>,
    /// How often each fault happened.
    pub faults: BTreeMap<Fault, u64>,
    /// The history, one event a line, as it is on the wire.
    pub history: Vec<String>,
    /// The last events, in words.
    pub last: Vec<String>,
    /// How many jobs there were.
    pub jobs: usize,
    /// How long it took by the simulated clock.
    pub took: Duration,
}

/// Runs one schedule.
pub fn run(seed: u64) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        // The clock of a new runtime stands somewhere between two ticks of its timers, and on a
        // tick behind the first timer.
        sleep(Duration::from_millis(1)).await;
        Schedule::draw(seed).play().await
    })
}

struct Schedule {
    seed: u64,
    dice: Dice,
    begun: Instant,
    weather: Arc<Weather>,
    world: Arc<World>,
    records: Arc<Records>,
    over: CancellationToken,
    /// In how many of a thousand lives a process is killed.
    killed: u32,
}

/// What all processes of a schedule share.
#[derive(Clone)]
struct Shared {
    bus: Arc<dyn Bus>,
    settings: Arc<Settings>,
    directory: Arc<TempDir>,
}

fn settings() -> Arc<Settings> {
    static SETTINGS: OnceLock<Arc<Settings>> = OnceLock::new();
    let load = || {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), CONFIGURATION).expect("a file that can be written");
        Arc::new(config::load(file.path()).expect("the configuration of the simulation"))
    };
    SETTINGS.get_or_init(load).clone()
}

/// Claims and results lie in files; in memory where that is to be had.
fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    }
    .expect("a folder")
}

impl Schedule {
    fn draw(seed: u64) -> Self {
        let (dice, begun) = (Dice::new(seed), Instant::now());
        let calm = begun + dice.millis(5_000, 90_000);
        let outages = (0..dice.between(0, 2)).map(|_| {
            let from = begun + dice.millis(0, 60_000);
            (from, (from + dice.millis(500, 40_000)).min(calm.max(from)))
        });
        let outages = outages.collect();
        Self {
            seed,
            weather: Arc::new(Weather::new(Rates::draw(&dice), calm, outages)),
            world: Arc::new(World::draw(&dice, begun)),
            records: Arc::default(),
            over: CancellationToken::new(),
            killed: [0, 200, 700][dice.between(0, 2) as usize],
            dice,
            begun,
        }
    }

    async fn play(self) -> Verdict {
        let embedded = Arc::new(Embedded::in_memory());
        let shared = Shared {
            bus: embedded.clone(),
            settings: settings(),
            directory: Arc::new(directory()),
        };
        let view = FleetView::follow(shared.bus.clone(), self.over.clone()).await;
        let view = view.expect("an undisturbed view");
        let mut processes = JoinSet::new();
        self.start_all(&shared, &mut processes);
        let runs = self.request_runs(&shared);
        let within = self.weather.calm.duration_since(self.begun) + ENDS_WITHIN;
        let finished = |fleet: &Fleet| {
            let is_over = |id| fleet.runs.get(id).is_some_and(|run| run.finished.is_some());
            runs.iter().all(|(_, id)| is_over(id))
        };
        let mut broken = Vec::new();
        tokio::select! {
            biased;
            Some(ended) = processes.join_next() => {
                broken.push(format!("a process ended: {ended:?}"));
            }
            () = self.ask(&shared, &runs) => {}
            ended = timeout(within, view.wait_until(finished)) => match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => broken.push(format!("the view ended: {error}")),
                Err(_) => broken.push(format!("not over {ENDS_WITHIN:?} after the last fault")),
            }
        }
        let took = self.begun.elapsed();
        self.over.cancel();
        while let Some(ended) = processes.join_next().await {
            if let Ok(Err(error)) = ended {
                broken.push(error);
            }
        }
        let history = history(shared.bus.as_ref()).await;
        if let Some((last, _)) = history.last() {
            let caught_up = view.wait_until(|fleet| fleet.offset >= Some(*last)).await;
            broken.extend(caught_up.err().map(|error| error.to_string()));
        }
        let fleet = view.read(Fleet::clone);
        let dead = embedded.dead_letters(1000).await.expect("dead letters");
        broken.extend(invariants::broken(&End {
            world: &self.world,
            fleet: &fleet,
            history: &history,
            dead: &dead,
            records: &self.records,
        }));
        self.verdict(broken, &history, took)
    }

    fn verdict(
        &self,
        broken: Vec<String>,
        history: &[(u64, Envelope<Event>)],
        took: Duration,
    ) -> Verdict {
        let line = |(_, event): &(u64, Envelope<Event>)| {
            String::from_utf8(event.encode().expect("an event is JSON")).expect("JSON is UTF-8")
        };
        let words = |(offset, event): &(u64, Envelope<Event>)| {
            format!(
                "{offset:>5} {} {:18} {}",
                event.at,
                event.sender,
                describe(&event.message)
            )
        };
        Verdict {
            seed: self.seed,
            last: history.iter().rev().take(30).rev().map(words).collect(),
            history: history.iter().map(line).collect(),
            broken,
            faults: self.weather.counts(),
            jobs: self.world.packages.jobs(),
            took,
        }
    }

    /// When which run is asked for.
    fn request_runs(&self, _: &Shared) -> Vec<(Instant, RunId)> {
        let clock = MachineClock::new(self.begun, self.dice.fork());
        let id = || RunId(gentoo_updater_bus::Clock::event_id(clock.as_ref()).0);
        let mut runs = vec![(self.begun + self.dice.millis(0, 5_000), id())];
        if self.dice.per_mille(200) {
            runs.push((self.begun + self.dice.millis(5_000, 60_000), id()));
        }
        runs
    }

    /// Asks for the runs, and then waits for ever.
    async fn ask(&self, shared: &Shared, runs: &[(Instant, RunId)]) {
        let operator: WorkerId = "operator@desk".parse().expect("a name");
        let clock = MachineClock::new(self.begun, self.dice.fork());
        for (at, run) in runs {
            sleep_until(*at).await;
            let guests = self.world.guests.keys();
            let platform = crate::world::platform();
            let event = Event::RunRequested(RunRequested {
                run: *run,
                kind: RunKind::Update,
                guests: guests
                    .map(|guest| (guest.clone(), platform.clone()))
                    .collect(),
            });
            let speaker = Speaker::new(operator.clone(), clock.clone());
            let published = shared.bus.publish(&speaker.say(event)).await;
            published.expect("the journal in memory takes an event");
        }
        std::future::pending().await
    }

    fn start_all(&self, shared: &Shared, processes: &mut JoinSet<Result<(), String>>) {
        for number in 1..=self.dice.between(1, 2) {
            self.start_planner(shared, number, processes);
        }
        for number in 1..=self.dice.between(1, 2) {
            let queues = vec![topology::SCAN.to_owned()];
            let name = format!("scanner@s{number}");
            self.start_worker(shared, &name, Role::Scanner, queues, None, processes);
        }
        let platform = crate::world::platform();
        for builder in self.world.builders.keys() {
            let queues = vec![topology::build_queue(&platform)];
            let name = format!("builder@{builder}");
            let builder = Some(builder.clone());
            self.start_worker(shared, &name, Role::Builder, queues, builder, processes);
        }
        let queues = self.world.guests.keys().map(topology::install_queue);
        let (role, queues) = (Role::Installer, queues.collect());
        self.start_worker(shared, "installer@i1", role, queues, None, processes);
        let queues = self.world.builders.keys().map(topology::clean_queue);
        let (role, queues) = (Role::Janitor, queues.collect());
        self.start_worker(shared, "janitor@j1", role, queues, None, processes);
    }

    fn fate(&self, may_vanish: bool) -> Fate {
        Fate {
            killed: self.killed,
            longest_away: [200, 5_000, 30_000][self.dice.between(0, 2) as usize],
            may_vanish,
        }
    }

    /// A clock of a machine, which may jump some times.
    fn clock(&self, processes: &mut JoinSet<Result<(), String>>) -> Arc<MachineClock> {
        let clock = MachineClock::new(self.begun, self.dice.fork());
        if self.dice.per_mille(200) {
            let (jumping, dice) = (clock.clone(), self.dice.fork());
            let (weather, over) = (self.weather.clone(), self.over.clone());
            processes.spawn(async move {
                while weather.is_rough() {
                    tokio::time::sleep(dice.millis(500, 30_000)).await;
                    let hours = i64::try_from(dice.between(0, 48)).unwrap_or(0) - 24;
                    weather.count(Fault::ClockJumped);
                    jumping.set_wrong_by(SignedDuration::from_hours(hours));
                }
                over.cancelled().await;
                Ok(())
            });
        }
        clock
    }

    fn start_planner(
        &self,
        shared: &Shared,
        number: u64,
        processes: &mut JoinSet<Result<(), String>>,
    ) {
        let clock = self.clock(processes);
        let shared = shared.clone();
        let (weather, records) = (self.weather.clone(), self.records.clone());
        let start = move |life: Life| {
            let (shared, clock) = (shared.clone(), clock.clone());
            let trouble = Trouble {
                life: life.clone(),
                weather: weather.clone(),
                records: records.clone(),
            };
            let bus = FaultyBus::wrap(shared.bus.clone(), trouble);
            let planned: futures_util::future::BoxFuture<'static, _> = Box::pin(async move {
                let mut context = Context::new(shared.settings.clone(), bus, life.stop);
                context.clock = clock;
                let served = gentoo_updater_planner::serve(&context).await;
                served.map_err(|error| format!("{error:#}"))
            });
            planned
        };
        processes.spawn(supervise(
            format!("planner {number}"),
            self.fate(number > 1),
            self.dice.fork(),
            self.weather.clone(),
            self.over.clone(),
            |_| {},
            start,
        ));
    }

    fn start_worker(
        &self,
        shared: &Shared,
        name: &str,
        role: Role,
        queues: Vec<String>,
        builder: Option<BuilderName>,
        processes: &mut JoinSet<Result<(), String>>,
    ) {
        let id: WorkerId = name.parse().expect("a name of a worker");
        let policy = &shared.settings.policy;
        let clock = self.clock(processes);
        let spec = WorkerSpec {
            id: id.clone(),
            clock,
            role,
            queues,
            slots: if role == Role::Builder { 1 } else { 4 },
            state_directory: shared.directory.path().join(name).into(),
            heartbeat: policy.heartbeat,
            grace: policy.grace,
            read_back: true,
            builder: builder.clone(),
        };
        // One builder stays: somebody has to finish the work.
        let may_vanish = builder.as_ref().is_some_and(|name| name.as_str() == "b2");
        let hands_dice = Arc::new(self.dice.fork());
        let (bus, world) = (shared.bus.clone(), self.world.clone());
        let (weather, records) = (self.weather.clone(), self.records.clone());
        let worker_id = id.clone();
        let start = move |life: Life| {
            let trouble = Trouble {
                life: life.clone(),
                weather: weather.clone(),
                records: records.clone(),
            };
            let hands = Hands {
                world: world.clone(),
                worker: worker_id.clone(),
                builder: builder.clone(),
                trouble: trouble.clone(),
                dice: hands_dice.clone(),
            };
            let (bus, spec) = (FaultyBus::wrap(bus.clone(), trouble), spec.clone());
            let served: futures_util::future::BoxFuture<'static, _> = Box::pin(async move {
                let served = worker::serve(bus, spec, Arc::new(hands), life.stop).await;
                served.map_err(|error| error.to_string())
            });
            served
        };
        let died = {
            let records = self.records.clone();
            move |at| records.death(&id, at)
        };
        processes.spawn(supervise(
            name.to_owned(),
            self.fate(may_vanish),
            self.dice.fork(),
            self.weather.clone(),
            self.over.clone(),
            died,
            start,
        ));
    }
}

async fn history(bus: &dyn Bus) -> Vec<(u64, Envelope<Event>)> {
    let Some(end) = bus.end().await.expect("the end of the history") else {
        return Vec::new();
    };
    let mut reader = bus.history(Position::First).await.expect("the history");
    let mut events = Vec::new();
    loop {
        let item = reader.next().await.expect("an event");
        events.push((item.offset, item.event.expect("an event that can be read")));
        if item.offset >= end {
            return events;
        }
    }
}
