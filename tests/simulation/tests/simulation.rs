//! Thousands of schedules, each with faults of its own.
//!
//! `SIMULATION_SEED=123 cargo test -p gentoo-updater-simulation` replays one of them,
//! `SIMULATION_SEEDS=100000` runs more of them, `SIMULATION_FIRST=…` others.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use gentoo_updater_simulation::faults::Fault;
use gentoo_updater_simulation::schedule::{Verdict, run};

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is to be a number")),
    )
}

fn explain(verdict: &Verdict) -> String {
    format!(
        "seed {}, after {:?}:\n  {}\nthe last events:\n  {}\n\
         replay it with: SIMULATION_SEED={} cargo test -p gentoo-updater-simulation",
        verdict.seed,
        verdict.took,
        verdict.broken.join("\n  "),
        verdict.last.join("\n  "),
        verdict.seed
    )
}

#[derive(Default)]
struct Sum {
    broken: Vec<String>,
    faults: BTreeMap<Fault, u64>,
    jobs: usize,
    events: usize,
}

#[test]
fn every_schedule_of_faults_ends_well() {
    let first = number("SIMULATION_SEED")
        .or(number("SIMULATION_FIRST"))
        .unwrap_or(1);
    let count = match number("SIMULATION_SEED") {
        Some(_) => 1,
        None => number("SIMULATION_SEEDS").unwrap_or(1_500),
    };
    let (next, sum) = (AtomicU64::new(first), Mutex::new(Sum::default()));
    let begun = Instant::now();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let verdict = run(seed);
                    let mut sum = sum.lock().expect("no thread panics with it");
                    if !verdict.broken.is_empty() {
                        sum.broken.push(explain(&verdict));
                    }
                    for (fault, times) in verdict.faults {
                        *sum.faults.entry(fault).or_default() += times;
                    }
                    sum.jobs += verdict.jobs;
                    sum.events += verdict.history.len();
                    if sum.broken.len() >= 5 {
                        return;
                    }
                }
            });
        }
    });
    let sum = sum.into_inner().expect("no thread panics with it");
    let seconds = begun.elapsed().as_secs_f64();
    let faults: u64 = sum.faults.values().sum();
    println!(
        "{count} seeds from {first} in {seconds:.1} s ({threads} threads): {} jobs, {} events, \
         {faults} faults, {:.0} faults a second",
        sum.jobs,
        sum.events,
        faults as f64 / seconds
    );
    for (fault, times) in &sum.faults {
        println!("  {times:>9} {fault:?}");
    }
    let failed = sum.broken.len();
    assert!(
        failed == 0,
        "{failed} seeds failed:\n{}",
        sum.broken.join("\n\n")
    );
}

#[test]
fn a_seed_gives_the_same_history_each_time() {
    for seed in 1..=20 {
        let (once, again) = (run(seed), run(seed));
        assert_eq!(once.history, again.history, "seed {seed}");
        assert_eq!(once.took, again.took, "seed {seed}");
        assert!(once.jobs >= 8, "seed {seed} has {} jobs", once.jobs);
    }
}
