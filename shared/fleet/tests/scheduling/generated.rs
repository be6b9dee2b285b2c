//! Generated schedules under generated clocks: nothing begins twice, and nothing is missed in silence.
//!
//! `SCHEDULE_SEEDS` says how many are tried (60), `SCHEDULE_SEED` tries one alone.

use std::collections::BTreeSet;

use gentoo_updater_fleet::schedule::Calendar;
use jiff::Timestamp;

use crate::common::runs::{requested, run_number};
use crate::scene::{Scene, nightly};

const SEEDS: u64 = 60;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn schedule(dice: &mut fastrand::Rng) -> String {
    let calendars = [
        "30 2 * * *",
        "0 3 * * MON-FRI",
        "*/20 * * * *",
        "15 */6 * * *",
        "0 2 L * *",
        "0 1,2,3 * * SUN",
    ];
    let zones = [
        "UTC",
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "America/New_York",
    ];
    let windows = [
        "",
        "",
        "windows = [\"01:00-05:00 Europe/Berlin\"]\n",
        "windows = [\"Sat,Sun 00:00-24:00\", \"Wed 02:30-03:30\"]\n",
    ];
    format!(
        "[schedules.nightly]\ncalendar = {:?}\ntime_zone = {:?}\nlate_minutes = {}\njitter_minutes = {}\n{}",
        dice.choice(calendars).unwrap(),
        dice.choice(zones).unwrap(),
        dice.choice([0, 5, 60, 600]).unwrap(),
        dice.choice([0, 0, 7, 45]).unwrap(),
        dice.choice(windows).unwrap(),
    )
}

/// How much later it looks again: a while, or when the machine is on again.
fn step(dice: &mut fastrand::Rng) -> i64 {
    match dice.u8(0..100) {
        0..70 => dice.i64(1..10 * MINUTE),
        70..95 => dice.i64(HOUR..8 * HOUR),
        _ => dice.i64(DAY..9 * DAY),
    }
}

fn play(seed: u64, goes_back: bool) -> (Scene, Timestamp) {
    let mut dice = fastrand::Rng::with_seed(seed);
    // The clocks of all the zones are set within the time that is played.
    let begin = ["2026-03-01T00:00:00Z", "2026-10-01T00:00:00Z"];
    let begin = dice.choice(begin).unwrap();
    let mut scene = Scene::new(&schedule(&mut dice), begin);
    let since = scene.now;
    for number in 0..400 {
        scene.pass(step(&mut dice));
        if goes_back && dice.u8(0..100) < 5 {
            let back = [90, HOUR / 2, 5 * HOUR, 20 * DAY];
            scene.pass(-dice.choice(back).unwrap());
        }
        match dice.u8(0..10) {
            0 => scene.restart(),
            1 => scene.history.say(requested(run_number(number))),
            2..8 => scene.end_runs(),
            _ => {}
        }
        scene.is_paused = dice.u8(0..20) == 0;
        let others: BTreeSet<_> = scene.history.fleet.unfinished().map(|run| run.id).collect();
        let before = scene.begun.len();
        scene.look();
        let new = &scene.begun[before..];
        assert!(new.len() <= 1, "several begin at once: {new:?}");
        assert!(
            new.is_empty() || others.is_empty(),
            "a run goes on already: {new:?}"
        );
    }
    (scene, since)
}

fn seeds() -> Vec<u64> {
    match std::env::var("SCHEDULE_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => {
            let seeds = std::env::var("SCHEDULE_SEEDS");
            (0..seeds.map_or(SEEDS, |seeds| seeds.parse().unwrap())).collect()
        }
    }
}

fn check_begun(scene: &Scene, seed: u64) {
    let schedule = &scene.schedules[&nightly()];
    let times: BTreeSet<Timestamp> = scene.begun.iter().map(|begun| begun.at).collect();
    assert_eq!(
        times.len(),
        scene.begun.len(),
        "seed {seed}: one began twice"
    );
    for begun in &scene.begun {
        let (start, deadline) = (
            schedule.start(&nightly(), begun.at),
            schedule.deadline(&nightly(), begun.at),
        );
        assert!(
            start <= begun.now && begun.now <= deadline,
            "seed {seed}: {begun:?} is not between {start} and {deadline}"
        );
        let windows = &schedule.windows;
        let is_open = windows.iter().any(|it| it.open_until(begun.now).is_some());
        assert!(windows.is_empty() || is_open, "seed {seed}: {begun:?}");
    }
}

#[test]
fn nothing_begins_twice_and_what_does_not_begin_is_told() {
    let mut began = 0;
    for seed in seeds() {
        let (scene, since) = play(seed, false);
        check_begun(&scene, seed);
        began += scene.begun.len();
        let schedule = &scene.schedules[&nightly()];
        let calendar: &Calendar = &schedule.calendar;
        let mut at = since;
        while let Some(next) = calendar.next_after(at) {
            at = next;
            if schedule.deadline(&nightly(), at) >= scene.now {
                break;
            }
            let has_begun = scene.begun.iter().any(|begun| begun.at == at);
            let is_told = |missed: &&gentoo_updater_fleet::message::OccurrencesMissed| {
                missed.first <= at && at <= missed.last
            };
            let told = scene.missed.iter().filter(is_told).count();
            let told_or_begun = usize::from(has_begun) + told;
            assert_eq!(
                told_or_begun, 1,
                "seed {seed}: {at} began {has_begun}, told {told}"
            );
        }
    }
    assert!(
        began > 200 || std::env::var_os("SCHEDULE_SEED").is_some(),
        "{began}"
    );
}

#[test]
fn a_clock_that_goes_back_makes_nothing_begin_twice_or_too_early() {
    for seed in seeds() {
        let (scene, _) = play(seed, true);
        check_begun(&scene, seed);
    }
}
