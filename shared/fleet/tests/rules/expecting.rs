//! How long builds are taken to last.

use std::collections::BTreeMap;

use crate::common::building::{Building, SECOND, alone};
use crate::common::*;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::order::{Expectations, Expected, UNKNOWN_DURATION};

fn expected(known: &[(&str, u64)], updates: Vec<Update>) -> BTreeMap<String, Expected> {
    let building = Building::of(updates);
    let known = known.iter().map(|(name, milliseconds)| {
        let package = name.parse().unwrap();
        (package, *milliseconds)
    });
    let (known, jobs) = (
        known.collect(),
        building.history.run().jobs.clone().unwrap(),
    );
    let expectations = Expectations::new(&known, &jobs);
    jobs.values()
        .map(|job| (job.key.cpv.to_string(), expectations.of(job)))
        .collect()
}

fn of_size(name: &str, bytes: u64) -> Update {
    Update {
        download: Some(bytes),
        ..update(name)
    }
}

#[test]
fn what_lasts_long_by_the_log_of_a_builder_is_given_out_first() {
    let names = ["a/a-1", "a/b-1", "a/c-1", "a/d-1"];
    let mut learnt: [u64; 4] = [10, 40, 20, 30];
    for _ in 0..learnt.len() {
        learnt.rotate_left(1);
        let mut building = Building::of(alone(&names));
        let packages = names.map(|name| cpv(name).category_package);
        building
            .history
            .say(Event::DurationsLearned(DurationsLearned {
                builder: "one".parse().unwrap(),
                durations: packages.into_iter().zip(learnt).collect(),
            }));
        building.register("builder@one", 1);
        let mut longest_first = names.to_vec();
        longest_first.sort_by_key(|name| {
            let place = names.iter().position(|other| other == name);
            std::cmp::Reverse(learnt[place.unwrap()])
        });
        for name in longest_first {
            assert_eq!(building.given_out(), [name], "{learnt:?}");
            building.claim(name, 1, "builder@one");
            building.built(name);
        }
    }
}

#[test]
fn a_package_takes_as_long_as_its_newest_build() {
    let expected = expected(&[("a/a", 5000)], alone(&["a/a-1"]));
    assert_eq!(expected["a/a-1"], Expected::Known(5 * SECOND));
}

#[test]
fn larger_sources_are_taken_to_last_longer_at_the_pace_of_what_is_known() {
    const MEBIBYTE: u64 = 1 << 20;
    let updates = || {
        vec![
            of_size("a/known-1", MEBIBYTE),
            of_size("a/small-1", MEBIBYTE / 10),
            of_size("a/large-1", 100 * MEBIBYTE),
        ]
    };
    let slow = expected(&[("a/known", 50_000)], updates());
    let fast = expected(&[("a/known", 5_000)], updates());
    for name in ["a/small-1", "a/large-1"] {
        let ratio = slow[name].duration().as_secs_f64() / fast[name].duration().as_secs_f64();
        assert!((ratio - 10.0).abs() < 0.01, "{name}: {ratio}");
        assert!(matches!(slow[name], Expected::Guessed(_)));
    }
    assert!(slow["a/small-1"].duration() < slow["a/known-1"].duration());
    assert!(slow["a/large-1"].duration() > 20 * slow["a/known-1"].duration());
}

#[test]
fn of_what_nothing_is_known_the_middle_of_the_others_is_taken() {
    let known = [("x/a", 1000), ("x/b", 3000), ("x/c", 900_000)];
    let expected_here = expected(&known, alone(&["a/a-1"]));
    assert_eq!(expected_here["a/a-1"], Expected::Guessed(3 * SECOND));
    let nothing = expected(&[], alone(&["a/a-1"]));
    assert_eq!(nothing["a/a-1"], Expected::Guessed(UNKNOWN_DURATION));
}
