//! State v2b: one package does not compile, one fails after it was merged. On this builder one more
//! does not compile, which is bound to a library that gets a new subslot.

use std::collections::BTreeMap;
use std::time::Duration;

use gentoo_updater_tests::actions;
use gentoo_updater_tests::assertions::{self, Binaries, Installed, failure_of, installed, job};
use gentoo_updater_tests::fixtures::{Lab, Scene};
use serde_json::Value;

#[test]
fn a_package_that_fails_is_reported_with_its_log_and_everything_else_reaches_every_guest() {
    let scene = Scene::embedded(5, 1);
    let lab = &scene.lab;
    lab.must(&["fill", "v1"]);
    lab.must(&["publish", "v2b"]);
    actions::slow_down(lab, "b1", 0);
    let common = ["app-misc/slowpoke", "dev-libs/slotted"];
    let leaning = ["app-misc/failer", "app-misc/leaner"];
    actions::want_only(lab, "g1", &[&common[..], &["app-misc/postfail"]].concat());
    actions::want_only(lab, "g2", &[&common[..], &leaning].concat());
    actions::want_only(lab, "g3", &common);
    break_hello(lab, "b1");
    let bound = ["app-misc/greeter", "app-misc/hello"];
    actions::want_only(lab, "g4", &[&common[..], &bound].concat());
    actions::want_only(lab, "g5", &[&common[..], &bound[..1]].concat());
    lab.sh("g5", "emerge --quiet --unmerge app-misc/hello");
    let before = installed(lab, "g4");

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 1);
    let report = &run.report;
    for guest in ["g1", "g2", "g3", "g4", "g5"] {
        let packages = installed(lab, guest);
        for cpv in [
            "app-misc/slowpoke-2.0",
            "dev-libs/slotted-2.0",
            "sys-apps/labbase-1.0-r1",
        ] {
            assert!(packages.contains_key(cpv), "{cpv} did not reach {guest}");
        }
    }
    failer_is_reported_with_its_log(&scene, report);
    leaner_is_held_back(&scene, report);
    postfail_is_reported(report);
    library_stays_where_hello_needs_it(&scene, report, &before);
    library_comes_where_nobody_needs_hello(lab, report);
    assertions::outcome_is(report, "g3", "Updated");
    assertions::plans_nothing(lab, "g3");
    let recorded = Binaries::of(lab).recorded();
    assert!(
        !recorded.iter().any(|cpv| cpv.contains("failer")),
        "failer-2.0 did not compile and has a record: {recorded:?}"
    );
    the_text_tells_it_too(&scene);
}

fn failer_is_reported_with_its_log(scene: &Scene, report: &Value) {
    let jobs = job(report, "app-misc/failer-2.0");
    assert_eq!(jobs.len(), 1, "jobs of failer-2.0: {jobs:#?}");
    assert_eq!(jobs[0]["state"], "failed", "{:#}", jobs[0]);
    let failure = &jobs[0]["failure"];
    let tail: Vec<&str> = failure["log_tail"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        tail.iter().any(|line| line.contains("undeclared_thing")),
        "the last lines of the log show the compiler's error: {failure:#}"
    );
    let message = failure["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("in its compile phase: failer.c:1:24: error: "),
        "the message names the compiler's error: {message}"
    );
    let path = failure["log_path"].as_str().unwrap_or_default();
    let (machine, path) = path.split_once(':').unwrap_or_else(|| {
        panic!("the log is named as machine:path: {failure:#}");
    });
    let log = scene.lab.sh(machine, &format!("zcat '{path}'"));
    assert!(
        log.contains("about to fail") && log.contains("undeclared_thing"),
        "{machine}:{path} is not all of the log:\n{log}"
    );
}

fn leaner_is_held_back(scene: &Scene, report: &Value) {
    assertions::outcome_is(report, "g2", "HeldBack");
    let jobs = job(report, "app-misc/leaner-2.0");
    assert_eq!(jobs.len(), 1, "jobs of leaner-2.0: {jobs:#?}");
    assert_eq!(jobs[0]["state"], "held back", "{:#}", jobs[0]);
    assert_eq!(jobs[0]["held_by"], "app-misc/failer-2.0", "{:#}", jobs[0]);
    let held = report["guests"]["g2"]["held"].as_array().expect("held");
    let reason_of = |cpv: &str| {
        let found = held.iter().find(|held| held["cpv"] == cpv);
        found.unwrap_or_else(|| panic!("{cpv} is not named as held back: {held:#?}"))["reason"]
            .clone()
    };
    assert_eq!(reason_of("app-misc/failer-2.0")["why"], "BuildFailed");
    let leaner = reason_of("app-misc/leaner-2.0");
    assert_eq!(leaner["package"], "app-misc/failer-2.0", "{leaner:#}");
    let packages = installed(&scene.lab, "g2");
    for cpv in ["app-misc/failer-1.0", "app-misc/leaner-1.0"] {
        assert!(packages.contains_key(cpv), "g2 lost {cpv}");
    }
}

fn break_hello(lab: &Lab, builder: &str) {
    lab.sh(
        builder,
        r#"cat > /etc/portage/bashrc <<'END'
if [[ ${EBUILD_PHASE} == compile && ${PN} == hello ]]; then
    die "hello does not compile on this machine"
fi
END"#,
    );
}

/// All that is bound to libalpha, with whatever is bound to that.
const BOUND: [&str; 4] = [
    "dev-libs/libalpha-1.0",
    "dev-libs/libbeta-1.0",
    "app-misc/hello-1.0",
    "app-misc/greeter-1.0",
];

fn library_stays_where_hello_needs_it(
    scene: &Scene,
    report: &Value,
    before: &BTreeMap<String, Installed>,
) {
    let hello = job(report, "app-misc/hello-2.0");
    assert!(
        hello.len() == 1 && hello[0]["state"] == "failed",
        "jobs of hello-2.0: {hello:#?}"
    );
    assertions::outcome_is(report, "g4", "HeldBack");
    let after = installed(&scene.lab, "g4");
    for cpv in BOUND {
        assert_eq!(
            after.get(cpv),
            before.get(cpv),
            "{cpv} on g4 after the run (left) and before it (right)"
        );
    }
    let held = report["guests"]["g4"]["held"].as_array().expect("held");
    let named: Vec<&str> = held.iter().filter_map(|h| h["cpv"].as_str()).collect();
    for cpv in [
        "dev-libs/libalpha-2.0",
        "dev-libs/libbeta-1.0",
        "app-misc/hello-2.0",
        "app-misc/greeter-2.0",
    ] {
        assert!(named.contains(&cpv), "{cpv} is not among {named:?}");
    }
    // The programs still find their libraries.
    scene.lab.sh("g4", "hello && greeter");
}

fn library_comes_where_nobody_needs_hello(lab: &Lab, report: &Value) {
    assertions::outcome_is(report, "g5", "Updated");
    assertions::plans_nothing(lab, "g5");
    let packages = installed(lab, "g5");
    let libbeta = &packages["dev-libs/libbeta-1.0"];
    assert!(
        libbeta.rdepend.contains("dev-libs/libalpha:0/2="),
        "libbeta on g5 is bound to {}",
        libbeta.rdepend
    );
    lab.sh("g5", "greeter");
}

fn postfail_is_reported(report: &Value) {
    assertions::outcome_is(report, "g1", "Failed");
    let (cause, message) = failure_of(report, "g1");
    assert!(
        message.contains("app-misc/postfail-2.0"),
        "{cause}: {message}"
    );
    let changes = report["guests"]["g1"]["changes"].to_string();
    assert!(
        changes.contains("app-misc/slowpoke-2.0"),
        "what g1 got all the same is named: {changes}"
    );
}

fn the_text_tells_it_too(scene: &Scene) {
    let report = scene.command("report", &["report"], Duration::from_secs(20));
    for words in [
        "finished with failures",
        "undeclared_thing",
        "the whole log: b1:/",
        "held back: app-misc/leaner-2.0: it needs app-misc/failer-2.0",
        "app-misc/postfail-2.0",
    ] {
        assert!(
            report.stdout.contains(words),
            "{words:?} is not in the report:\n{}",
            report.stdout
        );
    }
    // At a glance the cause and what to do, and of one package the whole way to it.
    let status = scene.command("status", &["status"], Duration::from_secs(20));
    for words in ["CompileFailure", "next step:"] {
        assert!(
            status.stdout.contains(words),
            "{words:?}: {}",
            status.stdout
        );
    }
    let why = scene.command(
        "why",
        &["why", "leaner", "--guest", "g2"],
        Duration::from_secs(20),
    );
    for words in ["app-misc/leaner-2.0", "app-misc/failer-2.0", "next step:"] {
        assert!(
            why.stdout.contains(words),
            "{words:?}: {}{}",
            why.stdout,
            why.stderr
        );
    }
}
