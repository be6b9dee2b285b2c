//! How long what goes on will take, and how far such estimates were off before. Pure.
//!
//! A build is taken to last as [`Expectations`] say. The rest of a run is played through: as many builds at
//! once as builders have slots, the longest remaining path first, and then the installations, wave by wave.
//! Waits for windows, for approvals and for workers that are paused are not foreseen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::graph::Graph;
use crate::message::{Job, Purpose, Task};
use crate::name::{GuestName, PlatformName};
use crate::order::Expectations;
use crate::state::{Compared, Fleet, JobProgress, Run};

/// What an installation is taken to last when none was ever measured.
const UNKNOWN_INSTALLATION: Duration = Duration::from_secs(60);
/// What is taken to be left of something that has taken longer than expected: that part of the time that
/// it has taken by now.
const LATE: u32 = 10;

/// When something is expected to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// When.
    pub ends_at: Timestamp,
    /// Whether it rests on a guess: nothing was known of the package.
    pub guessed: bool,
    /// Whether it has taken longer already than was expected, so that nobody knows.
    pub late: bool,
}

/// How far estimates were off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PastError {
    /// Of how many.
    pub of: usize,
    /// How far the middle one of them was off, in percent of what it came to.
    pub percent: u64,
}

impl PastError {
    /// Of those that were compared; absent where there are none.
    pub fn of<'a>(compared: impl IntoIterator<Item = &'a Compared>) -> Option<Self> {
        let error = |it: &Compared| {
            it.expected_ms.abs_diff(it.took_ms).saturating_mul(100) / it.took_ms.max(1)
        };
        let mut errors: Vec<u64> = compared.into_iter().map(error).collect();
        errors.sort_unstable();
        let percent = *errors.get(errors.len() / 2)?;
        let of = errors.len();
        Some(Self { of, percent })
    }
}

/// When a build is expected to end that began at this time.
pub fn of_build(
    expectations: &Expectations<'_>,
    job: &Job,
    since: Timestamp,
    now: Timestamp,
) -> Estimate {
    let expected = expectations.of(job);
    let elapsed = passed(since, now);
    let left = left_of(expected.duration(), elapsed);
    Estimate {
        ends_at: after(now, left),
        guessed: expected.is_guessed(),
        late: elapsed > expected.duration(),
    }
}

/// When a run is expected to end; absent until it is known what is to be built, and when it is over.
pub fn of_run(fleet: &Fleet, run: &Run, now: Timestamp) -> Option<Estimate> {
    let jobs = run.jobs.as_ref().filter(|_| run.finished.is_none())?;
    let expectations = Expectations::new(&fleet.durations, jobs);
    let progress = run.progress();
    let mut open = jobs.values().filter(|job| {
        let progress = progress.get(&job.id);
        progress.is_some_and(|progress| !progress.is_over())
    });
    Some(Estimate {
        ends_at: after(now, rest_of_run(fleet, run, now)),
        guessed: open.any(|job| expectations.of(job).is_guessed()),
        late: false,
    })
}

/// How long the rest of a run will take.
pub(crate) fn rest_of_run(fleet: &Fleet, run: &Run, now: Timestamp) -> Duration {
    builds(fleet, run, now).saturating_add(installations(fleet, run, now))
}

/// How long its builds will take.
fn builds(fleet: &Fleet, run: &Run, now: Timestamp) -> Duration {
    let (Some(jobs), Some(graph)) = (&run.jobs, run.graph()) else {
        return Duration::ZERO;
    };
    let expectations = Expectations::new(&fleet.durations, jobs);
    let expected: Vec<Duration> = jobs
        .values()
        .map(|job| expectations.of(job).duration())
        .collect();
    let progress = run.progress();
    let states: Vec<&JobProgress> = progress.iter().map(|(_, state)| state).collect();
    let begun: BTreeMap<usize, Timestamp> = run
        .tasks
        .iter()
        .filter_map(|(task, state)| {
            let Task::Build(id) = task else { return None };
            let (_, attempt) = state.newest()?;
            let is_open = state.outcome.is_none() && attempt.failure.is_none();
            let claim = attempt.claim.as_ref().filter(|_| is_open)?;
            Some((graph.place(id)?, claim.at))
        })
        .collect();
    let mut plan = Play::new(graph, &states, &expected);
    let platforms: Vec<&PlatformName> = jobs.values().map(|job| &job.platform).collect();
    for platform in run.platforms() {
        let is_of = |place: &usize| platforms.get(*place) == Some(&platform);
        let working = begun.keys().filter(|place| is_of(place)).count();
        let free = slots(fleet, platform).max(working).max(1);
        plan.slots.insert(platform.clone(), free);
    }
    plan.run(&platforms, |place, duration| match begun.get(&place) {
        Some(since) => left_of(duration, passed(*since, now)),
        None => duration,
    })
}

/// The slots of the builders of a platform that take work.
fn slots(fleet: &Fleet, platform: &PlatformName) -> usize {
    let workers = fleet.workers.iter().filter_map(|(id, worker)| {
        let machine = worker.machine.as_ref()?;
        let takes_work = machine.platform == *platform
            && worker.paused.is_none()
            && fleet.pause_of(id, worker.role).is_none();
        takes_work.then(|| usize::from(machine.slots.unwrap_or(1)))
    });
    workers.sum()
}

/// The builds of a batch, played through.
struct Play<'a> {
    graph: &'a Graph,
    expected: &'a [Duration],
    paths: Vec<Duration>,
    /// Of each job how many others it waits for; absent where nothing more happens to it.
    waits_for: Vec<Option<usize>>,
    slots: BTreeMap<PlatformName, usize>,
}

impl<'a> Play<'a> {
    fn new(graph: &'a Graph, states: &[&JobProgress], expected: &'a [Duration]) -> Self {
        let is_open = |place: usize| states.get(place).is_some_and(|state| !state.is_over());
        let waits_for = |place| {
            let open = graph.waits_for(place).iter().filter(|need| is_open(**need));
            is_open(place).then(|| open.count())
        };
        Self {
            graph,
            expected,
            paths: graph.remaining_paths(|place| expected.get(place).copied().unwrap_or_default()),
            waits_for: (0..graph.len()).map(waits_for).collect(),
            slots: BTreeMap::new(),
        }
    }

    fn run(
        mut self,
        platforms: &[&PlatformName],
        length: impl Fn(usize, Duration) -> Duration,
    ) -> Duration {
        let mut now = Duration::ZERO;
        let mut ready: BTreeMap<&PlatformName, BTreeSet<(Reverse<Duration>, usize)>> =
            BTreeMap::new();
        let mut working: BinaryHeap<Reverse<(Duration, usize)>> = BinaryHeap::new();
        let begin =
            (0..self.graph.len()).filter(|place| self.waits_for.get(*place) == Some(&Some(0)));
        let mut next: Vec<usize> = begin.collect();
        loop {
            for place in next.drain(..) {
                if let Some(platform) = platforms.get(place) {
                    let path = self.paths.get(place).copied().unwrap_or_default();
                    ready
                        .entry(platform)
                        .or_default()
                        .insert((Reverse(path), place));
                }
            }
            for (platform, ready) in &mut ready {
                let Some(free) = self.slots.get_mut(*platform) else {
                    continue;
                };
                while *free > 0
                    && let Some((_, place)) = ready.pop_first()
                {
                    *free -= 1;
                    let expected = self.expected.get(place).copied().unwrap_or_default();
                    let end = now.saturating_add(length(place, expected));
                    working.push(Reverse((end, place)));
                }
            }
            let Some(Reverse((end, done))) = working.pop() else {
                return now;
            };
            now = end;
            if let Some(free) = platforms.get(done).and_then(|it| self.slots.get_mut(*it)) {
                *free += 1;
            }
            for released in self.graph.releases(done) {
                if let Some(Some(waits)) = self.waits_for.get_mut(*released) {
                    *waits = waits.saturating_sub(1);
                    if *waits == 0 {
                        next.push(*released);
                    }
                }
            }
        }
    }
}

/// How long its installations will take, wave by wave.
fn installations(fleet: &Fleet, run: &Run, now: Timestamp) -> Duration {
    let mut known: Vec<u64> = fleet.estimates.installations.iter().copied().collect();
    known.sort_unstable();
    let one = known.get(known.len() / 2).copied();
    let one = one.map_or(UNKNOWN_INSTALLATION, Duration::from_millis);
    let waves = run.rollout.waves.len().max(1);
    let mut whole = Duration::ZERO;
    for place in 0..waves {
        let guests = run
            .guests
            .keys()
            .filter(|guest| run.rollout.wave_of(guest) == place && is_to_be_installed(run, guest));
        let count = u32::try_from(guests.count()).unwrap_or(u32::MAX);
        let wave = run.rollout.waves.get(place);
        let limits = [run.rollout.at_once, wave.and_then(|wave| wave.at_once)];
        let at_once = limits.into_iter().flatten().min().unwrap_or(count).max(1);
        whole = whole.saturating_add(one.saturating_mul(count.div_ceil(at_once)));
        if let Some(wave) = wave.filter(|_| place + 1 < waves) {
            let soak = Duration::from_secs(wave.soak_seconds);
            let soaked = run.ended_waves.get(place).map(|at| passed(*at, now));
            whole = whole.saturating_add(soak.saturating_sub(soaked.unwrap_or_default()));
        }
    }
    whole
}

fn is_to_be_installed(run: &Run, name: &GuestName) -> bool {
    let Some(guest) = run.guests.get(name) else {
        return false;
    };
    let wants = |scan: &crate::message::GuestScanned| {
        let mut updates = scan.updates.iter();
        updates.any(|update| update.purpose == Purpose::Runtime)
    };
    guest.scan.as_deref().is_some_and(wants)
        && guest.plan.is_some()
        && guest.left_out.is_none()
        && !run.is_over(&Task::Install(name.clone()))
}

fn left_of(expected: Duration, elapsed: Duration) -> Duration {
    match expected.checked_sub(elapsed) {
        Some(left) => left,
        None => elapsed / LATE,
    }
}

fn passed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

fn after(now: Timestamp, left: Duration) -> Timestamp {
    let left = SignedDuration::try_from(left).unwrap_or(SignedDuration::MAX);
    now.checked_add(left).unwrap_or(Timestamp::MAX)
}

/// A duration in whole milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
