use gentoo_updater_dashboard::view::{
    BuildsDocument, GraphDocument, GuestDocument, JobDocument, KEPT_BUILDS, KEPT_PAST_RUNS,
    PackageDocument, Past, RunDocument,
};
use gentoo_updater_fleet::inspect::{PlanProgress, Signs};
use gentoo_updater_fleet::state::Fleet;

use super::common::runs::{finished, requested, run_number};
use super::*;

#[test]
fn the_graph_has_every_job_behind_what_it_needs() {
    let history = planned();
    let graph = GraphDocument::of(&history.fleet, history.run());
    assert_eq!((graph.jobs.len(), graph.layers), (2, 2));
    let of = |cpv: &str| graph.jobs.iter().position(|job| job.cpv == cpv).unwrap();
    let (openssl, curl) = (of("dev-libs/openssl-3.0"), of("net-misc/curl-8.0"));
    assert_eq!(graph.jobs[curl].needs, [openssl]);
    assert_eq!((graph.jobs[openssl].layer, graph.jobs[curl].layer), (0, 1));
    assert_eq!(graph.critical, [openssl, curl]);
    assert_eq!(graph.jobs[curl].wanted_by, 2);
    // Places are those of the changes.
    let ids: Vec<&str> = graph.jobs.iter().map(|job| job.job.as_str()).collect();
    assert!(ids.is_sorted());
}

#[test]
fn before_the_batch_there_is_an_empty_graph() {
    let history = History::requested(&["g1"]);
    let graph = GraphDocument::of(&history.fleet, history.run());
    assert!(!graph.planned && graph.jobs.is_empty());
}

#[test]
fn a_failure_is_told_with_its_cause_and_what_to_do_next() {
    let mut history = planned();
    begin(&mut history, "dev-libs/openssl-3.0");
    fail(&mut history, "dev-libs/openssl-3.0");
    let run = RunDocument::of(&history.fleet, history.run(), history.now());
    let [told] = run.failures.as_slice() else {
        panic!("{:?}", run.failures);
    };
    let job = history.job("dev-libs/openssl-3.0");
    assert_eq!(told.subject, "build dev-libs/openssl-3.0");
    assert_eq!(told.failure.cause, "BuildFailed");
    assert_eq!(told.failure.log_tail, ["error: no"]);
    let next = format!("gentoo-updater retry {}", job.id.short());
    assert_eq!(told.next, Some(next));
    assert_eq!(told.guests, [guest("g1")].into());
    let page = format!("/runs/{}/jobs/{}", run_id(), job.id.short());
    assert_eq!(told.page, Some(page));

    let document = JobDocument::of(history.run(), job.id.short()).unwrap();
    assert_eq!(document.failure.as_ref(), Some(told));
    assert_eq!(document.attempts.len(), 1);
    assert!(document.attempts[0].failure.is_some());
    let curl = history.job("net-misc/curl-8.0");
    let document = JobDocument::of(history.run(), curl.id.short()).unwrap();
    assert_eq!(document.held_by.unwrap().cpv, "dev-libs/openssl-3.0");
    assert!(JobDocument::of(history.run(), "0123").is_none());
}

#[test]
fn when_the_run_is_over_a_further_one_is_what_to_do_next() {
    let mut history = planned();
    fail(&mut history, "dev-libs/openssl-3.0");
    history.say(finished(run_id()));
    let run = RunDocument::of(&history.fleet, history.run(), history.now());
    let next = format!("gentoo-updater retry {}", run_id().short());
    assert!(!run.failures.is_empty());
    assert!(
        run.failures
            .iter()
            .all(|told| told.next.as_ref() == Some(&next)),
        "{:?}",
        run.failures
    );
}

#[test]
fn a_build_is_shown_on_its_builder_until_it_is_over() {
    let mut history = planned();
    begin(&mut history, "dev-libs/openssl-3.0");
    let builds =
        |history: &History| BuildsDocument::of(&history.fleet, &Signs::nobody_heard()).builds;
    let on = builds(&history);
    let b1 = "b1".parse().unwrap();
    assert_eq!(on[&b1][0].cpv, "dev-libs/openssl-3.0");
    history.say(built(&history.job("dev-libs/openssl-3.0")));
    assert!(builds(&history).is_empty());
}

#[test]
fn a_guest_and_a_package_lead_to_each_other() {
    let history = planned();
    let document = |name: &str, is_configured: bool| {
        let platform = platform();
        let configured = is_configured.then_some(&platform);
        GuestDocument::of(&history.fleet, &guest(name), configured, history.now())
    };
    let g1 = document("g1", true).unwrap();
    assert_eq!(g1.words.as_deref(), Some("waits for 2 packages"));
    let jobs: Vec<&str> = g1.jobs.iter().map(|(cpv, _)| cpv.as_str()).collect();
    assert_eq!(jobs, ["dev-libs/openssl-3.0", "net-misc/curl-8.0"]);
    assert!(document("g3", true).unwrap().report.is_none());
    assert!(document("g3", false).is_none());
    let past = Past::default();
    let package = |name: &str| PackageDocument::of(&history.fleet, &past, &name.parse().unwrap());
    let curl = package("net-misc/curl").unwrap();
    assert_eq!(curl.jobs.len(), 1);
    assert!(matches!(curl.jobs[0].progress, PlanProgress::Waiting));
    assert_eq!(curl.installed[0].cpv, "net-misc/curl-7.0");
    assert_eq!(curl.installed[0].guests, [guest("g1"), guest("g2")]);
    assert!(package("net-misc/wget").is_none());
}

#[test]
fn the_past_counts_what_a_run_built_and_forgets_the_oldest() {
    let mut history = planned();
    fail(&mut history, "net-misc/curl-8.0");
    history.say(built(&history.job("dev-libs/openssl-3.0")));
    // A result that comes twice counts once.
    history.say(built(&history.job("dev-libs/openssl-3.0")));
    history.say(finished(run_id()));
    let mut past = Past::default();
    for (offset, event) in &history.events {
        past.apply(*offset, event);
    }
    let run = &past.runs[&run_id()];
    assert_eq!((run.guests, run.jobs, run.built, run.failed), (2, 2, 1, 1));
    assert_eq!((run.build_ms, run.bytes), (1000, 1000));
    assert!(run.finished_at.is_some());
    assert_eq!(past.builds[0].cpv, "dev-libs/openssl-3.0");
    // A state that has forgotten the run.
    let former = |name: &str| PackageDocument::of(&Fleet::default(), &past, &name.parse().unwrap());
    let openssl = former("dev-libs/openssl").unwrap();
    assert_eq!(
        (openssl.jobs.len(), &openssl.former[0]),
        (0, &past.builds[0])
    );
    assert!(former("net-misc/curl").is_none(), "it was not built");

    let mut many = History::default();
    for number in 0..KEPT_PAST_RUNS as u128 + 5 {
        many.say(requested(run_number(number + 1)));
    }
    for (offset, event) in &many.events {
        past.apply(*offset, event);
    }
    assert_eq!(past.runs.len(), KEPT_PAST_RUNS);
    assert!(past.builds.len() <= KEPT_BUILDS);
}
