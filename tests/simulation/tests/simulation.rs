//! Thousands of fleets, each with troubles of its own.
//!
//! `SIMULATION_SEED=123 cargo test -p gentoo-updater-simulation` replays one of them,
//! `SIMULATION_SEEDS=100000` runs more of them, `SIMULATION_FIRST=…` others.

use std::str::FromStr;

use gentoo_updater_simulation::many::run_many;
use gentoo_updater_simulation::schedule::run;

fn number<T: FromStr>(variable: &str) -> Option<T> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse().ok();
    Some(number.unwrap_or_else(|| panic!("{variable} is to be a number")))
}

#[test]
fn every_fleet_in_trouble_ends_well() {
    let one = number::<u64>("SIMULATION_SEED");
    let first = one.or(number("SIMULATION_FIRST")).unwrap_or(1);
    let count = match one {
        Some(_) => 1,
        None => number("SIMULATION_SEEDS").unwrap_or(10_000),
    };
    // Who replays one seed wants to see all of it.
    let events = if one.is_some() { usize::MAX } else { 30 };
    let sum = run_many(first..first + count, events);
    println!("{sum}");
    let explained: Vec<&str> = sum.failed.values().map(String::as_str).collect();
    assert!(explained.is_empty(), "{}", explained.join("\n\n"));
}

#[test]
fn a_seed_gives_the_same_history_each_time() {
    for seed in 1..=100 {
        let (once, again) = (run(seed), run(seed));
        assert_eq!(once.lines(), again.lines(), "seed {seed}");
        assert_eq!(once.faults, again.faults, "seed {seed}");
        assert_eq!(once.took, again.took, "seed {seed}");
    }
}
