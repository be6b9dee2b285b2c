//! Further rounds for what an update brings up.

use std::time::Duration;

use crate::common::*;
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
    for order in decide(
        &history.fleet,
        &liveness,
        &Patience::default(),
        history.now(),
    ) {
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
        retries: 0,
        guests: guests.into(),
        rollout: Default::default(),
        schedule: None,
    }));
    history
}

/// A run of which every guest gets what it asks for, and then wants these.
fn play(history: &mut History, run: RunId, wants: &[(&str, &[&str])]) -> Vec<&'static str> {
    let ends = wants.iter().map(|(name, wanted)| {
        let wanted = wanted.iter();
        let findings = wanted.map(|text| Finding::new(FindingKind::StillPending, text));
        (*name, updated_in(run, name, vec![], findings.collect()))
    });
    play_to(history, run, ends.collect())
}

/// A run in which everything is built, and the installations end like this.
fn play_to(history: &mut History, run: RunId, ends: Vec<(&str, Event)>) -> Vec<&'static str> {
    for (name, _) in &ends {
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
    for (_, end) in ends {
        history.say(end);
    }
    clean(history, run)
}

fn updated_in(run: RunId, name: &str, held: Vec<HeldBack>, findings: Vec<Finding>) -> Event {
    Event::GuestUpdated(GuestUpdated {
        run,
        guest: guest(name),
        attempt: 1,
        changes: vec![],
        held,
        findings,
    })
}

fn clean(history: &mut History, run: RunId) -> Vec<&'static str> {
    history.say(cleaned(run, 1));
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

/// A run of which the installation on g1 ends with this failure; others get what they ask for.
fn play_with_failure(history: &mut History, run: RunId, names: &[&'static str], failure: Failure) {
    let failed = Event::InstallFailed(InstallFailed {
        run,
        guest: guest("g1"),
        attempt: 1,
        failure,
        begun: false,
        changes: vec![],
        held: vec![],
        findings: vec![],
        rolled_back: None,
    });
    let ends = names.iter().map(|name| match *name {
        "g1" => ("g1", failed.clone()),
        name => (name, updated_in(run, name, vec![], vec![])),
    });
    play_to(history, run, ends.collect());
}

#[test]
fn who_lacked_a_binary_that_was_spoiled_in_the_store_is_asked_again_once() {
    let (first, second) = (run_id(), run_id().following());
    for cause in ["BinaryCorrupt", "StoreLacksBinary"] {
        let mut history = requested(2);
        play_with_failure(&mut history, first, &["g1", "g2"], permanent(cause));
        let round = &history.fleet.runs[&second];
        assert_eq!(round.guests.keys().collect::<Vec<_>>(), [&guest("g1")]);
        assert_eq!(outcome(&history.fleet.runs[&first]), RunOutcome::Complete);
        let mut mended = requested(2);
        play_with_failure(&mut mended, first, &["g1", "g2"], permanent(cause));
        play(&mut mended, second, &[("g1", &[])]);
        assert!(Report::of(&mended.fleet, mended.run()).is_complete());
        // Its own view of the store is to blame.
        play_with_failure(&mut history, second, &["g1"], permanent(cause));
        assert!(!history.fleet.runs.contains_key(&second.following()));
        let report = Report::of(&history.fleet, history.run());
        assert!(report.is_over() && !report.is_complete());
    }
}

#[test]
fn who_failed_for_another_reason_or_may_have_no_further_round_is_not_asked_again() {
    for (more_rounds, cause) in [(2, "ProofFailed"), (0, "BinaryCorrupt")] {
        let mut history = requested(more_rounds);
        play_with_failure(&mut history, run_id(), &["g1", "g2"], permanent(cause));
        assert!(!history.fleet.runs.contains_key(&run_id().following()));
        assert_eq!(outcome(history.run()), RunOutcome::WithFailures);
    }
}

#[test]
fn whose_package_could_not_be_built_because_a_binary_was_spoiled_is_asked_again() {
    for (cause, is_asked) in [("BinaryCorrupt", true), ("BuildFailure", false)] {
        let mut history = requested(2);
        let run = run_id();
        let needy = update("b/b-2").needs_to_build("a/a-2");
        let neediest = update("c/c-2").needs_to_build("b/b-2");
        for (name, updates) in [
            ("g1", vec![update("a/a-2"), needy.clone(), neediest]),
            ("g2", vec![update("a/a-2")]),
        ] {
            history.say(Event::GuestScanned(scanned(name, updates, vec![])));
        }
        publish_decisions(&mut history);
        history.say(built(&history.job("a/a-2")));
        history.say(Event::BuildFailed(BuildFailed {
            had: None,
            run,
            job: history.job("b/b-2").id,
            attempt: 1,
            builder: Some("b1".parse().unwrap()),
            failure: permanent(cause),
        }));
        for (name, held) in [("g1", vec!["b/b-2", "c/c-2"]), ("g2", vec![])] {
            let held = held.into_iter().map(|name| HeldBack {
                cpv: cpv(name),
                reason: HoldReason::BuildFailed,
            });
            history.say(updated_in(run, name, held.collect(), vec![]));
        }
        clean(&mut history, run);
        let round = history.fleet.runs.get(&run.following());
        let asked = round.map(|round| round.guests.keys().cloned().collect());
        assert_eq!(asked, is_asked.then(|| vec![guest("g1")]), "{cause}");
        let expected = match is_asked {
            true => RunOutcome::Complete,
            false => RunOutcome::WithFailures,
        };
        assert_eq!(outcome(history.run()), expected, "{cause}");
    }
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
