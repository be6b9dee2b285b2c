//! What guests had to be put back from.

use gentoo_updater_fleet::inspect::waits_for_approval;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::report::GuestOutcome;
use gentoo_updater_fleet::rollout::Wave;
use gentoo_updater_fleet::state::KEPT_SUSPECTS;
use gentoo_updater_portage::cpv::Cpv;

use crate::common::{guest, permanent, platform, run_id};
use crate::scene::{Fate, INSTALLATION, Scene, wave, waves};

const DAY: i64 = 24 * 3600;

fn cpv(text: &str) -> Cpv {
    text.parse().unwrap()
}

fn approve(scene: &mut Scene, target: &HoldTarget) {
    let target = target.clone();
    let event = Event::ApprovalGiven(ApprovalGiven { target });
    scene.history.say(event);
}

/// The guest from which nobody gets this version.
fn blamed(scene: &Scene, version: &str) -> Option<String> {
    let suspect = scene.history.fleet.suspect_of(&platform(), &cpv(version))?;
    Some(suspect.guest.to_string())
}

fn rolled_back(name: &str, packages: Vec<Cpv>, proven: bool) -> Event {
    Event::GuestRolledBack(GuestRolledBack {
        run: run_id(),
        guest: guest(name),
        platform: platform(),
        packages,
        proven,
    })
}

fn both_put_back() -> Scene {
    let mut scene = Scene::new(waves(vec![wave("all", &["g1", "g2"])]));
    for name in ["g1", "g2"] {
        scene.fates.insert(guest(name), Fate::PutBack);
    }
    scene.pass(DAY, 60);
    scene
}

#[test]
fn what_two_guests_were_put_back_from_waits_for_both() {
    let mut scene = both_put_back();
    assert_eq!(blamed(&scene, "a/a-2").as_deref(), Some("g1"));
    approve(&mut scene, &HoldTarget::Guest(guest("g1")));
    assert_eq!(blamed(&scene, "a/a-2").as_deref(), Some("g2"));
    approve(&mut scene, &HoldTarget::Guest(guest("g2")));
    assert_eq!(scene.history.fleet.suspects, []);
}

#[test]
fn what_is_proven_for_one_guest_frees_nothing_that_another_was_put_back_from() {
    let mut scene = both_put_back();
    let proven = rolled_back("g1", vec![cpv("a/a-2")], true);
    scene.history.say(proven);
    assert_eq!(blamed(&scene, "b/b-2").as_deref(), Some("g2"));
    approve(&mut scene, &HoldTarget::Guest(guest("g2")));
    assert_eq!(blamed(&scene, "a/a-2").as_deref(), Some("g1"));
    assert_eq!(blamed(&scene, "b/b-2"), None);
}

fn failed(packages: &[&str]) -> Event {
    Event::InstallFailed(InstallFailed {
        run: run_id(),
        guest: guest("g1"),
        attempt: 1,
        failure: permanent("HealthCheckFailed"),
        begun: true,
        changes: vec![],
        held: vec![],
        findings: vec![],
        rolled_back: Some(RolledBack {
            packages: packages.iter().map(|text| cpv(text)).collect(),
            failure: None,
        }),
    })
}

#[test]
fn an_agent_makes_nothing_suspect_but_what_its_guest_had_asked_for_in_a_result_that_counts() {
    let mut scene = Scene::new(waves(vec![wave("all", &["g1", "g2"])]));
    scene.history.say(failed(&["a/a-2", "x/x-1"]));
    scene.history.say(failed(&["b/b-2"]));
    assert_eq!(blamed(&scene, "a/a-2").as_deref(), Some("g1"));
    for version in ["x/x-1", "b/b-2"] {
        assert_eq!(blamed(&scene, version), None, "{version}");
    }
    scene.pass(DAY, 60);
    assert!(scene.run().finished.is_some());
    scene.history.say(failed(&["b/b-2"]));
    assert_eq!(blamed(&scene, "b/b-2"), None, "the run is over");
    // An operator knows what they say.
    scene
        .history
        .say(rolled_back("g1", vec![cpv("x/x-1")], false));
    assert_eq!(blamed(&scene, "x/x-1").as_deref(), Some("g1"));
}

#[test]
fn the_end_of_a_hold_frees_nothing_that_a_guest_had_to_be_put_back_from() {
    for (target, left) in [
        (HoldTarget::Guest(guest("g1")), 0),
        (HoldTarget::Run(run_id()), 0),
        (HoldTarget::Package("a/a".parse().unwrap()), 1),
    ] {
        let mut scene = Scene::new(waves(vec![wave("all", &["g1", "g2"])]));
        scene.fates.insert(guest("g1"), Fate::PutBack);
        // The run goes on with it.
        scene.fates.insert(guest("g2"), Fate::Late(DAY));
        scene.pass(2 * INSTALLATION, 10);
        let (held, reason) = (target.clone(), None);
        scene.history.say(Event::HoldRequested(HoldRequested {
            target: held,
            reason,
        }));
        approve(&mut scene, &target);
        let fleet = &scene.history.fleet;
        assert!(fleet.holds.is_empty(), "{target}");
        assert_eq!(fleet.suspects.len(), 2, "{target}");
        assert!(waits_for_approval(fleet, &target), "{target}");
        approve(&mut scene, &target);
        let fleet = &scene.history.fleet;
        assert_eq!(fleet.suspects.len(), left, "{target}");
        assert!(!waits_for_approval(fleet, &target), "{target}");
    }
}

#[test]
fn no_version_is_forgotten_because_several_guests_were_put_back_from_it() {
    let mut scene = both_put_back();
    for name in ["g1", "g2"] {
        approve(&mut scene, &HoldTarget::Guest(guest(name)));
    }
    let versions = (0..KEPT_SUSPECTS).map(|number| cpv(&format!("a/a-{number}")));
    let versions: Vec<Cpv> = versions.collect();
    scene
        .history
        .say(rolled_back("g1", versions.clone(), false));
    scene
        .history
        .say(rolled_back("g2", versions[..2].to_vec(), false));
    assert_eq!(scene.history.fleet.suspects.len(), KEPT_SUSPECTS);
    assert_eq!(blamed(&scene, "a/a-0").as_deref(), Some("g2"));
    assert_eq!(blamed(&scene, "a/a-2").as_deref(), Some("g1"));
    scene
        .history
        .say(rolled_back("g2", vec![cpv("b/b-1")], false));
    assert_eq!(scene.history.fleet.suspects.len(), KEPT_SUSPECTS);
    assert_eq!(blamed(&scene, "b/b-1").as_deref(), Some("g2"));
}

#[test]
fn who_gets_nothing_since_another_was_put_back_waits_for_nothing() {
    let second = Wave {
        needs_approval: true,
        ..wave("second", &["g2"])
    };
    let mut scene = Scene::new(waves(vec![wave("first", &["g1"]), second]));
    scene.fates.insert(guest("g1"), Fate::PutBack);
    scene.pass(2 * INSTALLATION, 10);
    assert!(scene.run().finished.is_some(), "{}", scene.report());
    assert_eq!(scene.outcome("g2"), GuestOutcome::HeldBack);
}
