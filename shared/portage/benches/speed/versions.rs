//! Comparison of versions.

use std::cmp::Ordering;
use std::error::Error;

use gentoo_updater_portage::version::Version;

use crate::input::{self, Numbers};
use crate::reference;
use crate::table::{Limit, Table, best_of};

const COMPARISONS: usize = 1_000_000;
/// What a million comparisons may take, in seconds.
const LIMIT: f64 = 0.1;
/// Portage takes part with fewer.
const REFERENCE_COMPARISONS: usize = 100_000;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let mut numbers = Numbers::new(2);
    let texts: Vec<(String, String)> = (0..COMPARISONS)
        .map(|_| {
            let left = input::version(&mut numbers);
            // Many of those that are compared have much in common.
            let right = match numbers.below(2) {
                0 => input::version(&mut numbers),
                _ => format!(
                    "{}-r{}",
                    left.split("-r").next().unwrap_or_default(),
                    numbers.below(4)
                ),
            };
            (left, right)
        })
        .collect();
    let mut pairs: Vec<(Version, Version)> = Vec::with_capacity(COMPARISONS);
    for (left, right) in &texts {
        pairs.push((left.parse()?, right.parse()?));
    }
    let lower = |pairs: &[(Version, Version)]| {
        pairs
            .iter()
            .filter(|(left, right)| left.vercmp(right) == Ordering::Less)
            .count()
    };
    let time = best_of(7, || lower(&pairs)).as_secs_f64();
    table.check(
        "1,000,000 version comparisons",
        time,
        "s",
        Limit::Below(LIMIT),
    );
    let time = best_of(3, || {
        texts
            .iter()
            .filter(|(left, right)| {
                let read = |text: &String| text.parse::<Version>().ok();
                read(left)
                    .zip(read(right))
                    .is_some_and(|(left, right)| left.vercmp(&right) == Ordering::Less)
            })
            .count()
    });
    table.show("  with reading both versions", time.as_secs_f64(), "s");

    let some = REFERENCE_COMPARISONS;
    let lines: Vec<String> = texts[..some]
        .iter()
        .map(|(left, right)| format!("{left} {right}"))
        .collect();
    let portage = reference::run("vercmp", &lines)?;
    assert_eq!(
        portage.result,
        lower(&pairs[..some]),
        "Portage finds as many lower versions"
    );
    let ours = best_of(7, || lower(&pairs[..some])).as_secs_f64();
    table.show(
        "  Portage's vercmp, per million",
        portage.seconds * (COMPARISONS / some) as f64,
        "s",
    );
    table.show("  Portage's time / ours", portage.seconds / ours, "");
    Ok(())
}
