//! The order of versions, and what is a version.

use std::cmp::Ordering;

use gentoo_updater_portage::version::Version;
use serde_json::json;

use crate::generate::{near_version, version};
use crate::oracle::ask;
use crate::random::Random;
use crate::rules::{self, Verdicts};

const PAIRS: usize = 100_000;
const TEXTS: usize = 60_000;

#[test]
fn versions_compare_as_portage_compares_them() {
    let mut random = Random::new(1);
    let mut pairs: Vec<(Version, Version)> = Vec::with_capacity(PAIRS);
    while pairs.len() < PAIRS {
        let left = version(&mut random);
        let right = if random.chance(80) {
            near_version(&mut random, &left)
        } else {
            version(&mut random)
        };
        // Near versions include what is none; those are for the other test.
        if let (Ok(left), Ok(right)) = (left.parse(), right.parse()) {
            pairs.push((left, right));
        }
    }
    let questions: Vec<_> = pairs
        .iter()
        .map(|(left, right)| json!(["compare", left, right]))
        .collect();
    let mut counts = [0; 3];
    for ((left, right), answer) in pairs.iter().zip(ask(&questions)) {
        let expected = match answer.as_i64() {
            Some(sign) => sign.cmp(&0),
            None => panic!("Portage refuses {left} or {right}; {}", random.replay()),
        };
        let replay = random.replay();
        assert_eq!(left.vercmp(right), expected, "{left} to {right}; {replay}");
        assert_eq!(right.vercmp(left), expected.reverse(), "{right} to {left}");
        counts[(expected as i8 + 1).unsigned_abs() as usize] += 1;
        if expected != Ordering::Equal {
            assert_eq!(left.cmp(right), expected, "{left} to {right}; {replay}");
        }
    }
    let [less, equal, greater] = counts;
    println!(
        "version order: {PAIRS} pairs, all equal to Portage ({less} <, {equal} =, {greater} >)"
    );
    assert!(less.min(equal).min(greater) > PAIRS / 20, "one-sided");
}

#[test]
fn what_is_a_version_for_portage_is_one_here() {
    let mut random = Random::new(2);
    let texts: Vec<String> = (0..TEXTS)
        .map(|_| {
            let text = version(&mut random);
            match random.below(10) {
                0..4 => text,
                4..8 => random.mutated(&text, "019.abprz_-AZ \n٣ä"),
                8 => near_version(&mut random, &text),
                _ => random.text("01.ar_-p\n٣", 8),
            }
        })
        .collect();
    let questions: Vec<_> = texts
        .iter()
        .map(|text| json!(["is_version", text]))
        .collect();
    let mut verdicts = Verdicts::default();
    let rules: Vec<_> = rules::VERSION.iter().collect();
    for (text, answer) in texts.iter().zip(ask(&questions)) {
        let here = match text.parse::<Version>() {
            Ok(version) => {
                assert_eq!(version.to_string(), *text);
                true
            }
            Err(_) => false,
        };
        let portage = answer.as_bool().unwrap();
        verdicts.check(text, here, portage, &rules, &random.replay());
    }
    verdicts.finish("versions");
}
