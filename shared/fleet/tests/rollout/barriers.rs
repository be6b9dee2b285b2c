//! What must not be mixed over a fleet goes first, as a step of its own.

use gentoo_updater_fleet::decide::BUDGET_SPENT;
use gentoo_updater_fleet::inspect::PlanView;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::report::Report;
use gentoo_updater_fleet::rollout::{Barrier, Irreversible, Rollout};
use gentoo_updater_fleet::state::Fleet;

use crate::common::{UpdateExt, guest, installed, run_id, update};
use crate::scene::{Fate, INSTALLATION, Scene, wave, waves};

const DAY: i64 = 24 * 3600;

fn libc() -> Update {
    update("a/libc-2")
}

/// The canary g1, and then g2 and g3.
fn rollout(barriers: Vec<Barrier>) -> Rollout {
    Rollout {
        barriers,
        ..waves(vec![wave("canary", &["g1"]), wave("all", &["g2", "g3"])])
    }
}

fn of_libc() -> Rollout {
    rollout(vec![Barrier::Version(vec!["a/libc".parse().unwrap()])])
}

fn scene(rollout: Rollout, plans: &[(&str, Vec<Update>)], unbuilt: &[&str]) -> Scene {
    let plans = plans
        .iter()
        .map(|(name, updates)| (guest(name), (updates.clone(), vec![])));
    Scene::with_plans(rollout, plans.collect(), unbuilt)
}

/// g1 and g2 want a C library and something else, g3 only the latter.
fn mixed(rollout: Rollout, unbuilt: &[&str]) -> Scene {
    let both = || vec![libc(), update("b/b-2")];
    let plans = [
        ("g1", both()),
        ("g2", both()),
        ("g3", vec![update("b/b-2")]),
    ];
    scene(rollout, &plans, unbuilt)
}

fn orders(scene: &Scene) -> Vec<(&str, String)> {
    let orders = scene.orders.iter();
    orders
        .map(|(guest, packages)| (guest.as_str(), packages.join(" ")))
        .collect()
}

fn expected<'a>(orders: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
    let orders = orders.iter();
    orders
        .map(|(guest, packages)| (*guest, (*packages).to_owned()))
        .collect()
}

fn whole(scene: &Scene) -> Report {
    Report::of(&scene.history.fleet, scene.history.run())
}

#[test]
fn what_goes_first_reaches_every_wave_before_anything_else_reaches_one() {
    let mut scene = mixed(of_libc(), &[]);
    scene.pass(DAY, 60);
    let all = expected(&[
        ("g1", "a/libc-2"),
        ("g2", "a/libc-2"),
        ("g1", "b/b-2"),
        ("g2", "b/b-2"),
        ("g3", "b/b-2"),
    ]);
    assert_eq!(orders(&scene), all);
    let report = whole(&scene);
    assert_eq!(report.rounds().count(), 2);
    assert!(report.is_complete(), "{}", report.to_text());
    let rest = scene.run();
    assert_eq!(rest.follows, Some(run_id()));
    assert_eq!(
        rest.more_rounds, 0,
        "it is none of the rounds that may follow"
    );
    assert_eq!(rest.rollout.waves, of_libc().waves);
    let text = report.to_text();
    for words in [
        "First, as a step of its own; the rest follows in a further round",
        "  a/libc-2: another version, for 2 guests",
        "held back: b/b-2: a/libc-2 goes first, as a step of its own",
        "follows by itself in a further round",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
}

#[test]
fn the_plan_names_what_goes_first_and_what_cannot_be_undone_before_anything_is_built() {
    let rollout = Rollout {
        put_back: [guest("g1")].into(),
        irreversible: vec![Irreversible {
            atom: "b/b".parse().unwrap(),
            can_be_undone: false,
        }],
        ..of_libc()
    };
    let scene = mixed(rollout, &["a/libc-2", "b/b-2"]);
    let plan = PlanView::of(&scene.history.fleet, scene.run());
    let [barrier] = &plan.barriers[..] else {
        panic!("{plan:?}")
    };
    assert_eq!(
        barrier.to_string(),
        "a/libc-2: another version, for 2 guests"
    );
    let [unapproved] = &plan.unapproved[..] else {
        panic!("{plan:?}")
    };
    let words = "b/b-2: cannot be undone on 1 guest; `gentoo-updater approve package =b/b-2`";
    assert!(unapproved.to_string().starts_with(words), "{unapproved}");
}

#[test]
fn nothing_is_begun_before_it_is_known_what_goes_first() {
    let mut scene = mixed(of_libc(), &["a/libc-2"]);
    scene.pass(600, 60);
    assert_eq!(orders(&scene), []);
    let words = "1 guest: when all is built, since something goes first as a step of its own";
    assert!(
        !scene.report().contains(words),
        "g1 waits for its own build"
    );
    // The rest of the batch: it may be needed by what goes first, or be broken by it.
    let mut scene = scene_with_a_slow_build();
    scene.pass(600, 60);
    assert_eq!(orders(&scene), []);
    assert!(scene.report().contains(words), "{}", scene.report());
    scene.build("c/c-2");
    scene.pass(DAY, 60);
    let all = expected(&[("g1", "a/libc-2"), ("g1", "b/b-2"), ("g2", "c/c-2")]);
    assert_eq!(orders(&scene), all);
}

/// g1 can be updated as soon as g2 has what it waits for.
fn scene_with_a_slow_build() -> Scene {
    let plans = [
        ("g1", vec![libc(), update("b/b-2")]),
        ("g2", vec![update("c/c-2")]),
    ];
    let rollout = Rollout {
        waves: vec![wave("canary", &["g1"]), wave("all", &["g2"])],
        ..of_libc()
    };
    scene(rollout, &plans, &["c/c-2"])
}

#[test]
fn what_goes_first_takes_along_what_it_needs_and_what_it_would_break() {
    let library = update("a/ssl-2").slot("0/2").needs_to_run("a/need-2");
    let dependant = update("a/bound-1").bound_to("a/ssl", "0/2");
    let plan = vec![library, update("a/need-2"), dependant, update("a/other-2")];
    let has = vec![
        installed("a/ssl-1", "0/1", &[]),
        installed("a/bound-1", "0", &[("a/ssl", "0/1")]),
    ];
    let barrier = Barrier::Subslot(vec!["a/ssl".parse().unwrap()]);
    let plans = [(guest("g1"), (plan, has))].into();
    let mut scene = Scene::with_plans(rollout(vec![barrier]), plans, &[]);
    scene.pass(DAY, 60);
    let mut first = scene.ordered("g1")[0].to_vec();
    first.sort();
    assert_eq!(first, ["a/bound-1", "a/need-2", "a/ssl-2"]);
    assert_eq!(scene.ordered("g1")[1], ["a/other-2"]);
    // What a run that is over has forgotten was not this, and a snapshot has it, too.
    let report = whole(&scene).to_text();
    assert!(
        report.contains("a/ssl-2: another subslot, for 1 guest"),
        "{report}"
    );
    let snapshot = serde_json::to_string(&scene.history.fleet).unwrap();
    let fleet: Fleet = serde_json::from_str(&snapshot).unwrap();
    assert_eq!(Report::of(&fleet, &fleet.runs[&run_id()]).to_text(), report);
}

#[test]
fn flags_that_are_switched_go_first_on_all_packages_that_have_them() {
    let target = "python_targets_python3_13";
    let switched = |name| Update {
        change: Change::Reinstall,
        switched_flags: [target.parse().unwrap()].into(),
        ..update(name).flag(target, true)
    };
    let same = update("b/b-2").flag(target, true);
    let plan = vec![switched("p/one-1"), switched("p/two-1"), same];
    let barrier = Barrier::Flags(vec!["python_targets_*".parse().unwrap()]);
    let mut scene = scene(rollout(vec![barrier]), &[("g1", plan)], &[]);
    scene.pass(DAY, 60);
    let all = expected(&[("g1", "p/one-1 p/two-1"), ("g1", "b/b-2")]);
    assert_eq!(orders(&scene), all);
}

#[test]
fn what_goes_first_and_cannot_be_had_holds_nothing_up() {
    let hold = || {
        let target = HoldTarget::Package("a/libc".parse().unwrap());
        let reason = None;
        Event::HoldRequested(HoldRequested { target, reason })
    };
    let irreversible = Rollout {
        put_back: ["g1", "g2"].map(guest).into(),
        irreversible: vec![Irreversible {
            atom: "a/libc".parse().unwrap(),
            can_be_undone: false,
        }],
        ..of_libc()
    };
    let mut broken = mixed(of_libc(), &["a/libc-2"]);
    broken.build_fails("a/libc-2");
    let mut held = mixed(of_libc(), &[]);
    held.history.say(hold());
    for (mut scene, cause) in [
        (broken, "its build failed"),
        (held, "a/libc is held"),
        (mixed(irreversible, &[]), "approve package =a/libc-2"),
    ] {
        scene.pass(DAY, 60);
        let all = expected(&[("g1", "b/b-2"), ("g2", "b/b-2"), ("g3", "b/b-2")]);
        assert_eq!(orders(&scene), all, "{cause}");
        let report = whole(&scene);
        assert_eq!(report.rounds().count(), 1, "{cause}");
        assert!(!report.is_complete(), "{cause}");
        assert!(report.barriers.is_empty(), "{cause}");
        assert!(report.to_text().contains(cause), "{}", report.to_text());
    }
}

#[test]
fn a_guest_on_which_it_cannot_go_first_gets_the_rest_behind_the_others() {
    let rollout = Rollout {
        put_back: [guest("g1")].into(),
        irreversible: vec![Irreversible {
            atom: "a/libc".parse().unwrap(),
            can_be_undone: false,
        }],
        ..of_libc()
    };
    let mut scene = mixed(rollout, &[]);
    scene.pass(DAY, 60);
    let all = expected(&[
        ("g2", "a/libc-2"),
        ("g1", "b/b-2"),
        ("g2", "b/b-2"),
        ("g3", "b/b-2"),
    ]);
    assert_eq!(orders(&scene), all);
    assert!(!whole(&scene).is_complete(), "nobody has approved it on g1");
}

#[test]
fn where_what_goes_first_has_failed_nothing_comes_behind_it() {
    let mut scene = mixed(of_libc(), &[]);
    scene.fates.insert(guest("g1"), Fate::Fails);
    scene.pass(DAY, 60);
    let all = expected(&[
        ("g1", "a/libc-2"),
        ("g2", "a/libc-2"),
        ("g2", "b/b-2"),
        ("g3", "b/b-2"),
    ]);
    assert_eq!(orders(&scene), all);
    assert!(!whole(&scene).is_complete());
    // What was put back is not installed anywhere, and does not let what waited for it pass.
    let mut scene = mixed(of_libc(), &[]);
    scene.fates.insert(guest("g1"), Fate::PutBack);
    scene.pass(DAY, 60);
    assert_eq!(
        orders(&scene),
        expected(&[("g1", "a/libc-2"), ("g3", "b/b-2")])
    );
    assert!(!whole(&scene).is_complete());
}

#[test]
fn once_the_budget_is_spent_no_rest_follows() {
    let rollout = Rollout {
        budget: Some(1),
        ..of_libc()
    };
    let mut scene = mixed(rollout.clone(), &[]);
    scene.fates.insert(guest("g1"), Fate::Fails);
    scene.pass(DAY, 60);
    assert_eq!(orders(&scene), expected(&[("g1", "a/libc-2")]));
    assert_eq!(whole(&scene).rounds().count(), 1);
    // The last guest of all may well be the one that spends it.
    let both = || vec![libc(), update("b/b-2")];
    let mut scene = self::scene(rollout, &[("g1", both()), ("g2", both())], &[]);
    scene.fates.insert(guest("g2"), Fate::Fails);
    scene.pass(DAY, 60);
    let all = expected(&[("g1", "a/libc-2"), ("g2", "a/libc-2")]);
    assert_eq!(orders(&scene), all);
    assert_eq!(whole(&scene).rounds().count(), 1);
}

#[test]
fn what_is_wanted_again_does_not_go_first_again() {
    let mut scene = mixed(of_libc(), &[]);
    scene.fates.insert(guest("g1"), Fate::Forgotten);
    scene.pass(DAY, 60);
    assert_eq!(scene.ordered("g1")[1], ["a/libc-2", "b/b-2"]);
    assert_eq!(whole(&scene).rounds().count(), 2);
    assert!(scene.run().finished.is_some());
}

#[test]
fn a_step_in_which_nothing_has_to_wait_is_all_of_its_run() {
    let plans = [("g1", vec![libc()]), ("g2", vec![libc()])];
    let mut scene = scene(of_libc(), &plans, &[]);
    scene.pass(DAY, 60);
    let all = expected(&[("g1", "a/libc-2"), ("g2", "a/libc-2")]);
    assert_eq!(orders(&scene), all);
    assert_eq!(whole(&scene).rounds().count(), 1);
    assert!(whole(&scene).is_complete());
}

#[test]
fn who_failed_in_the_round_before_counts_for_the_budget_of_the_rest() {
    let rollout = Rollout {
        budget: Some(2),
        at_once: Some(1),
        ..of_libc()
    };
    let mut scene = mixed(rollout, &[]);
    scene.fates.insert(guest("g1"), Fate::Fails);
    // The step is being installed on g2 by then.
    scene.pass(INSTALLATION + 10, 10);
    scene.fates.insert(guest("g2"), Fate::Fails);
    scene.pass(DAY, 60);
    let all = expected(&[("g1", "a/libc-2"), ("g2", "a/libc-2"), ("g2", "b/b-2")]);
    assert_eq!(orders(&scene), all);
    let failure = scene.run().guests[&guest("g3")].left_out.clone().unwrap();
    assert_eq!(failure.cause, BUDGET_SPENT);
    assert!(
        failure.message.contains("2 guests failed (g1, g2)"),
        "{failure}"
    );
}
