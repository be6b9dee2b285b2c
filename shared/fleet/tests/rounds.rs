//! Further rounds for what an update brings up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::*;
use gentoo_updater_fleet::decide::{Order, Patience, decide};
use gentoo_updater_fleet::liveness::Liveness;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::report::{GuestOutcome, Report};
use gentoo_updater_fleet::state::Run;

/// Says what is decided to be said, and tells the kinds of it.
fn publish_decisions(history: &mut History) -> Vec<&'static str> {
    let second = Duration::from_secs(1);
    let liveness = Liveness::new(30 * second, 60 * second, second);
    let mut kinds = Vec::new();
    for order in decide(&history.fleet, &liveness, &Patience::default()) {
        if let Order::Publish(event) = order {
            kinds.push(event.kind());
            history.say(event);
        }
    }
    kinds
}

fn requested(more_rounds: u32) -> History {
    let mut history = History::default();
    let guests = ["g1", "g2"].map(|name| (guest(name), platform()));
    history.say(Event::RunRequested(RunRequested {
        run: run_id(),
        kind: RunKind::Update,
        force: false,
        sync: Default::default(),
        more_rounds,
        follows: None,
        guests: guests.into(),
    }));
    history
}

/// A run of which every guest gets what it asks for, and then wants these.
fn play(history: &mut History, run: RunId, wants: &[(&str, &[&str])]) -> Vec<&'static str> {
    for (name, _) in wants {
        history.say(Event::GuestScanned(GuestScanned {
            run,
            ..scanned(name, vec![update("a/a-2")], vec![])
        }));
    }
    publish_decisions(history);
    let jobs = history.fleet.runs[&run].jobs.clone().unwrap();
    for job in jobs.values() {
        let Event::PackageBuilt(event) = built(job) else {
            panic!()
        };
        history.say(Event::PackageBuilt(PackageBuilt { run, ..event }));
    }
    for (name, wanted) in wants {
        let findings = wanted
            .iter()
            .map(|text| Finding::new(FindingKind::StillPending, text));
        history.say(Event::GuestUpdated(GuestUpdated {
            run,
            guest: guest(name),
            attempt: 1,
            changes: vec![],
            held: vec![],
            findings: findings.collect(),
        }));
    }
    history.say(Event::BuilderCleaned(BuilderCleaned {
        run,
        builder: "b1".parse().unwrap(),
        attempt: 1,
        removed: vec![],
        kept: vec![],
        updated: vec![],
    }));
    publish_decisions(history)
}

fn outcome(run: &Run) -> RunOutcome {
    run.finished.unwrap().outcome
}

#[test]
fn who_wants_more_gets_a_further_round_and_nobody_else() {
    let mut history = requested(2);
    let (first, second) = (run_id(), run_id().following());
    let kinds = play(&mut history, first, &[("g1", &["b/b-2"]), ("g2", &[])]);
    // In this order: whoever sees the end of the run sees that it goes on.
    assert_eq!(kinds, ["RunRequested", "RunFinished"]);
    let round = &history.fleet.runs[&second];
    assert_eq!(round.guests.keys().collect::<Vec<_>>(), [&guest("g1")]);
    assert_eq!((round.follows, round.more_rounds), (Some(first), 1));
    assert_eq!(outcome(&history.fleet.runs[&first]), RunOutcome::Complete);
    let report = Report::of(&history.fleet, history.run());
    assert!(!report.is_over() && !report.is_complete());

    assert_eq!(play(&mut history, second, &[("g1", &[])]), ["RunFinished"]);
    let report = Report::of(&history.fleet, history.fleet.newest().unwrap());
    assert_eq!(
        report.run, first,
        "the newest run is the one that was asked for"
    );
    assert!(report.is_over() && report.is_complete());
    let outcomes: Vec<GuestOutcome> = report
        .rounds()
        .map(|round| round.guests[&guest("g1")].outcome)
        .collect();
    assert_eq!(
        outcomes,
        [GuestOutcome::StillPending, GuestOutcome::Updated]
    );
    assert!(report.to_text().contains("A further round"));
    let told = report.guest_to_text(&guest("g1")).unwrap();
    assert!(
        told.contains("more is wanted by now") && told.contains("A further round"),
        "{told}"
    );
    let told = report.guest_to_text(&guest("g2")).unwrap();
    assert!(!told.contains("A further round"), "{told}");
    for (name, rounds) in [("g1", 2), ("g2", 1)] {
        let mut only = report.clone();
        assert!(only.keep_only(&guest(name)));
        assert_eq!(only.rounds().count(), rounds, "{name}");
        assert!(only.rounds().all(|round| round.guests.len() == 1));
    }
}

#[test]
fn a_run_may_have_so_many_rounds_and_then_what_is_left_is_a_failure() {
    let mut history = requested(2);
    let mut run = run_id();
    for (wanted, more) in [("b/b-2", true), ("c/c-2", true), ("d/d-2", false)] {
        play(&mut history, run, &[("g1", &[wanted]), ("g2", &[])]);
        assert_eq!(history.fleet.runs.contains_key(&run.following()), more);
        if more {
            run = run.following();
        }
    }
    assert_eq!(outcome(&history.fleet.runs[&run]), RunOutcome::WithFailures);
}

#[test]
fn who_wants_the_same_as_before_the_round_is_not_asked_a_third_time() {
    let mut history = requested(2);
    play(&mut history, run_id(), &[("g1", &["b/b-2"]), ("g2", &[])]);
    let second = run_id().following();
    let kinds = play(&mut history, second, &[("g1", &["b/b-2"])]);
    assert_eq!(kinds, ["RunFinished"]);
    assert_eq!(
        outcome(&history.fleet.runs[&second]),
        RunOutcome::WithFailures
    );
}

#[test]
fn a_planner_that_died_between_the_two_events_asks_for_the_same_round() {
    let mut history = requested(1);
    let first = run_id();
    let ended = play(&mut history, first, &[("g1", &["b/b-2"]), ("g2", &[])]);
    assert_eq!(ended, ["RunRequested", "RunFinished"]);
    // All but the end of the first run.
    let mut again = History::default();
    for (_, envelope) in &history.events {
        if !matches!(envelope.message, Event::RunFinished(_)) {
            again.say(envelope.message.clone());
        }
    }
    assert_eq!(publish_decisions(&mut again), ["RunFinished"]);
    assert_eq!(outcome(&again.fleet.runs[&first]), RunOutcome::Complete);
}

#[test]
fn the_id_of_a_further_round_is_the_same_each_time_and_sorts_behind() {
    let run = RunId::generate();
    let next = run.following();
    assert_eq!(next, run.following());
    assert!(run < next && next < next.following());
    assert_eq!(next.0.get_version_num(), 7);
    assert_ne!(run.short(), next.short());
}
