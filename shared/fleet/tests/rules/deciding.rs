//! What is decided in which state.

use crate::common::*;
use crate::orders::{commands, orders};
use gentoo_updater_fleet::decide::Order;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::report::{GuestOutcome, Report};
use gentoo_updater_fleet::state::Fleet;

/// The packages that are ordered to be built, in their order.
fn builds(history: &History) -> Vec<String> {
    commands(history)
        .into_iter()
        .filter_map(|command| match command {
            Command::BuildPackage(build) => Some(build.job.key.cpv.to_string()),
            _ => None,
        })
        .collect()
}

/// Says everything that is decided to be said, as the planner does.
fn publish_decisions(history: &mut History) {
    for order in orders(history) {
        if let Order::Publish(event) = order {
            history.say(event);
        }
    }
}

fn planned(updates: Vec<Update>, installed: Vec<InstalledPackage>) -> History {
    let mut history = History::requested(&["g1"]);
    history.say(Event::GuestScanned(scanned("g1", updates, installed)));
    publish_decisions(&mut history);
    history.search_in_vain();
    history
}

#[test]
fn every_guest_is_asked_and_deciding_twice_names_the_same_commands() {
    let history = History::requested(&["g1", "g2"]);
    let first = commands(&history);
    assert_eq!(first.len(), 2);
    let ids =
        |commands: &[Command]| -> Vec<_> { commands.iter().map(|c| c.id().unwrap()).collect() };
    assert_eq!(ids(&first), ids(&commands(&history)));
}

#[test]
fn a_command_that_is_out_is_not_named_again() {
    let mut history = History::requested(&["g1"]);
    let command = commands(&history).remove(0);
    history.say(Event::CommandIssued(CommandIssued {
        command: command.id().unwrap(),
        work: command.work(),
        queue: "scan".to_owned(),
    }));
    assert!(orders(&history).is_empty());
}

#[test]
fn nothing_is_merged_before_the_last_guest_has_answered_or_failed() {
    let mut history = History::requested(&["g1", "g2"]);
    history.say(Event::GuestScanned(scanned(
        "g1",
        vec![update("a/a-2")],
        vec![],
    )));
    assert!(
        !orders(&history)
            .iter()
            .any(|order| matches!(order, Order::Publish(_)))
    );
    let failure = permanent("HostKeyChanged");
    history.say(Event::ScanFailed(ScanFailed {
        run: run_id(),
        guest: guest("g2"),
        attempt: 1,
        failure,
    }));
    publish_decisions(&mut history);
    history.search_in_vain();
    assert_eq!(builds(&history), ["a/a-2"]);
}

#[test]
fn a_job_waits_for_what_its_build_needs_and_gets_it_named() {
    let mut history = planned(
        vec![
            update("l/deep-1"),
            update("l/l-2").needs_to_run("l/deep-1"),
            update("a/a-2").needs_to_build("l/l-2"),
        ],
        vec![],
    );
    assert_eq!(
        builds(&history),
        ["l/deep-1"],
        "what is needed to run is built before as well"
    );
    history.say(built(&history.job("l/deep-1")));
    assert_eq!(builds(&history), ["l/l-2"]);
    history.say(built(&history.job("l/l-2")));
    let Command::BuildPackage(build) = commands(&history).remove(0) else {
        panic!()
    };
    let names: Vec<String> = build
        .dependencies
        .iter()
        .map(|b| b.cpv.to_string())
        .collect();
    assert_eq!(
        names,
        ["l/deep-1", "l/l-2"],
        "each stands behind what it needs itself"
    );
}

#[test]
fn two_packages_that_need_each_other_to_run_do_not_wait_for_each_other() {
    let history = planned(
        vec![
            update("a/a-1").needs_to_run("a/b-1"),
            update("a/b-1").needs_to_run("a/a-1"),
        ],
        vec![],
    );
    let mut ready = builds(&history);
    ready.sort();
    assert_eq!(ready, ["a/a-1", "a/b-1"]);
}

#[test]
fn the_longest_way_goes_first() {
    let history = planned(
        vec![
            update("a/alone-1"),
            update("z/first-1"),
            update("z/second-1").needs_to_build("z/first-1"),
            update("z/third-1").needs_to_build("z/second-1"),
        ],
        vec![],
    );
    assert_eq!(builds(&history), ["z/first-1", "a/alone-1"]);
}

#[test]
fn jobs_that_wait_for_each_other_in_a_ring_are_released_one_by_one() {
    let mut history = planned(
        vec![
            update("a/a-1").needs_to_build("a/b-1"),
            update("a/b-1").needs_to_build("a/a-1"),
        ],
        vec![],
    );
    let first = builds(&history);
    assert_eq!(first.len(), 1);
    history.say(built(&history.job(&first[0])));
    assert_eq!(builds(&history).len(), 1);
}

#[test]
fn a_ring_is_entered_at_one_of_its_own_and_not_at_what_waits_behind_it() {
    let history = planned(
        vec![
            // It misses one job only, and sorts first by that.
            update("a/behind-2").needs_to_build("b/one-2"),
            update("b/one-2")
                .needs_to_build("b/two-2")
                .needs_to_build("b/three-2"),
            update("b/two-2")
                .needs_to_build("b/one-2")
                .needs_to_build("b/three-2"),
            update("b/three-2")
                .needs_to_build("b/one-2")
                .needs_to_build("b/two-2"),
        ],
        vec![],
    );
    let [first] = &builds(&history)[..] else {
        panic!("one job enters the ring: {:?}", builds(&history))
    };
    assert!(first.starts_with("b/"), "{first} waits behind the ring");
}

fn fail_build(history: &mut History, name: &str, attempt: u32, failure: Failure) {
    let job = history.job(name).id;
    history.say(Event::BuildFailed(BuildFailed {
        had: None,
        run: run_id(),
        job,
        attempt,
        builder: None,
        failure,
    }));
}

#[test]
fn a_failed_build_holds_back_what_needs_it_and_the_rest_is_installed() {
    let mut history = planned(
        vec![
            update("l/l-2"),
            update("a/a-2")
                .needs_to_build("l/l-2")
                .needs_to_run("l/l-2"),
            update("a/b-2")
                .needs_to_build("a/a-2")
                .needs_to_run("a/a-2"),
            update("c/c-2"),
        ],
        vec![],
    );
    history.say(built(&history.job("c/c-2")));
    fail_build(&mut history, "l/l-2", 1, permanent("CompileFailure"));
    let Command::InstallPackages(install) = commands(&history).remove(0) else {
        panic!()
    };
    let names: Vec<String> = install
        .packages
        .iter()
        .map(|p| p.key.cpv.to_string())
        .collect();
    assert_eq!(names, ["c/c-2"]);
    let report = Report::of(&history.fleet, history.run());
    let state = |name: &str| {
        report
            .jobs
            .iter()
            .find(|job| job.cpv == name)
            .unwrap()
            .state
    };
    assert_eq!(
        (state("l/l-2"), state("a/a-2"), state("a/b-2")),
        ("failed", "held back", "held back")
    );
    let held: Vec<String> = install
        .held
        .iter()
        .map(|held| format!("{}: {}", held.cpv, held.reason))
        .collect();
    assert_eq!(
        held,
        [
            "a/a-2: it needs l/l-2",
            "a/b-2: it needs l/l-2",
            "l/l-2: its build failed"
        ]
    );
}

#[test]
fn the_first_claim_and_the_first_result_stand() {
    let mut history = planned(vec![update("a/a-2")], vec![]);
    let task = Task::Build(history.job("a/a-2").id);
    history.claim(task.clone(), 1, "builder@b1");
    history.claim(task.clone(), 1, "builder@b2");
    let work = WorkKey {
        run: run_id(),
        task,
        attempt: 1,
    };
    assert_eq!(history.fleet.claim(&work).unwrap().as_str(), "builder@b1");
    history.say(built(&history.job("a/a-2")));
    assert!(history.fleet.is_finished(&work));
    fail_build(&mut history, "a/a-2", 1, permanent("CompileFailure"));
    assert!(history.run().failure(&work.task).is_none());
}

#[test]
fn the_builder_is_cleaned_after_the_last_guest_and_then_the_run_is_over() {
    let mut history = planned(vec![update("a/a-2")], vec![]);
    history.say(built(&history.job("a/a-2")));
    assert!(matches!(
        commands(&history)[..],
        [Command::InstallPackages(_)]
    ));
    history.say(updated(vec![]));
    assert!(matches!(commands(&history)[..], [Command::CleanBuilder(_)]));
    history.say(cleaned(run_id(), 1));
    publish_decisions(&mut history);
    assert_eq!(
        history.run().finished.unwrap().outcome,
        RunOutcome::Complete
    );
    assert!(orders(&history).is_empty());
}

#[test]
fn a_guest_without_updates_is_up_to_date_and_nothing_is_sent_to_it() {
    let mut history = planned(vec![], vec![]);
    publish_decisions(&mut history);
    assert_eq!(
        history.run().finished.unwrap().outcome,
        RunOutcome::Complete
    );
    assert_eq!(
        Report::of(&history.fleet, history.run()).guests[&guest("g1")].outcome,
        GuestOutcome::UpToDate
    );
}

#[test]
fn a_run_in_which_something_is_held_back_is_no_success() {
    let mut history = planned(vec![update("a/a-2")], vec![]);
    fail_build(&mut history, "a/a-2", 1, permanent("CompileFailure"));
    publish_decisions(&mut history);
    assert_eq!(
        history.run().finished.unwrap().outcome,
        RunOutcome::WithFailures
    );
    let report = Report::of(&history.fleet, history.run());
    assert_eq!(report.guests[&guest("g1")].outcome, GuestOutcome::HeldBack);
    assert!(
        report
            .to_text()
            .contains("held back: a/a-2: its build failed"),
        "{}",
        report.to_text()
    );
}

#[test]
fn replaying_the_history_gives_the_same_state_and_repeated_events_change_nothing() {
    let mut history = planned(vec![update("a/a-2")], vec![]);
    history.say(built(&history.job("a/a-2")));
    history.say(updated(vec![]));
    let mut replayed = Fleet::default();
    for (offset, envelope) in &history.events {
        replayed.apply(*offset, envelope);
        replayed.apply(*offset, envelope);
    }
    assert_eq!(replayed, history.fleet);
}

#[test]
fn a_run_that_asks_anew_says_so_to_every_scanner_and_others_do_not() {
    for force in [false, true] {
        let mut history = History::default();
        history.say(Event::RunRequested(RunRequested {
            run: run_id(),
            kind: RunKind::ScanOnly,
            guests: [(guest("g1"), platform()), (guest("g2"), platform())].into(),
            force,
            sync: Default::default(),
            more_rounds: 0,
            follows: None,
            retries: 0,
            rollout: Default::default(),
            schedule: None,
        }));
        let forced: Vec<bool> = commands(&history)
            .into_iter()
            .map(|command| match command {
                Command::ScanGuest(scan) => scan.force,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(forced, [force, force]);
    }
}

#[test]
fn the_report_says_since_when_a_guest_is_unchanged_until_it_is_changed() {
    let mut history = History::requested(&["g1"]);
    let since = history.now();
    history.say(Event::GuestScanned(GuestScanned {
        unchanged_since: Some(since),
        ..scanned("g1", vec![update("a/a-2")], vec![])
    }));
    let text = |history: &History| Report::of(&history.fleet, history.run()).to_text();
    let words = "g1: waits for 1 package (unchanged since 2026-01-01T00:00:00Z)";
    assert!(text(&history).contains(words), "{}", text(&history));
    history.say(Event::GuestUpdated(GuestUpdated {
        run: run_id(),
        guest: guest("g1"),
        attempt: 1,
        changes: vec![],
        held: vec![],
        findings: vec![],
    }));
    assert!(!text(&history).contains("unchanged"), "{}", text(&history));
}
