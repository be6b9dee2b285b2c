//! Whatever fails is shown with its cause and with what to do, as in the report.

use std::collections::BTreeSet;

use gentoo_updater_dashboard::view::{BuildsDocument, GuestDocument, JobDocument, RunDocument};
use gentoo_updater_fleet::inspect::Signs;
use gentoo_updater_fleet::remedy::next_step;
use gentoo_updater_fleet::report::Report;
use serde_json::{Value, json};

use super::common::failing::{EACH, all_failures, fails};
use super::*;

#[test]
fn each_cause_is_told_with_its_next_step_as_in_the_report() {
    for (step, failure) in all_failures() {
        let history = fails(step, &failure);
        let report = Report::of(&history.fleet, history.run());
        let run = RunDocument::of(&history.fleet, history.run(), history.now());
        let run = serde_json::to_value(run).unwrap();
        let told: BTreeSet<[String; 4]> = run["failures"]
            .as_array()
            .unwrap()
            .iter()
            .map(words)
            .collect();
        let reported = report.failures.iter().map(|it| {
            let (subject, next) = (it.subject.clone(), it.next_step.to_owned());
            [
                subject,
                it.failure.cause.clone(),
                it.failure.message.clone(),
                next,
            ]
        });
        assert_eq!(told, reported.collect(), "{step}, {:?}", failure.class);
        let is_told = |it: &[String; 4]| it[1] == failure.cause && it[3] == next_step(&failure);
        assert!(told.iter().any(is_told), "{step}: {told:#?}");
    }
}

/// What the run says of a failure.
fn words(told: &Value) -> [String; 4] {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let failure = &told["failure"];
    [
        text(&told["subject"]),
        text(&failure["cause"]),
        text(&failure["message"]),
        text(&told["next_step"]),
    ]
}

#[test]
fn a_failure_leads_to_the_page_of_what_it_is_about_which_tells_it_too() {
    for step in EACH {
        let failure = permanent("CompileFailure");
        let history = fails(step, &failure);
        let run = RunDocument::of(&history.fleet, history.run(), history.now());
        let [told] = run.failures.as_slice() else {
            panic!("{step}: {:#?}", run.failures);
        };
        let of_guest = || {
            let document = GuestDocument::of(&history.fleet, &guest("g1"), None, history.now());
            document
                .unwrap()
                .failure
                .map(|told| (told.failure, told.next_step))
        };
        let known = Some((failure.clone(), next_step(&failure)));
        let page = match step {
            "scan" | "install" | "platform" | "turn" => {
                assert_eq!(of_guest(), known, "{step}");
                Some("/guests/g1".to_owned())
            }
            "build" => {
                let id = history.job("dev-libs/openssl-3.0").id.short().to_owned();
                let document = JobDocument::of(history.run(), &id).unwrap();
                let of_job = document.failure.map(|told| (told.failure, told.next_step));
                assert_eq!(of_job, known);
                Some(format!("/runs/{}/jobs/{id}", run_id()))
            }
            "machine" => {
                let builds = BuildsDocument::of(&history.fleet, &Signs::nobody_heard());
                let builds = serde_json::to_value(builds).unwrap();
                assert!(builds.to_string().contains("CompileFailure"), "{builds:#}");
                Some("/builders".to_owned())
            }
            _ => None,
        };
        assert_eq!(told.page, page, "{step}");
        // A builder takes work again when its machine is fit, and nobody asks for that.
        assert_eq!(told.next.is_none(), step == "machine", "{step}");
    }
}

#[test]
fn what_is_tried_again_by_itself_is_told_behind_what_is_given_up() {
    let mut history = fails("build", &transient("FetchFailure"));
    history.say(Event::BuildFailed(BuildFailed {
        run: run_id(),
        job: history.job("net-misc/curl-8.0").id,
        attempt: 1,
        builder: Some("b1".parse().unwrap()),
        had: None,
        failure: permanent("CompileFailure"),
    }));
    let run = RunDocument::of(&history.fleet, history.run(), history.now());
    let run = serde_json::to_value(run).unwrap();
    let told = run["failures"].as_array().unwrap().iter();
    let told: Vec<Value> = told
        .map(|it| json!([it["subject"], it["tried_again"], it["next"].is_null()]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["build net-misc/curl-8.0", false, false]),
            json!(["build dev-libs/openssl-3.0", true, true]),
        ]
    );
}
