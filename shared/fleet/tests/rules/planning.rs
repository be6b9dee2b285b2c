//! Merging answers and closing sets.

use crate::common::*;
use gentoo_updater_fleet::batch::{Answer, merge};
use gentoo_updater_fleet::closing::{close, least};
use gentoo_updater_fleet::message::{Batch, GuestScanned, HoldReason, Update};

fn merge_of(guests: &[(&str, Vec<Update>)]) -> Batch {
    let names: Vec<_> = guests.iter().map(|(name, _)| guest(name)).collect();
    let platform = platform();
    let plans: Vec<_> = guests.iter().map(|(_, plan)| rows(plan.clone())).collect();
    let answers: Vec<Answer<'_>> = plans
        .iter()
        .zip(&names)
        .map(|(updates, guest)| Answer {
            guest,
            platform: &platform,
            updates,
        })
        .collect();
    merge(&answers, &Default::default())
}

#[test]
fn guests_that_agree_share_one_job() {
    let batch = merge_of(&[("g1", vec![update("a/a-2")]), ("g2", vec![update("a/a-2")])]);
    assert_eq!(batch.jobs.len(), 1);
    assert_eq!(batch.guests.len(), 2);
}

#[test]
fn what_any_guest_of_a_job_accepts_is_accepted_for_its_build() {
    let accepting = |names: &[&str]| Update {
        accepts: names.iter().map(|name| cpv(name)).collect(),
        ..update("a/a-2")
    };
    let batch = merge_of(&[
        ("g1", vec![accepting(&["d/d-1", "d/e-1"])]),
        ("g2", vec![accepting(&["d/d-2", "d/e-1"])]),
    ]);
    let [job] = &batch.jobs[..] else {
        panic!("{batch:?}")
    };
    let accepted: Vec<String> = job.accepts.iter().map(ToString::to_string).collect();
    assert_eq!(accepted, ["d/d-1", "d/d-2", "d/e-1"]);
}

#[test]
fn one_flag_of_difference_makes_two_jobs() {
    let batch = merge_of(&[
        ("g1", vec![update("a/a-2").flag("ssl", true)]),
        ("g2", vec![update("a/a-2").flag("ssl", false)]),
    ]);
    assert_eq!(batch.jobs.len(), 2);
}

#[test]
fn one_binding_of_difference_makes_two_jobs() {
    let batch = merge_of(&[
        ("g1", vec![update("a/a-2").bound_to("l/l", "0/1")]),
        ("g2", vec![update("a/a-2").bound_to("l/l", "0/2")]),
    ]);
    assert_eq!(batch.jobs.len(), 2);
}

#[test]
fn what_only_builds_need_is_built() {
    let batch = merge_of(&[(
        "g1",
        vec![
            update("a/tool-1").only_for_builds(),
            update("a/a-2").needs_to_build("a/tool-1"),
        ],
    )]);
    let job = |name| {
        batch
            .jobs
            .iter()
            .find(|job| job.key.cpv == cpv(name))
            .unwrap()
    };
    assert!(job("a/a-2").build_needs.contains(&job("a/tool-1").id));
}

fn held(
    updates: Vec<Update>,
    installed: Vec<gentoo_updater_fleet::message::InstalledPackage>,
    without: &str,
) -> Vec<(String, HoldReason)> {
    let scan = scanned("g1", updates, installed);
    let closed = close(&scan, |update| {
        (update.key.cpv == cpv(without)).then_some(HoldReason::BuildFailed)
    });
    for update in &closed.install {
        assert!(!closed.held.iter().any(|held| held.cpv == update.key.cpv));
    }
    closed
        .held
        .into_iter()
        .map(|held| (held.cpv.to_string(), held.reason))
        .collect()
}

#[test]
fn what_needs_a_failed_package_is_held_back_however_far_away() {
    let held = held(
        vec![
            update("a/failed-2"),
            update("a/near-2").needs_to_run("a/failed-2"),
            update("a/far-2").needs_to_run("a/near-2"),
            update("a/free-2"),
        ],
        vec![],
        "a/failed-2",
    );
    assert_eq!(
        held,
        [
            ("a/failed-2".to_owned(), HoldReason::BuildFailed),
            ("a/far-2".to_owned(), HoldReason::Needs(cpv("a/near-2"))),
            ("a/near-2".to_owned(), HoldReason::Needs(cpv("a/failed-2"))),
        ]
    );
}

#[test]
fn a_library_whose_new_subslot_would_break_an_installed_package_is_held_back() {
    let held = held(
        vec![
            update("l/l-2").slot("0/2"),
            update("a/a-1").bound_to("l/l", "0/2"),
        ],
        vec![
            installed("l/l-1", "0/1", &[]),
            installed("a/a-1", "0", &[("l/l", "0/1")]),
        ],
        "a/a-1",
    );
    assert_eq!(held.len(), 2);
    assert_eq!(
        held[1],
        ("l/l-2".to_owned(), HoldReason::WouldBreak(cpv("a/a-1")))
    );
}

#[test]
fn holding_the_library_holds_everything_that_is_bound_to_its_new_subslot() {
    let held = held(
        vec![
            update("l/l-2").slot("0/2"),
            update("a/broken-1")
                .bound_to("l/l", "0/2")
                .needs_to_build("l/l-2"),
            update("a/good-2")
                .bound_to("l/l", "0/2")
                .needs_to_build("l/l-2"),
        ],
        vec![installed("a/broken-1", "0", &[("l/l", "0/1")])],
        "a/broken-1",
    );
    let names: Vec<&str> = held.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a/broken-1", "a/good-2", "l/l-2"]);
}

#[test]
fn a_library_and_its_rebuilt_dependants_go_together() {
    let held = held(
        vec![
            update("l/l-2").slot("0/2"),
            update("a/a-1")
                .bound_to("l/l", "0/2")
                .needs_to_build("l/l-2"),
        ],
        vec![installed("a/a-1", "0", &[("l/l", "0/1")])],
        "a/none-1",
    );
    assert!(held.is_empty());
}

/// The least part with these of a whole set. Nothing of it needs what is not in it.
fn least_with(scan: &GuestScanned, wanted: &[&str]) -> Vec<String> {
    let whole = close(scan, |_| None).install;
    let is_wanted = |update: &Update| wanted.iter().any(|name| update.key.cpv == cpv(name));
    let kept = least(scan, &whole, is_wanted);
    let is_left = |update: &Update| !kept.iter().any(|it| it.key.cpv == update.key.cpv);
    let closed = close(scan, |update| {
        is_left(update).then_some(HoldReason::BuildFailed)
    });
    assert_eq!(closed.install, kept, "it is closed");
    let names = kept.iter().map(|update| update.key.cpv.to_string());
    names.collect()
}

#[test]
fn the_least_part_has_what_it_needs_and_what_it_would_break_and_nothing_else() {
    let updates = vec![
        update("z/other-2").needs_to_run("l/l-2"),
        update("l/need-2"),
        update("l/l-2").slot("0/2").needs_to_run("l/need-2"),
        // To be built anew it needs what is bound to another library itself.
        update("a/a-2")
            .bound_to("l/l", "0/2")
            .needs_to_build("l/l-2")
            .needs_to_run("m/m-2"),
        update("m/m-2").slot("0/2"),
        update("b/b-1")
            .bound_to("m/m", "0/2")
            .needs_to_build("m/m-2"),
        update("c/build-2").needs_to_build("l/l-2"),
    ];
    let has = vec![
        installed("l/l-1", "0/1", &[]),
        installed("m/m-1", "0/1", &[]),
        installed("a/a-1", "0", &[("l/l", "0/1")]),
        installed("b/b-1", "0", &[("m/m", "0/1")]),
        installed("c/c-1", "0", &[("l/l", "0/2")]),
    ];
    let scan = scanned("g1", updates, has);
    assert_eq!(least_with(&scan, &[]), [""; 0]);
    assert_eq!(least_with(&scan, &["l/need-2"]), ["l/need-2"]);
    assert_eq!(least_with(&scan, &["m/m-2"]), ["m/m-2", "b/b-1"]);
    // In the order of the plan.
    let with_library = ["l/need-2", "l/l-2", "a/a-2", "m/m-2", "b/b-1"];
    assert_eq!(least_with(&scan, &["l/l-2"]), with_library);
    assert_eq!(least_with(&scan, &["a/a-2"]), with_library);
    assert_eq!(least_with(&scan, &["c/build-2"]), ["c/build-2"]);
}
