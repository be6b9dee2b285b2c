//! Waves and their budget, on guests with a real Portage.

use std::fmt::Write as _;
use std::time::Duration;

use gentoo_updater_tests::actions::{self, Gate};
use gentoo_updater_tests::assertions::{
    self, Owned, exit_code_is, failure_of, installed, outcome_is, transactions,
};
use gentoo_updater_tests::fixtures::{Scene, shell_check, wait_until};

/// How long a command may take that installs something.
const PATIENCE: Duration = Duration::from_secs(240);

/// Waves of these guests with this budget.
fn rollout(budget: usize, waves: &[&[&str]]) -> String {
    let mut text = format!("[rollout]\nbudget = {budget}\n");
    for (number, guests) in waves.iter().enumerate() {
        let name = format!("wave{}", number + 1);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[rollout.waves]]\nname = {name:?}\nguests = {guests:?}\n"
        );
    }
    text
}

/// A canary loses its power in the middle of the installation, and returns when the run is over.
fn a_canary_dies(check: &str) -> Scene {
    let mut scene = Scene::embedded(2, 1);
    scene.configuration.rollout = rollout(1, &[&["g1"], &["g2"]]);
    scene.configuration.checks = [("slowpoke", shell_check(check))].into();
    scene.configuration.policy.insert("unreachable_seconds", 5);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    for guest in ["g1", "g2"] {
        actions::want_only(lab, guest, &[PACKAGE]);
    }
    let gate = Gate::before_phase(lab, "g1", "postinst", "slowpoke");
    let running = actions::start_run(&scene, "run");
    gate.wait_until_reached();
    lab.must(&["stop", "g1"]);

    let run = running.to_the_end();

    exit_code_is(&run, 1);
    outcome_is(&run.report, "g1", "Failed");
    outcome_is(&run.report, "g2", "LeftOut");
    let (cause, message) = failure_of(&run.report, "g2");
    assert_eq!(cause, "BudgetSpent");
    assert!(
        message.contains("g1") && message.contains("gentoo-updater run"),
        "{message}"
    );
    assert_eq!(transactions(lab, "g2").len(), 0);
    lab.must(&["start", "g1"]);
    // What was in /run went with the power.
    lab.sh("g1", "mkdir -m 1777 /run/gates");
    gate.open();
    scene
}

#[test]
fn a_canary_that_dies_in_the_middle_stops_the_rollout_and_is_finished_when_it_returns() {
    let scene = a_canary_dies("slowpoke");
    let next = actions::run(&scene);
    exit_code_is(&next, 0);
    for guest in ["g1", "g2"] {
        outcome_is(&next.report, guest, "Updated");
        assertions::plans_nothing(&scene.lab, guest);
    }
}

#[test]
#[ignore = "takes long: make test-long"]
fn a_canary_that_died_of_a_bad_update_is_put_back_when_it_returns() {
    let scene = a_canary_dies("slowpoke | grep -q 1.0");
    let next = actions::run(&scene);
    exit_code_is(&next, 1);
    let (cause, message) = failure_of(&next.report, "g1");
    assert_eq!(cause, "HealthCheckFailed", "{message}");
    assert_eq!(next.report["guests"]["g1"]["put_back"], true, "{message}");
    outcome_is(&next.report, "g2", "LeftOut");
    let lab = &scene.lab;
    let packages = installed(lab, "g1");
    for cpv in ["app-misc/slowpoke-1.0", "sys-apps/labbase-1.0"] {
        assert!(packages.contains_key(cpv), "{packages:#?}");
    }
    assert_eq!(transactions(lab, "g2").len(), 0);
}

/// What is updated on all guests, and what shows that it has gone well: on three of them it has not.
const PACKAGE: &str = "app-misc/slowpoke";
const CHECK: &str = "test ! -e /etc/bad || slowpoke | grep -q 1.0";
const BAD: [&str; 3] = ["g4", "g6", "g9"];

#[test]
#[ignore = "takes long: make test-long"]
fn thirty_guests_in_four_waves_stop_at_the_budget_of_two() {
    let mut scene = Scene::embedded(30, 1);
    let names: Vec<String> = (1..=30).map(|number| format!("g{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let waves = [&names[..2], &names[2..10], &names[10..20], &names[20..]];
    scene.configuration.rollout = rollout(2, &waves);
    scene.configuration.checks = [("slowpoke", shell_check(CHECK))].into();
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    for guest in &names {
        actions::want_only(lab, guest, &[PACKAGE]);
    }
    for guest in BAD {
        lab.sh(guest, "touch /etc/bad");
    }

    let run = actions::run(&scene);

    exit_code_is(&run, 1);
    for guest in waves[0] {
        outcome_is(&run.report, guest, "Updated");
    }
    let has = |guest: &str, version: &str| {
        installed(lab, guest).contains_key(&format!("{PACKAGE}-{version}"))
    };
    let mut failed = 0;
    for guest in waves[1] {
        let is_bad = BAD.contains(guest);
        match assertions::outcome_of(&run.report, guest) {
            "Failed" => {
                failed += 1;
                assert!(is_bad && has(guest, "1.0"), "{guest}");
                let (cause, message) = failure_of(&run.report, guest);
                assert_eq!(cause, "HealthCheckFailed");
                assert!(
                    message.contains("gentoo-updater approve guest"),
                    "{message}"
                );
            }
            "Updated" => assert!(!is_bad && has(guest, "2.0"), "{guest}"),
            // Two had failed before its turn came, or what they have is not given to it.
            "LeftOut" | "HeldBack" => assert!(has(guest, "1.0"), "{guest}"),
            other => panic!("{guest}: {other}"),
        }
    }
    assert!(failed >= 2, "{failed} have failed");
    for guest in waves[2].iter().chain(waves[3]) {
        outcome_is(&run.report, guest, "LeftOut");
        let (cause, message) = failure_of(&run.report, guest);
        assert_eq!(cause, "BudgetSpent");
        assert!(message.contains("gentoo-updater run"), "{message}");
        assert_eq!(transactions(lab, guest).len(), 0, "on {guest}");
    }
    for place in [2, 3] {
        let wave = &run.report["waves"][place];
        assert!(wave["ended_at"].is_null(), "{wave:#}");
    }
}

const LIBRARY_FIRST: &str = r#"
[[rollout.barriers]]
packages = ["dev-libs/libalpha"]
change = "subslot"
"#;

#[test]
#[ignore = "takes long: make test-long"]
fn what_must_not_be_mixed_goes_first_through_all_waves_and_the_rest_follows() {
    let mut scene = Scene::embedded(2, 1);
    scene.configuration.rollout = rollout(1, &[&["g1"], &["g2"]]) + LIBRARY_FIRST;
    scene.configuration.rollback = Some(true);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    for guest in ["g1", "g2"] {
        actions::want_only(lab, guest, &["app-misc/hello", "app-misc/greeter", PACKAGE]);
    }
    let before = Owned::of(lab, "g1");

    let run = actions::run(&scene);

    exit_code_is(&run, 0);
    for guest in ["g1", "g2"] {
        assertions::plans_nothing(lab, guest);
        let installed: Vec<Vec<String>> = transactions(lab, guest)
            .into_iter()
            .map(|transaction| transaction.completed)
            .collect();
        let [first, second] = &installed[..] else {
            panic!("{guest}: {installed:#?}")
        };
        // The library takes all with it that was built with it, or else they would not run.
        for package in [
            "dev-libs/libalpha-2.0",
            "dev-libs/libbeta-1.0",
            "app-misc/hello-2.0",
        ] {
            assert!(first.iter().any(|it| it == package), "{package}: {first:?}");
        }
        let rest = format!("{PACKAGE}-2.0");
        assert!(
            second.contains(&rest) && !first.contains(&rest),
            "{installed:#?}"
        );
    }
    let follows = &run.report["further"];
    outcome_is(follows, "g2", "Updated");
    assert_eq!(
        follows["waves"].as_array().map(Vec::len),
        Some(2),
        "{follows:#}"
    );

    // The run is undone with all its rounds.
    let undone = scene.command("rollback", &["rollback", "g1"], PATIENCE);
    assert!(undone.status.success(), "{}", undone.stderr);
    before.is_so_again(lab, "g1");
}

#[test]
fn a_run_without_a_broker_hears_what_an_operator_says_beside_it() {
    let mut scene = Scene::embedded(2, 1);
    scene.configuration.rollout = rollout(1, &[&["g1"], &["g2"]]) + "needs_approval = true\n";
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    for guest in ["g1", "g2"] {
        actions::want_only(lab, guest, &[PACKAGE]);
    }
    let running = actions::start_run(&scene, "run");
    wait_until("the second wave waits for an approval", PATIENCE, || {
        let report = scene.command("report", &["report"], PATIENCE);
        report.stdout.contains("gentoo-updater approve wave wave2")
    });
    let said = scene.command("approve", &["approve", "wave", "wave2"], PATIENCE);
    assert!(said.status.success(), "{}{}", said.stdout, said.stderr);
    assert!(
        said.stdout.contains("wave wave2 is approved"),
        "{}",
        said.stdout
    );

    let run = running.to_the_end();

    exit_code_is(&run, 0);
    outcome_is(&run.report, "g2", "Updated");
}
