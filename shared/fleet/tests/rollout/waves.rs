//! Waves one after the other, within limits, and in windows.

use gentoo_updater_fleet::decide::{BUDGET_SPENT, WINDOW_NEVER_CAME};
use gentoo_updater_fleet::message::{Event, HoldRequested, HoldTarget, RunOutcome};
use gentoo_updater_fleet::report::GuestOutcome;
use gentoo_updater_fleet::rollout::{Rollout, Wave};
use jiff::Timestamp;

use crate::common::{guest, run_id};
use crate::scene::{Fate, INSTALLATION, Scene, wave, waves};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn left_out(scene: &Scene, name: &str) -> Option<String> {
    let failure = scene.run().guests[&guest(name)].left_out.as_ref()?;
    Some(failure.cause.clone())
}

#[test]
fn a_wave_begins_when_the_one_before_has_ended_and_soaked() {
    let canary = Wave {
        soak_seconds: 600,
        ..wave("canary", &["g9"])
    };
    let mut scene = Scene::new(waves(vec![
        canary,
        wave("some", &["g1", "g2"]),
        wave("all", &["g3"]),
    ]));
    scene.pass(HOUR, 10);
    assert_eq!(scene.begun(), ["g9", "g1", "g2", "g3"]);
    let since_canary = |name| {
        let passed = scene.begun_at(name).unwrap() - scene.begun_at("g9").unwrap();
        passed.get_seconds()
    };
    assert_eq!(since_canary("g1"), INSTALLATION + 600);
    assert_eq!(since_canary("g3"), 2 * INSTALLATION + 600);
    assert_eq!(scene.run().finished.unwrap().outcome, RunOutcome::Complete);
}

#[test]
fn a_wave_in_which_nothing_was_installed_does_not_soak() {
    let canary = Wave {
        soak_seconds: DAY.unsigned_abs(),
        ..wave("canary", &["g1"])
    };
    let mut scene = Scene::new(waves(vec![canary, wave("all", &["g2"])]));
    scene.fates.insert(guest("g1"), Fate::Vanished);
    scene.pass(HOUR, 10);
    assert_eq!(scene.begun(), ["g2"], "who vanished blocks nobody");
    assert_eq!(scene.outcome("g1"), GuestOutcome::Failed);
    assert_eq!(scene.outcome("g2"), GuestOutcome::Updated);
}

#[test]
fn not_more_guests_are_worked_on_at_once_than_may_be() {
    let names = ["g1", "g2", "g3", "g4", "g5", "g6"];
    let of_wave = Wave {
        at_once: Some(2),
        ..wave("all", &names)
    };
    let of_all = Rollout {
        at_once: Some(2),
        ..waves(vec![wave("all", &names)])
    };
    for rollout in [waves(vec![of_wave]), of_all] {
        let mut scene = Scene::new(rollout);
        scene.pass(0, 10);
        assert_eq!(scene.begun(), ["g1", "g2"]);
        assert!(
            scene.report().contains("4 guests: not more than 2 at once"),
            "{}",
            scene.report()
        );
        scene.pass(INSTALLATION, 10);
        assert_eq!(scene.begun().len(), 4);
        scene.pass(HOUR, 10);
        assert_eq!(scene.begun().len(), 6);
        assert_eq!(scene.run().finished.unwrap().outcome, RunOutcome::Complete);
    }
}

#[test]
fn once_as_many_have_failed_as_may_nothing_is_begun_any_more() {
    let guests: Vec<String> = (0..30).map(|number| format!("g{number:02}")).collect();
    let part = |from: usize, to: usize| {
        guests[from..to]
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
    };
    let rollout = Rollout {
        budget: Some(2),
        ..waves(vec![
            wave("canary", &part(0, 2)),
            wave("early", &part(2, 10)),
            wave("late", &part(10, 20)),
            wave("last", &part(20, 30)),
        ])
    };
    let mut scene = Scene::new(rollout);
    for bad in &guests[3..6] {
        scene.fates.insert(guest(bad), Fate::Fails);
    }
    scene.pass(DAY, 60);
    assert_eq!(scene.begun(), part(0, 10));
    assert_eq!(
        scene.run().finished.unwrap().outcome,
        RunOutcome::WithFailures
    );
    for name in &guests[10..] {
        assert_eq!(scene.outcome(name), GuestOutcome::LeftOut, "{name}");
        assert_eq!(left_out(&scene, name).as_deref(), Some(BUDGET_SPENT));
    }
    let text = scene.report();
    for words in [
        "canary: 2 of 2 guests, over since",
        "early: 8 of 8 guests, 3 FAILED",
        "3 guests failed (g03, g04, g05), and the rollout allows no more: nothing else is begun",
        "`gentoo-updater run` begins with the first wave again",
        "g10: LEFT OUT, 2 updates not installed",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
}

#[test]
fn a_guest_that_dies_in_the_middle_counts_as_failed_and_one_that_is_away_does_not() {
    let rollout = Rollout {
        budget: Some(1),
        ..waves(vec![wave("first", &["g1"]), wave("second", &["g2"])])
    };
    for (fate, second) in [
        (Fate::Dies, GuestOutcome::LeftOut),
        (Fate::Vanished, GuestOutcome::Updated),
    ] {
        let mut scene = Scene::new(rollout.clone());
        scene.fates.insert(guest("g1"), fate);
        scene.pass(DAY, 60);
        assert_eq!(scene.outcome("g1"), GuestOutcome::Failed, "{fate:?}");
        assert_eq!(scene.outcome("g2"), second, "{fate:?}");
        let text = scene.report();
        let is_untouched = text.contains("g1: FAILED, not touched");
        assert_eq!(is_untouched, fate == Fate::Vanished, "{text}");
    }
}

/// After a power failure, say: it is neither what it was nor what it is to be.
#[test]
fn a_guest_on_which_something_has_begun_is_brought_to_its_end_whatever_happens_meanwhile() {
    let rollout = Rollout {
        budget: Some(1),
        ..waves(vec![Wave {
            windows: vec!["00:00-00:01".parse().unwrap()],
            ..wave("all", &["g1", "g2"])
        }])
    };
    for (target, second) in [
        (None, Fate::Fails),
        (Some(HoldTarget::Guest(guest("g1"))), Fate::Well),
        (Some(HoldTarget::Run(run_id())), Fate::Well),
        (Some(HoldTarget::Wave("all".parse().unwrap())), Fate::Well),
    ] {
        let mut scene = Scene::new(rollout.clone());
        scene.fates.insert(guest("g1"), Fate::Recovers);
        scene.fates.insert(guest("g2"), second);
        let reason = None;
        if let Some(target) = target {
            scene.pass(0, 10);
            let held = HoldRequested { target, reason };
            scene.history.say(Event::HoldRequested(held));
        }
        scene.pass(2 * HOUR, 10);
        assert_eq!(scene.begun(), ["g1", "g2", "g1"]);
        assert_eq!(scene.outcome("g1"), GuestOutcome::Updated);
        assert_eq!(left_out(&scene, "g1"), None);
    }
}

#[test]
fn what_has_begun_on_a_guest_is_ordered_again_also_when_others_do_not_get_it_any_more() {
    let mut scene = Scene::new(waves(vec![wave("all", &["g1", "g2"])]));
    scene.fates.insert(guest("g1"), Fate::Recovers);
    scene.fates.insert(guest("g2"), Fate::PutBack);
    scene.pass(10, 1);
    let target = HoldTarget::Package("b/b".parse().unwrap());
    let reason = None;
    let held = HoldRequested { target, reason };
    scene.history.say(Event::HoldRequested(held));
    scene.pass(HOUR, 10);
    assert_eq!(scene.ordered("g1"), [["a/a-2", "b/b-2"]]);
    assert_eq!(scene.outcome("g1"), GuestOutcome::Updated);
    assert!(scene.run().finished.is_some());
}

#[test]
fn a_guest_on_which_something_has_begun_counts_as_worked_on_between_two_attempts() {
    let of_wave = Wave {
        at_once: Some(1),
        ..wave("all", &["g1", "g2"])
    };
    let of_all = Rollout {
        at_once: Some(1),
        ..waves(vec![wave("all", &["g1", "g2"])])
    };
    for rollout in [waves(vec![of_wave]), of_all] {
        let mut scene = Scene::new(rollout);
        scene.fates.insert(guest("g1"), Fate::Recovers);
        scene.pass(INSTALLATION - 2, 1);
        let words = "1 guest: not more than 1 at once";
        assert!(scene.report().contains(words), "{}", scene.report());
        scene.pass(HOUR, 10);
        assert_eq!(scene.begun(), ["g1", "g1", "g2"]);
        assert_eq!(scene.run().finished.unwrap().outcome, RunOutcome::Complete);
    }
}

#[test]
fn a_guest_is_begun_in_its_window_and_waits_for_it() {
    // It is 2026-01-01 00:00 UTC, a Thursday.
    let all = Wave {
        windows: vec!["22:00-23:00".parse().unwrap()],
        ..wave("all", &["g1", "g2"])
    };
    let mut rollout = waves(vec![all]);
    let own = vec!["Sat 10:00-11:00 Europe/Berlin".parse().unwrap()];
    rollout.windows.insert(guest("g2"), own);
    let mut scene = Scene::new(rollout);
    scene.pass(HOUR, 60);
    let text = scene.report();
    for opens in ["2026-01-01T22:00:00Z", "2026-01-03T09:00:00Z"] {
        let words = format!("1 guest: the maintenance window opens at {opens}");
        assert!(text.contains(&words), "{text}");
    }
    scene.pass(4 * DAY, 60);
    assert_eq!(scene.begun_at("g1"), Some(at("2026-01-01T22:00:00Z")));
    assert_eq!(scene.begun_at("g2"), Some(at("2026-01-03T09:00:00Z")));
    assert_eq!(scene.run().finished.unwrap().outcome, RunOutcome::Complete);
}

#[test]
fn what_is_taken_when_the_window_has_closed_waits_for_the_next_one_however_often() {
    let all = Wave {
        windows: vec!["00:00-00:10".parse().unwrap()],
        ..wave("all", &["g1"])
    };
    let mut scene = Scene::new(waves(vec![all]));
    scene.fates.insert(guest("g1"), Fate::Late(800));
    scene.pass(5 * DAY - HOUR, 60);
    assert_eq!(scene.begun(), [""; 0]);
    assert!(scene.run().finished.is_none(), "that is no attempt");
    scene.fates.insert(guest("g1"), Fate::Late(60));
    scene.pass(2 * DAY, 60);
    assert_eq!(scene.begun_at("g1"), Some(at("2026-01-06T00:01:00Z")));
    assert_eq!(scene.outcome("g1"), GuestOutcome::Updated);
}

#[test]
fn a_window_that_does_not_come_is_waited_for_as_long_as_is_allowed() {
    let all = Wave {
        windows: vec!["Wed 10:00-11:00".parse().unwrap()],
        ..wave("rare", &["g1"])
    };
    let rollout = Rollout {
        patience_seconds: Some(DAY.unsigned_abs()),
        ..waves(vec![all, wave("all", &["g2"])])
    };
    let mut scene = Scene::new(rollout);
    scene.pass(2 * DAY, 60);
    assert_eq!(left_out(&scene, "g1").as_deref(), Some(WINDOW_NEVER_CAME));
    assert_eq!(scene.begun(), ["g2"], "it holds nobody else up");
    assert_eq!(
        scene.run().finished.unwrap().outcome,
        RunOutcome::WithFailures
    );
}

#[test]
fn a_window_that_is_too_short_for_what_comes_before_does_not_keep_a_run_going_for_ever() {
    let all = Wave {
        windows: vec!["00:00-00:10".parse().unwrap()],
        ..wave("all", &["g1"])
    };
    let mut scene = Scene::new(Rollout {
        patience_seconds: Some(3 * DAY.unsigned_abs()),
        ..waves(vec![all])
    });
    scene.fates.insert(guest("g1"), Fate::Late(800));
    scene.pass(2 * DAY, 60);
    assert_eq!(left_out(&scene, "g1"), None);
    scene.pass(2 * DAY, 60);
    assert_eq!(left_out(&scene, "g1").as_deref(), Some(WINDOW_NEVER_CAME));
    assert!(scene.run().finished.is_some());
}
