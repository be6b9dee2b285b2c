//! The fleet at one glance, and when it will be over.

use std::time::Duration;

use gentoo_updater_fleet::estimate::PastError;
use gentoo_updater_fleet::inspect::{BusStatus, StatusView};
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::report::GuestOutcome;
use gentoo_updater_fleet::state::Compared;
use jiff::SignedDuration;

use crate::common::failing::fails;
use crate::common::runs::run_number;
use crate::common::*;
use crate::{build, issue, planned};

const ALIVE: BusStatus = BusStatus::Process { lives: true };

fn status(history: &History) -> StatusView {
    StatusView::of(&history.fleet, &ALIVE, history.now(), &crate::guests())
}

fn learnt(history: &mut History, seconds: &[(&str, u64)]) {
    let durations = seconds
        .iter()
        .map(|(package, seconds)| (package.parse().unwrap(), seconds * 1000));
    history.say(Event::DurationsLearned(DurationsLearned {
        builder: "b1".parse().unwrap(),
        durations: durations.collect(),
    }));
}

fn builder(history: &mut History, name: &str, slots: u16) {
    history.say(Event::WorkerRegistered(WorkerRegistered {
        worker: worker(&format!("builder@{name}")),
        role: Role::Builder,
        queues: vec!["build.default".to_owned()],
        machine: Some(BuilderMachine {
            slots: Some(slots),
            ..machine(name, None)
        }),
    }));
}

/// Seconds until the run is expected to end.
fn left(history: &History) -> i64 {
    let view = status(history);
    let estimate = view.going_on[0].estimate.unwrap();
    estimate.ends_at.duration_since(history.now()).as_secs()
}

#[test]
fn what_goes_on_is_told_with_where_since_when_and_its_expected_end() {
    let mut history = planned();
    learnt(&mut history, &[("dev-libs/openssl", 300)]);
    let task = build(&history, "dev-libs/openssl-3.0");
    issue(&mut history, &task, 1, "build.default");
    history.claim(task, 1, "builder@b1");
    history.seconds += 100;
    let view = status(&history);
    let [work] = view.at_work.as_slice() else {
        panic!("{:#?}", view.at_work);
    };
    assert_eq!(work.task.subject.as_deref(), Some("dev-libs/openssl-3.0"));
    let estimate = work.estimate.unwrap();
    assert_eq!(
        estimate.ends_at,
        history.now() + SignedDuration::from_secs(200)
    );
    assert!(!estimate.guessed && !estimate.late);
    let guests: Vec<_> = view.going_on[0].guests.iter().collect();
    assert_eq!(guests[0].outcome, GuestOutcome::Building);
    assert_eq!(guests[0].guests, [guest("g1"), guest("g2")]);
    assert_eq!(view.going_on[0].jobs["building"], 1);
    // What takes longer than ever may take some more.
    history.seconds += 300;
    let late = status(&history).at_work[0].estimate.unwrap();
    assert!(late.late);
    assert_eq!(late.ends_at, history.now() + SignedDuration::from_secs(40));
}

#[test]
fn a_run_is_expected_to_take_as_long_as_its_builds_on_the_slots_that_there_are() {
    let mut history = planned();
    learnt(
        &mut history,
        &[("dev-libs/openssl", 300), ("net-misc/curl", 200)],
    );
    // Nobody knows how long an installation takes: a minute. Both guests have it side by side.
    assert_eq!(left(&history), 300 + 200 + 60, "one after the other");
    builder(&mut history, "b1", 2);
    assert_eq!(left(&history), 300 + 60, "side by side");
    history.say(Event::PauseRequested(PauseRequested {
        target: PauseTarget::Worker(worker("builder@b1")),
        reason: None,
    }));
    assert_eq!(left(&history), 560, "who is paused builds nothing");
    let job = history.job("dev-libs/openssl-3.0");
    history.say(built(&job));
    assert_eq!(left(&history), 200 + 60);
}

#[test]
fn the_error_of_estimates_is_that_of_the_middle_one() {
    let compared = |expected_ms, took_ms| Compared {
        expected_ms,
        took_ms,
    };
    let all = [compared(100, 100), compared(90, 100), compared(400, 100)];
    let error = PastError::of(&all).unwrap();
    assert_eq!((error.of, error.percent), (3, 10));
    assert_eq!(PastError::of(&[]), None);
}

#[test]
fn builds_installations_and_runs_are_compared_with_what_was_expected_of_them() {
    let mut history = planned();
    learnt(&mut history, &[("dev-libs/openssl", 2)]);
    // It is known by the search what is to be built.
    history.search_in_vain();
    let foreseen = history.run().foreseen.unwrap();
    // openssl by what is known of it, and curl as the middle one of what is known.
    let installation = Duration::from_secs(60);
    assert_eq!(foreseen.expected_ms, 4000 + installation.as_millis() as u64);
    for name in ["dev-libs/openssl-3.0", "net-misc/curl-8.0"] {
        let job = history.job(name);
        history.claim(Task::Build(job.id.clone()), 1, "builder@b1");
        history.say(built(&job));
    }
    let builds: Vec<_> = history.fleet.estimates.builds.iter().copied().collect();
    let compared = Compared {
        expected_ms: 2000,
        took_ms: 1000,
    };
    assert_eq!(builds, [compared], "of curl nothing was known");
    history.claim(Task::Install(guest("g1")), 1, "installer@1");
    history.seconds += 7;
    history.say(updated(vec![]));
    history.say(updated(vec![]));
    assert_eq!(history.fleet.estimates.installations, [7000]);
    history.seconds += 113;
    history.say(Event::RunFinished(RunFinished {
        run: run_id(),
        outcome: RunOutcome::Complete,
        retries: 0,
    }));
    let runs: Vec<_> = history.fleet.estimates.runs.iter().copied().collect();
    assert_eq!((runs.len(), runs[0].took_ms), (1, 120_000));
    let view = status(&history);
    assert_eq!(view.runs_were_off.unwrap().percent, 46);
    assert!(view.going_on.is_empty());
    assert_eq!(view.last.unwrap().outcome, Some(RunOutcome::Complete));
}

#[test]
fn of_many_estimates_the_newest_are_kept() {
    let mut history = planned();
    learnt(&mut history, &[("dev-libs/openssl", 2)]);
    let job = history.job("dev-libs/openssl-3.0");
    for number in 0..300 {
        let run = RunId::generate();
        history.say(Event::RunRequested(RunRequested {
            run,
            kind: RunKind::Update,
            more_rounds: 0,
            follows: None,
            retries: 0,
            guests: [(guest("g1"), platform())].into(),
            force: false,
            sync: Default::default(),
            rollout: Default::default(),
            schedule: None,
        }));
        if let Event::PackageBuilt(event) = built(&job) {
            history.say(Event::PackageBuilt(PackageBuilt {
                run,
                duration_ms: number,
                ..event
            }));
        }
    }
    let kept = &history.fleet.estimates.builds;
    assert_eq!((kept.len(), kept.back().unwrap().took_ms), (100, 299));
}

#[test]
fn what_waits_is_told_with_what_ends_it() {
    let mut history = planned();
    let words = |history: &History, bus: &BusStatus| {
        let view = StatusView::of(&history.fleet, bus, history.now(), &crate::guests());
        let waiting = view.waiting.into_iter();
        let one = |it: gentoo_updater_fleet::inspect::WaitingView| {
            format!(
                "{}: {} -> {}",
                it.kind,
                it.words,
                it.next_step.unwrap_or_default()
            )
        };
        waiting.map(one).collect::<Vec<_>>()
    };
    let told = words(&history, &BusStatus::Process { lives: false });
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("process: all of it"), "{told:?}");
    let none = BusStatus::Broker(Default::default());
    for (bus, next) in [
        (&none, "gentoo-updater-builder"),
        (&ALIVE, "gentoo-updater doctor"),
    ] {
        let told = words(&history, bus);
        assert!(
            told[0].starts_with("builder: 2 builds of default: no builder"),
            "{told:?}"
        );
        assert!(told[0].contains(next), "{told:?}");
    }
    builder(&mut history, "b1", 1);
    assert_eq!(words(&history, &ALIVE), [""; 0]);
    let task = build(&history, "dev-libs/openssl-3.0");
    issue(&mut history, &task, 1, "build.default");
    let queues =
        |consumers| BusStatus::Broker([("build.default".to_owned(), (1, Some(consumers)))].into());
    assert_eq!(words(&history, &queues(1)), [""; 0]);
    let told = words(&history, &queues(0));
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("worker: 1 command in build.default"),
        "{told:?}"
    );
    history.say(Event::PauseRequested(PauseRequested {
        target: PauseTarget::Role(Role::Builder),
        reason: Some("new disks".to_owned()),
    }));
    let told = words(&history, &ALIVE);
    let expected = "pause: every builder: takes no new work, paused by test@1: new disks -> \
                    `gentoo-updater resume builder` ends that";
    assert_eq!(told, [expected]);
    // Also while no run goes on: nothing would begin.
    ended(&mut history, run_id(), RunOutcome::WithFailures);
    assert_eq!(words(&history, &ALIVE), [expected]);
}

fn ended(history: &mut History, run: RunId, outcome: RunOutcome) {
    history.say(Event::RunFinished(RunFinished {
        run,
        outcome,
        retries: 0,
    }));
}

/// A run of this guest alone.
fn begin(history: &mut History, run: RunId, name: &str) {
    let Event::RunRequested(requested) = crate::common::runs::requested(run) else {
        unreachable!("it is a request")
    };
    history.say(Event::RunRequested(RunRequested {
        guests: [(guest(name), platform())].into(),
        ..requested
    }));
}

#[test]
fn a_guest_that_did_not_end_well_is_told_until_a_run_is_about_it_again() {
    let mut history = fails("install", &permanent("CheckFailed"));
    ended(&mut history, run_id(), RunOutcome::WithFailures);
    assert_eq!(status(&history).earlier, []);
    begin(&mut history, run_number(2), "g2");
    ended(&mut history, run_number(2), RunOutcome::Complete);
    let view = status(&history);
    let [earlier] = view.earlier.as_slice() else {
        panic!("{:?}", view.earlier)
    };
    assert_eq!(earlier.run, run_id());
    assert_eq!(earlier.guests.len(), 1);
    assert_eq!(earlier.guests[0].outcome, GuestOutcome::Failed);
    assert_eq!(earlier.guests[0].guests, [guest("g1")]);
    let [failure] = view.failures.as_slice() else {
        panic!("{:?}", view.failures)
    };
    assert_eq!(
        (failure.step, &failure.guest),
        ("install", &Some(guest("g1")))
    );

    // One that is no guest any more is nobody's trouble.
    let without = StatusView::of(&history.fleet, &ALIVE, history.now(), &[guest("g2")].into());
    assert!(without.earlier.is_empty() && without.failures.is_empty());
    begin(&mut history, run_number(3), "g1");
    let view = status(&history);
    assert!(view.failures.is_empty(), "{:?}", view.failures);
    // The other one is shown as its last run left it.
    let [other] = view.earlier.as_slice() else {
        panic!("{:?}", view.earlier)
    };
    assert_eq!(other.run, run_number(2));
    assert_eq!(other.guests[0].guests, [guest("g2")]);
    // And one that no run was about.
    assert_eq!(view.unheard, [guest("g3")]);
}

#[test]
fn a_builder_that_gets_no_work_is_told_also_when_no_run_goes_on() {
    let mut history = fails("machine", &permanent("NoCompiler"));
    ended(&mut history, run_id(), RunOutcome::WithFailures);
    let view = status(&history);
    assert_eq!(view.failures.len(), 1);
    assert_eq!(view.failures[0].subject, "builder b1");
}

#[test]
fn nothing_comes_nearer_to_its_end_while_no_process_works() {
    let mut history = planned();
    builder(&mut history, "b1", 1);
    let view = |lives| {
        let bus = BusStatus::Process { lives };
        StatusView::of(&history.fleet, &bus, history.now(), &crate::guests())
    };
    assert!(view(true).going_on[0].estimate.is_some());
    assert_eq!(view(false).going_on[0].estimate, None);
}
