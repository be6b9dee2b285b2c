//! Machines of different kinds under one platform.

use std::time::Duration;

use crate::common::*;
use gentoo_updater_fleet::decide::{Order, Patience, decide, observe};
use gentoo_updater_fleet::liveness::Liveness;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::platforms::check_builder;
use gentoo_updater_fleet::report::{GuestOutcome, Report};

const V3: &str = "-march=x86-64-v3 -O2 -pipe";
const ZEN: &str = "-march=znver2 -O2 -pipe";

/// Guests that have answered with these flags, each wanting the same update.
fn answered(guests: &[(&str, &str)]) -> History {
    let names: Vec<&str> = guests.iter().map(|(name, _)| *name).collect();
    let mut history = History::requested(&names);
    for (name, cflags) in guests {
        let mut scan = scanned(name, vec![update("a/a-2")], vec![]);
        scan.identity.settings = variables(cflags);
        history.say(Event::GuestScanned(scan));
    }
    history
}

fn register(history: &mut History, builder: &str, cflags: Option<&str>) {
    history.say(Event::WorkerRegistered(WorkerRegistered {
        worker: worker(&format!("builder@{builder}")),
        role: Role::Builder,
        queues: vec!["build.default".to_owned()],
        machine: Some(machine(builder, cflags)),
    }));
}

/// What the planner publishes of the batch, when these builders live; nothing while it waits.
fn batch_of(history: &History, living: &[&str]) -> Option<Batch> {
    let second = Duration::from_secs(1);
    let mut liveness = Liveness::new(180 * second, 900 * second, second);
    for builder in living {
        liveness.alive(&worker(&format!("builder@{builder}")), []);
    }
    observe(&history.fleet, &mut liveness);
    let orders = decide(
        &history.fleet,
        &liveness,
        &Patience::default(),
        history.now(),
    );
    orders.into_iter().find_map(|order| match order {
        Order::Publish(Event::BatchPlanned(planned)) => Some(planned.batch),
        _ => None,
    })
}

/// The history with the batch in it.
fn planned(mut history: History, living: &[&str]) -> History {
    let batch = batch_of(&history, living).expect("a batch is planned");
    let run = run_id();
    history.say(Event::BatchPlanned(BatchPlanned { run, batch }));
    history
}

fn report(history: &History) -> Report {
    Report::of(&history.fleet, history.run())
}

#[test]
fn a_guest_of_another_machine_is_named_with_the_difference_and_nothing_is_built_for_it() {
    let mut history = answered(&[("g1", V3), ("g2", ZEN)]);
    register(&mut history, "fast", Some(V3));
    let history = planned(history, &["fast"]);
    let jobs = history.run().jobs.as_ref().unwrap();
    let wanted: Vec<_> = jobs.values().flat_map(|job| &job.wanted_by).collect();
    assert_eq!(wanted, [&guest("g1")]);
    let report = report(&history);
    let stranger = &report.guests[&guest("g2")];
    assert_eq!(stranger.outcome, GuestOutcome::Failed);
    assert!(stranger.untouched);
    let failure = stranger.failure.as_ref().unwrap();
    assert_eq!(failure.cause, "PlatformUnserved");
    for words in [
        "CFLAGS CXXFLAGS -march=znver2 against -march=x86-64-v3 of builder fast",
        "guests.g2.any_flags",
    ] {
        assert!(failure.message.contains(words), "{words}: {failure}");
    }
    assert_eq!(report.guests[&guest("g1")].failure, None);
    assert_eq!(report.guests[&guest("g1")].findings, []);
}

#[test]
fn a_run_in_which_a_guest_was_not_served_ends_with_failures() {
    let mut history = answered(&[("g2", ZEN)]);
    register(&mut history, "fast", Some(V3));
    let history = planned(history, &["fast"]);
    let liveness = Liveness::new(Duration::MAX, Duration::MAX, Duration::from_secs(1));
    let orders = decide(
        &history.fleet,
        &liveness,
        &Patience::default(),
        history.now(),
    );
    let [Order::Publish(Event::RunFinished(finished))] = &orders[..] else {
        panic!("{orders:?}")
    };
    assert_eq!(finished.outcome, RunOutcome::WithFailures);
}

#[test]
fn a_builder_that_an_operator_has_paused_holds_no_plan_up() {
    let mut history = answered(&[("g1", V3)]);
    register(&mut history, "fast", None);
    assert_eq!(
        batch_of(&history, &["fast"]),
        None,
        "it says soon what it is"
    );
    history.say(Event::PauseRequested(PauseRequested {
        target: PauseTarget::Role(Role::Builder),
        reason: None,
    }));
    assert!(batch_of(&history, &["fast"]).is_some());
}

#[test]
fn an_unfit_builder_does_not_say_for_what_a_platform_is_compiled() {
    let mut history = answered(&[("g1", V3)]);
    // The first by name, and as many as there are of the others.
    register(&mut history, "a", Some(ZEN));
    register(&mut history, "fast", Some(V3));
    history.say(Event::WorkerPaused(WorkerPaused {
        worker: worker("builder@a"),
        builder: Some("a".parse().unwrap()),
        failure: Some(permanent("DiskFull")),
    }));
    let batch = batch_of(&history, &["a", "fast"]).unwrap();
    assert!(batch.unserved.is_empty(), "{:?}", batch.unserved);
}

#[test]
fn what_only_optimises_otherwise_is_told_and_the_guest_is_served() {
    let mut history = answered(&[("g1", "-march=x86-64-v3 -O3 -pipe")]);
    register(&mut history, "fast", Some(V3));
    let history = planned(history, &["fast"]);
    let report = report(&history);
    let own = &report.guests[&guest("g1")];
    assert_eq!((own.outcome, &own.failure), (GuestOutcome::Building, &None));
    let [finding] = &own.findings[..] else {
        panic!("{:?}", own.findings)
    };
    assert_eq!(finding.kind, FindingKind::PlatformDiffers);
    assert!(
        finding.text.contains("-O3 against -O2 of builder fast"),
        "{}",
        finding.text
    );
}

#[test]
fn who_takes_any_flags_is_served_and_one_of_another_architecture_is_not() {
    let mut history = History::requested(&["g1", "g2"]);
    for (name, arch) in [("g1", "amd64"), ("g2", "arm64")] {
        let mut scan = scanned(name, vec![update("a/a-2")], vec![]);
        scan.identity.settings = variables("-march=native -O2");
        let settings = &mut scan.identity.settings;
        settings.insert("ARCH".to_owned(), arch.to_owned());
        scan.identity.any_flags = true;
        history.say(Event::GuestScanned(scan));
    }
    register(&mut history, "fast", Some(V3));
    let batch = batch_of(&history, &["fast"]).unwrap();
    assert!(batch.guests[&guest("g1")].findings.is_empty());
    let message = &batch.unserved[&guest("g2")].message;
    assert!(
        message.contains("it has ARCH arm64 against amd64"),
        "{message}"
    );
    assert!(!batch.unserved.contains_key(&guest("g1")));
}

#[test]
fn a_guest_of_another_machine_that_wants_nothing_has_not_failed() {
    let mut history = History::requested(&["g1"]);
    let mut scan = scanned("g1", vec![], vec![]);
    scan.identity.settings = variables(ZEN);
    history.say(Event::GuestScanned(scan));
    register(&mut history, "fast", Some(V3));
    let history = planned(history, &["fast"]);
    let report = report(&history);
    let own = &report.guests[&guest("g1")];
    assert_eq!(own.outcome, GuestOutcome::UpToDate);
    assert!(
        own.findings[0].text.contains("-march=znver2"),
        "{:?}",
        own.findings
    );
}

#[test]
fn the_batch_waits_for_a_living_builder_that_has_not_said_what_it_is_and_for_no_other() {
    let mut history = answered(&[("g1", V3)]);
    register(&mut history, "fast", None);
    assert_eq!(batch_of(&history, &["fast"]), None, "it says so soon");
    assert!(batch_of(&history, &[]).is_some(), "it is gone");
    history.say(Event::WorkerPaused(WorkerPaused {
        worker: worker("builder@fast"),
        builder: Some("fast".parse().unwrap()),
        failure: Some(permanent("Unreachable")),
    }));
    assert!(batch_of(&history, &["fast"]).is_some(), "nobody knows when");
    register(&mut history, "fast", None);
    register(&mut history, "spare", Some(V3));
    assert!(
        batch_of(&history, &["fast", "spare"]).is_some(),
        "another one has"
    );
}

#[test]
fn of_builders_of_two_kinds_most_count_and_who_compiles_for_the_others_is_named() {
    let mut history = answered(&[("g1", V3), ("g2", ZEN)]);
    register(&mut history, "a", Some(ZEN));
    register(&mut history, "b", Some(V3));
    register(&mut history, "c", Some(V3));
    let batch = batch_of(&history, &["a", "b", "c"]).unwrap();
    let message = &batch.unserved[&guest("g2")].message;
    assert!(message.contains("of builder b"), "{message}");
    assert!(
        message.contains("builder a compiles for it, but into the same store"),
        "{message}"
    );
    // Who is gone for good does not count while anybody lives.
    let batch = batch_of(&history, &["a"]).unwrap();
    assert_eq!(batch.unserved.keys().collect::<Vec<_>>(), [&guest("g1")]);
}

#[test]
fn guests_of_two_kinds_do_not_share_what_a_builder_makes_that_nobody_knows() {
    let history = answered(&[("g1", ZEN), ("g2", V3), ("g3", V3)]);
    let batch = batch_of(&history, &[]).unwrap();
    assert_eq!(batch.unserved.keys().collect::<Vec<_>>(), [&guest("g1")]);
    let wanted = batch.jobs[0].compiled_as.as_ref().unwrap();
    let zen = machine("fast", Some(ZEN)).compiles_as.unwrap();
    let failure = check_builder(&zen, "fast", wanted).unwrap_err();
    assert_eq!(
        (failure.cause.as_str(), failure.class),
        ("PlatformDiffers", FailureClass::Machine)
    );
    for words in ["builder fast", "-march=znver2 against -march=x86-64-v3"] {
        assert!(failure.message.contains(words), "{failure}");
    }
    let v3 = machine("fast", Some("-O3 -march=x86-64-v3"))
        .compiles_as
        .unwrap();
    check_builder(&v3, "fast", wanted).unwrap();
}

#[test]
fn a_scan_alone_tells_of_the_builders_that_are_known() {
    let mut history = History::default();
    register(&mut history, "fast", Some(V3));
    history.say(Event::RunRequested(RunRequested {
        run: run_id(),
        retries: 0,
        kind: RunKind::ScanOnly,
        more_rounds: 0,
        follows: None,
        guests: [(guest("g1"), platform())].into(),
        force: false,
        sync: Default::default(),
        rollout: Default::default(),
        schedule: None,
    }));
    let mut scan = scanned("g1", vec![update("a/a-2")], vec![]);
    scan.identity.settings = variables(ZEN);
    history.say(Event::GuestScanned(scan));
    let report = report(&history);
    let own = &report.guests[&guest("g1")];
    assert_eq!(own.outcome, GuestOutcome::Pending);
    assert!(
        own.findings[0]
            .text
            .contains("no builder of platform default"),
        "{:?}",
        own.findings
    );
}
