//! What operators hold and approve.

use gentoo_updater_fleet::decide::{GUEST_HELD, NOT_APPROVED};
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::report::GuestOutcome;
use gentoo_updater_fleet::rollout::{Rollout, Wave};

use crate::common::{guest, run_id};
use crate::scene::{INSTALLATION, Scene, wave, waves};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn hold(target: HoldTarget) -> Event {
    Event::HoldRequested(HoldRequested {
        target,
        reason: Some("let me look".to_owned()),
    })
}

fn approval(target: HoldTarget) -> Event {
    Event::ApprovalGiven(ApprovalGiven { target })
}

fn of_wave(name: &str) -> HoldTarget {
    HoldTarget::Wave(name.parse().unwrap())
}

fn two_waves() -> Rollout {
    waves(vec![wave("canary", &["g1"]), wave("all", &["g2", "g3"])])
}

#[test]
fn a_wave_that_needs_an_approval_waits_for_it() {
    let all = Wave {
        needs_approval: true,
        ..wave("all", &["g2"])
    };
    let mut scene = Scene::new(waves(vec![wave("canary", &["g1"]), all]));
    scene.pass(HOUR, 60);
    assert_eq!(scene.begun(), ["g1"]);
    let words = "1 guest: wave all waits for an approval; `gentoo-updater approve wave all`";
    assert!(scene.report().contains(words), "{}", scene.report());
    scene.history.say(approval(of_wave("all")));
    scene.pass(HOUR, 60);
    assert_eq!(scene.begun(), ["g1", "g2"]);
}

#[test]
fn who_approves_a_run_approves_all_its_waves() {
    let needs_approval = |name, guests: &[&str]| Wave {
        needs_approval: true,
        ..wave(name, guests)
    };
    let mut scene = Scene::new(waves(vec![
        needs_approval("canary", &["g1"]),
        needs_approval("all", &["g2"]),
    ]));
    scene.pass(HOUR, 60);
    assert_eq!(scene.begun(), [""; 0]);
    scene.history.say(approval(HoldTarget::Run(run_id())));
    scene.pass(HOUR, 60);
    assert_eq!(scene.begun(), ["g1", "g2"]);
}

#[test]
fn what_nobody_approves_ends_and_what_comes_after_it_too() {
    let canary = Wave {
        needs_approval: true,
        ..wave("canary", &["g1"])
    };
    let mut scene = Scene::new(waves(vec![canary, wave("all", &["g2"])]));
    scene.pass(30 * DAY, HOUR);
    assert_eq!(scene.begun(), [""; 0]);
    for name in ["g1", "g2"] {
        let failure = scene.run().guests[&guest(name)].left_out.clone().unwrap();
        assert_eq!(failure.cause, NOT_APPROVED);
        assert!(failure.message.contains("approve wave canary"), "{failure}");
    }
    assert!(scene.run().finished.is_some());
}

#[test]
fn a_run_or_a_wave_that_is_held_goes_on_when_it_is_approved_and_what_is_begun_goes_on() {
    for target in [HoldTarget::Run(run_id()), of_wave("all")] {
        let mut scene = Scene::new(two_waves());
        scene.pass(0, 60);
        scene.history.say(hold(target.clone()));
        scene.pass(HOUR, 60);
        assert_eq!(scene.begun(), ["g1"]);
        assert_eq!(scene.outcome("g1"), GuestOutcome::Updated);
        let words = format!("{target}: held by test@1 since");
        assert!(scene.report().contains(&words), "{}", scene.report());
        assert!(scene.report().contains(": let me look"));
        scene.history.say(approval(target));
        scene.pass(HOUR, 60);
        assert_eq!(scene.begun(), ["g1", "g2", "g3"]);
    }
}

#[test]
fn a_guest_that_is_held_holds_nobody_up() {
    let mut scene = Scene::new(two_waves());
    scene.history.say(hold(HoldTarget::Guest(guest("g2"))));
    scene.pass(HOUR, 60);
    assert_eq!(scene.begun(), ["g1", "g3"]);
    let failure = scene.run().guests[&guest("g2")].left_out.clone().unwrap();
    assert_eq!(failure.cause, GUEST_HELD);
    assert_eq!(scene.outcome("g2"), GuestOutcome::LeftOut);
    assert!(scene.run().finished.is_some());
}

#[test]
fn a_guest_that_is_approved_in_time_has_its_turn() {
    let mut scene = Scene::new(two_waves());
    scene.history.say(hold(HoldTarget::Guest(guest("g2"))));
    // While g3 of the same wave is worked on.
    let approved = approval(HoldTarget::Guest(guest("g2")));
    scene.say_in(INSTALLATION + INSTALLATION / 2, approved);
    scene.pass(HOUR, 60);
    assert_eq!(scene.begun(), ["g1", "g3", "g2"]);
}

#[test]
fn a_package_that_is_held_is_installed_nowhere_and_the_rest_is() {
    let mut scene = Scene::new(two_waves());
    let atom = ">=a/a-2".parse().unwrap();
    scene.history.say(hold(HoldTarget::Package(atom)));
    scene.pass(HOUR, 60);
    assert_eq!(scene.begun(), ["g1", "g2", "g3"]);
    let installation = scene.run().guests[&guest("g1")]
        .installation
        .clone()
        .unwrap();
    let [held] = &installation.held[..] else {
        panic!("{installation:?}")
    };
    assert_eq!(held.cpv.to_string(), "a/a-2");
    let words = "approve package '>=a/a-2'` ends that";
    assert!(held.reason.to_string().contains(words), "{}", held.reason);
    assert_eq!(scene.outcome("g1"), GuestOutcome::HeldBack);
}

/// A further round of the run, say.
#[test]
fn a_hold_of_a_run_ends_with_it() {
    let mut scene = Scene::new(waves(vec![wave("all", &["g1"])]));
    scene.pass(0, 60);
    scene.history.say(hold(HoldTarget::Run(run_id())));
    scene.pass(HOUR, 60);
    assert!(scene.run().finished.is_some(), "what was begun ends");
    assert!(scene.history.fleet.holds.is_empty());
    scene.history.say(hold(HoldTarget::Run(run_id())));
    assert!(scene.history.fleet.holds.is_empty());
}
