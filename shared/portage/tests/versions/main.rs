//! What 13 versions of Portage printed for the same cases on the same machine, oldest to newest.
//!
//! `tests/tests/portage_versions` runs the cases on real guests, compares with what Portage's own
//! resolver says of each plan, and records what is read here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail the test"
)]

mod expected;

use std::collections::BTreeSet;
use std::fs;

use gentoo_updater_portage::plan::{Plan, PlanError, RowKind, parse};
use gentoo_updater_portage::version::Version;

use expected::{Expectations, describe, folder};

/// The versions, oldest first.
fn versions() -> Vec<Version> {
    let mut versions: Vec<Version> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().to_str().unwrap().parse().unwrap())
        .collect();
    versions.sort();
    versions
}

/// The cases that are recorded for the version itself. Where there is no record, the version says
/// the same as the next newer one.
fn cases(version: &Version) -> BTreeSet<String> {
    fs::read_dir(folder().join(version.to_string()))
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".rc").map(str::to_owned)
        })
        .collect()
}

fn read(version: &Version, case: &str) -> Result<Plan, PlanError> {
    let place = folder().join(version.to_string());
    let text = |extension: &str| fs::read_to_string(place.join(format!("{case}.{extension}")));
    // There is no file where a stream stayed empty.
    parse(
        &text("out").unwrap_or_default(),
        &text("err").unwrap_or_default(),
        text("rc").unwrap().trim().parse().unwrap(),
    )
}

#[test]
fn every_version_of_portage_is_read_as_expected() {
    let expectations = Expectations::read();
    let mut wrong = Vec::new();
    for version in versions() {
        for case in cases(&version) {
            let expected = expectations.of(&case, &version);
            let found = describe(&read(&version, &case));
            if found != expected {
                let missing: Vec<_> = expected.difference(&found).collect();
                let surplus: Vec<_> = found.difference(&expected).collect();
                wrong.push(format!(
                    "{version} {case}\n  expected {missing:#?}\n  found {surplus:#?}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} cases:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_case_is_recorded_and_every_version_has_something_of_its_own() {
    let (expectations, versions) = (Expectations::read(), versions());
    assert!(versions.len() >= 8, "only {versions:?}");
    let newest = cases(versions.last().unwrap());
    let newest: BTreeSet<&str> = newest.iter().map(String::as_str).collect();
    assert_eq!(newest, expectations.cases());
    for version in &versions {
        assert!(
            cases(version).contains("world-v2"),
            "{version} has no world-v2"
        );
    }
}

#[test]
fn a_binary_on_a_server_is_marked_since_3_0_78() {
    let since: Version = "3.0.78".parse().unwrap();
    let mut binaries = 0;
    for version in versions() {
        for case in cases(&version) {
            let Ok(plan) = read(&version, &case) else {
                continue;
            };
            for row in plan.rows.iter().filter(|row| row.kind == RowKind::Binary) {
                let marked = case.starts_with("remote-") && version >= since;
                assert_eq!(
                    row.status.remote_binary, marked,
                    "{version} {case}: {row:?}"
                );
                assert!(row.build_id.is_some(), "{version} {case}: {row:?}");
                binaries += 1;
            }
        }
    }
    assert!(binaries > 100, "only {binaries} binary rows");
}
