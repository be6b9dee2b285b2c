//! Many seeds, on all cores.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::faults::Fault;
use crate::schedule::{Verdict, run};

/// No more seeds are begun when this many have failed.
const FAILURES: usize = 5;
/// A seed that takes longer hangs: a thousand times what it takes on a slow machine.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Sum {
    /// How many were run.
    pub seeds: u64,
    /// Those that failed, with all that helps to find out why.
    pub failed: BTreeMap<u64, String>,
    /// How often each fault happened.
    pub faults: BTreeMap<Fault, u64>,
    /// How many jobs there were.
    pub jobs: usize,
    /// How many events there were.
    pub events: usize,
    /// How long it took.
    pub took: Duration,
    /// On how many threads.
    pub threads: usize,
    running: BTreeMap<u64, Instant>,
}

impl Sum {
    fn add(&mut self, seed: u64, ended: std::thread::Result<Verdict>, events: usize) {
        self.running.remove(&seed);
        self.seeds += 1;
        let verdict = match ended {
            Ok(verdict) => verdict,
            Err(_) => {
                let words = format!("seed {seed} panicked, as printed above\n{}", replay(seed));
                self.failed.insert(seed, words);
                return;
            }
        };
        if !verdict.broken.is_empty() {
            self.failed.insert(seed, explain(&verdict, events));
        }
        for (fault, times) in verdict.faults {
            *self.faults.entry(fault).or_default() += times;
        }
        self.jobs += verdict.jobs;
        self.events += verdict.history.len();
    }
}

/// How a seed is run again.
fn replay(seed: u64) -> String {
    format!("replay it with: SIMULATION_SEED={seed} cargo test -p gentoo-updater-simulation")
}

/// What did not hold, and what happened before the end.
fn explain(verdict: &Verdict, events: usize) -> String {
    format!(
        "seed {}, after {:?} of its time:\n  {}\nthe last events:\n  {}\n{}",
        verdict.seed,
        verdict.took,
        verdict.broken.join("\n  "),
        verdict.last(events).join("\n  "),
        replay(verdict.seed)
    )
}

/// Runs these seeds, and explains those that fail with their last events, at most so many.
pub fn run_many(seeds: Range<u64>, events: usize) -> Sum {
    let (next, sum, ended) = (
        AtomicU64::new(seeds.start),
        Mutex::new(Sum::default()),
        Condvar::new(),
    );
    let begun = Instant::now();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || lock(&sum).failed.len() >= FAILURES {
                break;
            }
            lock(&sum).running.insert(seed, Instant::now());
            let verdict = catch_unwind(|| run(seed));
            lock(&sum).add(seed, verdict, events);
        }
        lock(&sum).threads += 1;
        ended.notify_all();
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
        watch(&sum, &ended, threads);
    });
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.took = begun.elapsed();
    sum
}

/// Waits for all threads. One that hangs cannot be ended, so that the process is.
fn watch(sum: &Mutex<Sum>, ended: &Condvar, threads: usize) {
    let mut now = lock(sum);
    while now.threads < threads {
        let mut running = now.running.iter();
        if let Some((seed, _)) = running.find(|(_, begun)| begun.elapsed() > HANGS_AFTER) {
            eprintln!(
                "seed {seed} hangs: its time stands still, with tasks that wake each other or wait for nothing"
            );
            eprintln!("{}", replay(*seed));
            std::process::exit(101);
        }
        let waited = ended.wait_timeout(now, Duration::from_secs(1));
        now = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn lock(sum: &Mutex<Sum>) -> MutexGuard<'_, Sum> {
    sum.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        let faults: u64 = self.faults.values().sum();
        writeln!(
            f,
            "{} seeds took {seconds:.1} s on {} threads: {} jobs, {} events, \
             {faults} faults, {:.0} faults a second",
            self.seeds,
            self.threads,
            self.jobs,
            self.events,
            faults as f64 / seconds
        )?;
        for (fault, times) in &self.faults {
            writeln!(f, "  {times:>9} {fault:?}")?;
        }
        Ok(())
    }
}
