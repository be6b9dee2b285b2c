//! One seed, from its begin to its verdict.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::embedded::Embedded;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Clock, Inspect, Speaker};
use gentoo_updater_fleet::describe::describe;
use gentoo_updater_fleet::message::{Event, RunKind, RunRequested, ToSync};
use gentoo_updater_fleet::name::{RunId, WorkerId};
use gentoo_updater_fleet::state;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::clock::MachineClock;
use crate::faults::{Fault, Rates, Weather};
use crate::invariants::{self, End};
use crate::launch::Fleet;
use crate::observer::{Observer, Seen};
use crate::random::Dice;
use crate::settings::settings;
use crate::world::{World, platform};

/// Within this time after the last fault every run is over.
const ENDS_WITHIN: Duration = Duration::from_secs(3600);
/// How many further rounds may follow on a run.
const MORE_ROUNDS: u32 = 2;

/// What came of a seed.
#[derive(Debug)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// What did not hold; empty when all did.
    pub broken: Vec<String>,
    /// How often each fault happened.
    pub faults: BTreeMap<Fault, u64>,
    /// The history.
    pub history: Vec<Seen>,
    /// When the simulated time began.
    pub begun: Instant,
    /// How many jobs there were.
    pub jobs: usize,
    /// How long it took by the simulated clock.
    pub took: Duration,
}

impl Verdict {
    /// The history, one event a line, as it is on the wire.
    pub fn lines(&self) -> Vec<String> {
        let line = |seen: &Seen| {
            String::from_utf8(seen.event.encode().expect("an event is JSON"))
                .expect("JSON is UTF-8")
        };
        self.history.iter().map(line).collect()
    }

    /// The last events, in words.
    pub fn last(&self, most: usize) -> Vec<String> {
        let words = |seen: &Seen| {
            format!(
                "{:>5} {:>9.3} s  {:20} {}",
                seen.offset,
                (seen.at - self.begun).as_secs_f64(),
                seen.event.sender,
                describe(&seen.event.message)
            )
        };
        let from = self.history.len().saturating_sub(most);
        self.history[from..].iter().map(words).collect()
    }
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
    fleet: Fleet,
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
        let embedded = Arc::new(Embedded::in_memory());
        let fleet = Fleet {
            weather: Arc::new(Weather::new(Rates::draw(&dice), calm, outages)),
            world: Arc::new(World::draw(&dice, begun)),
            records: Arc::default(),
            bus: embedded.clone(),
            embedded,
            settings: settings(),
            over: CancellationToken::new(),
            killed: [0, 200, 700][dice.between(0, 2) as usize],
            is_deserted: dice.per_mille(100),
            dice,
            begun,
        };
        Self { seed, fleet }
    }

    async fn play(self) -> Verdict {
        let fleet = &self.fleet;
        let mut processes = fleet.start();
        let runs = self.request_runs();
        let mut broken = Vec::new();
        let mut observer = Observer::new(fleet);
        tokio::select! {
            biased;
            Some(ended) = processes.join_next() => {
                broken.push(format!("a process ended: {ended:?}"));
            }
            () = self.ask(&runs) => {}
            () = observer.watch(&runs) => {}
            () = sleep_until(fleet.weather.calm + ENDS_WITHIN) => {
                broken.push(format!("not over {ENDS_WITHIN:?} after the last fault"));
            }
        }
        let took = fleet.begun.elapsed();
        fleet.over.cancel();
        while let Some(ended) = processes.join_next().await {
            if let Ok(Err(error)) = ended {
                broken.push(error);
            }
        }
        observer.catch_up().await;
        let newcomer = FleetView::follow(fleet.bus.clone(), CancellationToken::new());
        let newcomer = newcomer.await.expect("a view of the history");
        let newcomer = newcomer.read(state::Fleet::clone);
        let dead = fleet.embedded.dead_letters(usize::MAX).await;
        let dead = dead.expect("dead letters");
        broken.extend(invariants::broken(&End {
            world: &fleet.world,
            fleet: &observer.fleet,
            history: &observer.events,
            retried: &observer.retried,
            dead: &dead,
            records: &fleet.records,
            is_written: self.seed.is_multiple_of(4),
            newcomer: &newcomer,
        }));
        Verdict {
            seed: self.seed,
            broken,
            faults: fleet.weather.counts(),
            history: observer.events,
            begun: fleet.begun,
            jobs: fleet.world.packages.jobs(),
            took,
        }
    }

    /// When which run is asked for.
    fn request_runs(&self) -> Vec<(Instant, RunId)> {
        let Fleet { dice, begun, .. } = &self.fleet;
        let clock = MachineClock::new(*begun, dice.fork());
        let id = || RunId(clock.event_id().0);
        let mut runs = vec![(*begun + dice.millis(0, 5_000), id())];
        if dice.per_mille(200) {
            runs.push((*begun + dice.millis(5_000, 60_000), id()));
        }
        runs
    }

    /// Some runs bring the repositories of all builders and of some guests up to date first.
    fn to_sync(&self) -> ToSync {
        let Fleet { dice, world, .. } = &self.fleet;
        if !dice.per_mille(250) {
            return ToSync::default();
        }
        let guests = world.guests.keys().filter(|_| dice.per_mille(700));
        ToSync {
            builders: world.builders.keys().cloned().collect(),
            guests: guests.cloned().collect(),
        }
    }

    /// Asks for the runs, and then waits for ever.
    async fn ask(&self, runs: &[(Instant, RunId)]) {
        let operator: WorkerId = "operator@desk".parse().expect("a name");
        let clock = MachineClock::new(self.fleet.begun, self.fleet.dice.fork());
        let speaker = Speaker::new(operator, clock);
        for (at, run) in runs {
            sleep_until(*at).await;
            let guests = self.fleet.world.guests.keys();
            let event = Event::RunRequested(RunRequested {
                run: *run,
                kind: RunKind::Update,
                more_rounds: MORE_ROUNDS,
                follows: None,
                retries: 0,
                guests: guests.map(|guest| (guest.clone(), platform())).collect(),
                force: false,
                sync: self.to_sync(),
                rollout: Default::default(),
                schedule: None,
            });
            let published = self.fleet.bus.publish(&speaker.say(event)).await;
            published.expect("the journal in memory takes an event");
        }
        std::future::pending().await
    }
}
