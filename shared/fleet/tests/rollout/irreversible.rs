//! What cannot be undone is named, and waits for an operator.

use gentoo_updater_fleet::inspect::waits_for_approval;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::report::GuestOutcome;
use gentoo_updater_fleet::rollout::{Irreversible, Rollout};
use gentoo_updater_fleet::state::KEPT_APPROVALS;

use crate::common::{History, cpv, guest, update};
use crate::scene::{Scene, wave, waves};

const HOUR: i64 = 3600;

fn irreversible(atom: &str, can_be_undone: bool) -> Irreversible {
    let atom = atom.parse().unwrap();
    Irreversible {
        atom,
        can_be_undone,
    }
}

/// The guests g1 and g2, one after the other, of which these are put back when a check fails.
fn rollout(put_back: &[&str]) -> Rollout {
    Rollout {
        put_back: put_back.iter().map(|name| guest(name)).collect(),
        irreversible: vec![irreversible("a/a", false)],
        ..waves(vec![wave("canary", &["g1"]), wave("all", &["g2"])])
    }
}

fn package(atom: &str) -> HoldTarget {
    HoldTarget::Package(atom.parse().unwrap())
}

fn approval(atom: &str) -> Event {
    let target = package(atom);
    Event::ApprovalGiven(ApprovalGiven { target })
}

fn hold(atom: &str) -> Event {
    let (target, reason) = (package(atom), None);
    Event::HoldRequested(HoldRequested { target, reason })
}

fn held(scene: &Scene, name: &str) -> Vec<HeldBack> {
    let installation = &scene.run().guests[&guest(name)].installation;
    installation.as_ref().unwrap().held.clone()
}

fn unapproved() -> HeldBack {
    HeldBack {
        cpv: cpv("a/a-2"),
        reason: HoldReason::Irreversible(cpv("a/a-2")),
    }
}

#[test]
fn what_cannot_be_undone_is_held_where_a_guest_would_be_put_back_and_the_rest_is_installed() {
    let mut scene = Scene::new(rollout(&["g1"]));
    scene.pass(HOUR, 60);
    assert_eq!(scene.begun(), ["g1", "g2"], "the rest is installed");
    assert_eq!(held(&scene, "g1"), [unapproved()]);
    assert_eq!(held(&scene, "g2"), [], "nobody would put it back");
    assert_eq!(scene.outcome("g1"), GuestOutcome::HeldBack);
    assert_eq!(scene.outcome("g2"), GuestOutcome::Updated);
    let words = "held back: a/a-2: nothing puts a guest back to what was before it; \
                 `gentoo-updater approve package =a/a-2`";
    assert!(scene.report().contains(words), "{}", scene.report());
    let outcome = scene.run().finished.unwrap().outcome;
    assert_eq!(outcome, RunOutcome::WithFailures);
}

#[test]
fn what_waits_for_an_approval_says_so_before_and_after_the_run_until_it_is_given() {
    let mut scene = Scene::new(rollout(&["g1"]));
    let waits = |scene: &Scene, atom| waits_for_approval(&scene.history.fleet, &package(atom));
    for _ in 0..2 {
        assert!(waits(&scene, "=a/a-2") && waits(&scene, "a/a"));
        assert!(!waits(&scene, "=a/a-1") && !waits(&scene, "b/b"));
        scene.pass(HOUR, 60);
    }
    scene.history.say(approval("=a/a-2"));
    assert!(!waits(&scene, "=a/a-2"));
}

#[test]
fn what_is_approved_goes_with_the_set_of_every_guest_that_has_not_had_its_turn() {
    let mut scene = Scene::new(rollout(&["g1", "g2"]));
    scene.pass(0, 60);
    scene.history.say(approval(">=a/a-2"));
    scene.pass(HOUR, 60);
    assert_eq!(held(&scene, "g1"), [unapproved()]);
    assert_eq!(held(&scene, "g2"), []);
}

#[test]
fn an_approval_is_taken_back_by_a_hold_of_the_same_atom_alone() {
    let mut scene = Scene::new(rollout(&["g1", "g2"]));
    scene.history.say(approval("a/a"));
    scene.history.say(hold("b/b"));
    scene.pass(0, 60);
    scene.history.say(hold("a/a"));
    scene.pass(HOUR, 60);
    let reasons = |name| {
        let held = held(&scene, name).into_iter();
        held.map(|held| held.cpv.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(reasons("g1"), ["b/b-2"]);
    // All of it is held on g2, so that nothing was ordered.
    assert_eq!(scene.begun(), ["g1"]);
    assert!(scene.history.fleet.approved_packages.is_empty());
}

#[test]
fn the_last_word_on_a_package_counts_and_the_same_version_can_always_be_undone() {
    let mut rollout = rollout(&["g1"]);
    let (g1, g2) = (guest("g1"), guest("g2"));
    let row = |change| Update {
        change,
        ..update("a/a-2")
    };
    for change in [Change::Upgrade, Change::Downgrade, Change::NewSlot] {
        assert!(rollout.is_irreversible(&g1, &row(change)), "{change}");
        assert!(!rollout.is_irreversible(&g2, &row(change)), "{change}");
    }
    for change in [Change::New, Change::Rebuild, Change::Reinstall] {
        assert!(!rollout.is_irreversible(&g1, &row(change)), "{change}");
    }
    rollout.irreversible.push(irreversible("<a/a-3", true));
    assert!(!rollout.is_irreversible(&g1, &row(Change::Upgrade)));
    rollout.irreversible.push(irreversible("=a/a-2", false));
    assert!(rollout.is_irreversible(&g1, &row(Change::Upgrade)));
}

#[test]
fn no_more_than_the_newest_approvals_are_kept() {
    let mut history = History::default();
    for number in 0..=KEPT_APPROVALS {
        history.say(approval(&format!("=a/a-{number}")));
    }
    history.say(approval("=a/a-2"));
    let kept = &history.fleet.approved_packages;
    assert_eq!(kept.len(), KEPT_APPROVALS);
    assert_eq!(kept.front().unwrap().to_string(), "=a/a-1");
    assert_eq!(kept.back().unwrap().to_string(), "=a/a-2");
}
