//! Rings of jobs that wait for each other: where they are entered, and what that costs.

use std::collections::BTreeSet;

use crate::common::*;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::JobId;
use gentoo_updater_fleet::report::Report;
use gentoo_updater_fleet::state::{BrokenRing, JobProgress};
use proptest::prelude::*;

fn planned(updates: Vec<Update>) -> History {
    let mut history = History::requested(&["g1"]);
    let answer = scanned("g1", updates, vec![]);
    let (guest, platform) = (guest("g1"), platform());
    let batch = gentoo_updater_fleet::batch::merge(
        &[gentoo_updater_fleet::batch::Answer {
            guest: &guest,
            platform: &platform,
            updates: &answer.updates,
        }],
        &Default::default(),
    );
    history.say(Event::GuestScanned(answer));
    history.say(Event::BatchPlanned(BatchPlanned {
        run: run_id(),
        batch,
    }));
    history
}

fn ready(history: &History) -> BTreeSet<String> {
    let progress = history.run().progress();
    let ready = progress.iter().filter(|(_, p)| **p == JobProgress::Ready);
    names(history, ready.map(|(id, _)| id))
}

fn names<'a>(history: &History, ids: impl IntoIterator<Item = &'a JobId>) -> BTreeSet<String> {
    let jobs = history.run().jobs.as_ref().unwrap();
    ids.into_iter()
        .map(|id| jobs[id].key.cpv.to_string())
        .collect()
}

fn build(history: &mut History, name: &str) {
    let job = history.job(name);
    history.say(built(&job));
}

/// The order in which everything is built, one after the other.
fn order(history: &mut History) -> Vec<String> {
    let mut order = Vec::new();
    while let Some(next) = ready(history).into_iter().next() {
        build(history, &next);
        order.push(next);
    }
    let progress = history.run().progress();
    assert!(progress.iter().all(|(_, p)| *p == JobProgress::Built));
    order
}

/// The jobs, the first, what it does not wait for, and what of that its build uses.
fn told(history: &History, ring: &BrokenRing) -> [String; 4] {
    let words = |ids: &BTreeSet<JobId>| {
        let names: Vec<String> = names(history, ids).into_iter().collect();
        names.join(" ")
    };
    let first = BTreeSet::from([ring.first.clone()]);
    [&ring.jobs, &first, &ring.without, &ring.lacks].map(words)
}

fn rings(history: &History) -> Vec<[String; 4]> {
    let rings = history.run().rings.iter();
    rings.map(|ring| told(history, ring)).collect()
}

fn firsts(history: &History) -> Vec<[String; 2]> {
    let rings = rings(history).into_iter();
    rings.map(|[_, first, _, lacks]| [first, lacks]).collect()
}

#[test]
fn two_packages_that_need_each_other_to_run_are_no_ring() {
    let mut history = planned(vec![
        update("a/a-1").needs_to_run("a/b-1"),
        update("a/b-1").needs_to_run("a/a-1"),
    ]);
    assert_eq!(rings(&history), <[[String; 4]; 0]>::default());
    assert_eq!(ready(&history).len(), 2);
    order(&mut history);
}

#[test]
fn a_ring_of_two_builds_is_broken_once_and_the_other_gets_what_the_first_made() {
    let mut history = planned(vec![
        update("a/a-1").needs_to_build("a/b-1"),
        update("a/b-1").needs_to_build("a/a-1"),
    ]);
    let [[jobs, first, without, lacks]] = &rings(&history)[..] else {
        panic!()
    };
    assert_eq!(jobs, "a/a-1 a/b-1");
    assert_eq!(without, lacks);
    assert_ne!(first, without);
    let (first, without) = (first.clone(), without.clone());
    assert_eq!(order(&mut history), [first.clone(), without.clone()]);
    let second = history.job(&without).id;
    let there = history.run().dependencies(&second);
    assert_eq!(there.len(), 1);
    assert_eq!(there[0].cpv.to_string(), first);
}

#[test]
fn the_report_names_the_ring_and_what_was_built_without_what_once_that_was_begun() {
    let mut history = planned(vec![
        update("a/a-1")
            .needs_to_build("a/b-1")
            .bound_to("a/b", "0/1"),
        update("a/b-1").needs_to_build("a/a-1"),
    ]);
    let report = |history: &History| Report::of(&history.fleet, history.run());
    assert_eq!(report(&history).rings, []);
    order(&mut history);
    let report = report(&history);
    let [ring] = &report.rings[..] else {
        panic!("{:?}", report.rings)
    };
    assert_eq!(ring.packages, ["a/a-1", "a/b-1"]);
    let text = report.to_text();
    let line = "a/a-1, a/b-1 need each other: a/b-1 was built without a/a-1, with what its builder";
    assert!(text.contains(line), "{text}");
}

#[test]
fn the_report_says_nothing_of_a_ring_that_costs_nothing() {
    let mut history = planned(vec![
        update("a/a-1").needs_to_build("a/b-1"),
        update("a/b-1").needs_to_run("a/c-1"),
        update("a/c-1").needs_to_build("a/a-1"),
    ]);
    order(&mut history);
    assert_eq!(firsts(&history)[0], ["a/b-1", ""]);
    let report = Report::of(&history.fleet, history.run());
    let told: Vec<&str> = report
        .rings
        .iter()
        .map(|ring| ring.first.as_str())
        .collect();
    assert_eq!(told, ["a/a-1"]);
}

#[test]
fn what_a_package_is_bound_to_is_missing_only_where_nothing_else_can_be() {
    // Whatever their ids are: the same with the roles exchanged.
    for (bound, free) in [("a/a", "a/b"), ("a/b", "a/a")] {
        let mut history = planned(vec![
            update(&format!("{bound}-1"))
                .needs_to_build(&format!("{free}-1"))
                .bound_to(free, "0/1"),
            update(&format!("{free}-1")).needs_to_build(&format!("{bound}-1")),
        ]);
        assert_eq!(order(&mut history)[0], format!("{free}-1"));
    }
}

#[test]
fn of_a_ring_of_three_the_need_of_a_running_package_is_cut_and_no_need_of_a_build() {
    // Which id is the smallest must not matter.
    for [a, b, c] in [
        ["a/a-1", "a/b-1", "a/c-1"],
        ["a/b-1", "a/c-1", "a/a-1"],
        ["a/c-1", "a/a-1", "a/b-1"],
    ] {
        let mut history = planned(vec![
            update(a).needs_to_build(b),
            update(b).needs_to_build(c),
            update(c).needs_to_run(a),
        ]);
        // `b` is built with `c`, which lacks `a` by then.
        assert_eq!(firsts(&history), [[c, ""], [b, a]]);
        assert_eq!(order(&mut history), [c, b, a]);
    }
}

#[test]
fn what_a_build_uses_may_lack_what_it_needs_to_run_before_the_build_lacks_it() {
    // `a` is built with `b`, which is there by then and needs `c`, which needs `a` for its build.
    let mut history = planned(vec![
        update("a/a-1").needs_to_build("a/b-1"),
        update("a/b-1").needs_to_run("a/c-1"),
        update("a/c-1").needs_to_build("a/a-1"),
    ]);
    assert_eq!(firsts(&history), [["a/b-1", ""], ["a/a-1", "a/c-1"]]);
    assert_eq!(order(&mut history), ["a/b-1", "a/a-1", "a/c-1"]);
}

#[test]
fn two_rings_that_share_a_job_are_each_broken_where_it_costs_least() {
    // Both lead through `m`: once that is built without the two, nothing else is missing.
    let mut history = planned(vec![
        update("a/l-1").needs_to_build("a/m-1"),
        update("a/m-1")
            .needs_to_build("a/l-1")
            .needs_to_build("a/r-1"),
        update("a/r-1").needs_to_build("a/m-1"),
    ]);
    let rings = rings(&history);
    let order = order(&mut history);
    assert_eq!(order.len(), 3);
    // Whoever of the two sides is first lacks one job; `m` would lack two.
    assert_eq!(rings[0][0], "a/l-1 a/m-1 a/r-1");
    assert_ne!(rings[0][1], "a/m-1");
    assert_eq!(rings[0][3], "a/m-1");
    // What is left is a ring of two, broken on one of its sides.
    assert_eq!(rings.len(), 2);
    assert!(rings[1][0].contains("a/m-1"));
}

#[test]
fn a_ring_waits_for_what_is_outside_of_it_and_for_nothing_else_of_the_batch() {
    let mut history = planned(vec![
        update("a/a-1").needs_to_build("a/b-1"),
        update("a/b-1")
            .needs_to_build("a/a-1")
            .needs_to_build("z/before-1"),
        update("z/before-1"),
        update("z/long-1"),
        update("z/behind-1").needs_to_build("a/a-1"),
    ]);
    let both = ["z/before-1", "z/long-1"].map(str::to_owned).into();
    assert_eq!(ready(&history), both);
    build(&mut history, "z/before-1");
    let first = names(&history, [&history.run().rings[0].first]);
    let mut now = ready(&history);
    // The long one still goes on.
    assert!(now.remove("z/long-1"));
    assert_eq!(now, first);
}

#[test]
fn what_fails_outside_of_a_ring_holds_all_of_it_back() {
    let mut history = planned(vec![
        update("a/a-1").needs_to_build("a/b-1"),
        update("a/b-1")
            .needs_to_build("a/a-1")
            .needs_to_build("z/before-1"),
        update("z/before-1"),
    ]);
    let failed = history.job("z/before-1").id;
    history.say(Event::BuildFailed(BuildFailed {
        had: None,
        run: run_id(),
        job: failed.clone(),
        attempt: 1,
        builder: None,
        failure: permanent("CompileFailure"),
    }));
    let progress = history.run().progress();
    let held = JobProgress::HeldBack(failed);
    assert_eq!(progress.iter().filter(|(_, p)| **p == held).count(), 2);
}

/// Jobs that need each other in every way, and in which order those that are ready are built.
fn tangles() -> impl Strategy<Value = (Vec<(u8, u8)>, Vec<prop::sample::Index>)> {
    let needs = proptest::collection::vec((any::<u8>(), any::<u8>()), 3..7);
    (
        needs,
        proptest::collection::vec(any::<prop::sample::Index>(), 7),
    )
}

proptest! {
    #[test]
    fn whatever_needs_whatever_all_of_it_is_built_in_any_order_of_what_is_ready(
        (needs, picks) in tangles(),
    ) {
        let name = |number: usize| format!("a/p{number}-1");
        let updates = needs.iter().enumerate().map(|(own, (build, run))| {
            let mut update = update(&name(own));
            for other in (0..needs.len()).filter(|other| *other != own) {
                if build >> other & 1 == 1 && run >> other & 1 == 0 {
                    update = update.needs_to_build(&name(other));
                } else if run >> other & 1 == 1 && build >> other & 1 == 0 {
                    update = update.needs_to_run(&name(other));
                }
            }
            update
        });
        let mut history = planned(updates.collect());
        let mut left = needs.len();
        for pick in picks {
            let ready: Vec<String> = ready(&history).into_iter().collect();
            if ready.is_empty() {
                break;
            }
            // What is ready stays so until it is built, whatever else is.
            let next = &ready[pick.index(ready.len())];
            build(&mut history, next);
            left -= 1;
            let still = self::ready(&history);
            prop_assert!(ready.iter().all(|name| name == next || still.contains(name)));
        }
        prop_assert_eq!(left, 0);
    }
}
