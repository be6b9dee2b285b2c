//! Waves, health and the way back, on guests with a real Portage.

use std::time::Duration;

use gentoo_updater_tests::actions::{self, Run};
use gentoo_updater_tests::assertions::{self, Owned, exit_code_is, failure_of, outcome_is};
use gentoo_updater_tests::fixtures::{Lab, Scene, shell_check, wait_until};
use serde_json::Value;

use crate::afterwards::SERVICE;
use crate::signatures::require_signatures;

/// `hello` says which version of the library it was linked with. The update brings another one.
const AS_BEFORE: &str = "hello | grep -q alpha=1";

const CANARY_FIRST: &str = r#"
[rollout]
budget = 1

[[rollout.waves]]
name = "canary"
guests = ["g1"]
"#;

const WORLD: [&str; 6] = [
    "app-misc/hello",
    "app-misc/greeter",
    "www-servers/tinyd",
    "app-misc/rebuildme",
    "dev-lang/fakelang",
    "app-misc/slowpoke",
];

/// A canary and two others, which want programs, libraries, a configuration file and a new slot.
fn scene() -> Scene {
    let mut scene = Scene::embedded(3, 1);
    scene.configuration.rollout = CANARY_FIRST.to_owned();
    scene.configuration.checks = [("library", shell_check(AS_BEFORE))].into();
    actions::prepare_for_v2(&scene.lab);
    for guest in scene.lab.guests() {
        actions::want_only(&scene.lab, &guest, &WORLD);
    }
    scene
}

/// An administrator has edited configuration files of which the update brings new versions: one in their
/// own way, and one just as it will come.
fn edit_configuration(lab: &Lab, guest: &str) {
    lab.sh(
        guest,
        "echo '# mine' >> /etc/tinyd/tinyd.conf
         sed -i 's/tinyd 1.0/tinyd 2.0/' /etc/init.d/tinyd",
    );
}

/// What the guest has is not in the store any more.
fn forget_binaries(lab: &Lab, packages: &[&str]) {
    for package in packages {
        let folder = lab.store().join(package);
        let files = std::fs::read_dir(&folder).expect("the store has a folder of it");
        for file in files.flatten() {
            std::fs::remove_file(file.path()).expect("a binary is deleted");
        }
    }
}

/// Runs the operator's command, which must go well.
fn command(scene: &Scene, args: &[&str]) -> String {
    let ended = scene.command(args[0], args, Duration::from_secs(300));
    assert!(
        ended.status.success(),
        "{args:?}: {}{}",
        ended.stdout,
        ended.stderr
    );
    ended.stdout
}

#[test]
fn a_canary_whose_check_fails_is_what_it_was_and_nobody_gets_the_set_until_it_is_approved() {
    let mut scene = scene();
    // It is broken all the time, and no update is to blame for that.
    scene
        .configuration
        .checks
        .insert("other", shell_check("false"));
    let lab = &scene.lab;
    edit_configuration(lab, "g1");
    forget_binaries(lab, &["app-misc/hello", "www-servers/tinyd"]);
    let before: Vec<Owned> = lab
        .guests()
        .iter()
        .map(|guest| Owned::of(lab, guest))
        .collect();
    let all_as_before = |lab: &Lab| {
        for (guest, before) in lab.guests().iter().zip(&before) {
            before.is_so_again(lab, guest);
        }
    };

    let run = actions::run(&scene);

    exit_code_is(&run, 1);
    let (cause, message) = failure_of(&run.report, "g1");
    assert_eq!(cause, "HealthCheckFailed", "{message}");
    assert!(
        message.contains("library")
            && !message.contains("other")
            && message.contains("approve guest g1"),
        "{message}"
    );
    let findings = assertions::finding_texts(&run.report["guests"]["g1"]);
    assert!(
        findings.iter().any(|text| text.contains("other")),
        "{findings:?}"
    );
    for guest in ["g2", "g3"] {
        outcome_is(&run.report, guest, "LeftOut");
        assert_eq!(failure_of(&run.report, guest).0, "BudgetSpent");
        assert_eq!(assertions::transactions(lab, guest).len(), 0, "on {guest}");
    }
    assert_eq!(
        run.report["waves"][0]["failed"], 1,
        "{:#}",
        run.report["waves"]
    );
    all_as_before(lab);

    let next = actions::run(&scene);

    exit_code_is(&next, 1);
    for guest in lab.guests() {
        outcome_is(&next.report, &guest, "HeldBack");
        let held = &next.report["guests"][&guest]["held"];
        assert!(held.to_string().contains("RolledBack"), "{held:#}");
    }
    all_as_before(lab);

    // Whoever knows better says so.
    let said = command(&scene, &["approve", "guest", "g1"]);
    assert!(said.contains("g1"), "{said}");
    scene.configuration.checks.clear();
    let last = actions::run(&scene);
    exit_code_is(&last, 0);
    for guest in scene.lab.guests() {
        outcome_is(&last.report, &guest, "Updated");
        assertions::plans_nothing(&scene.lab, &guest);
    }
}

/// The library that the service has is the one of before.
const SERVICE_AS_BEFORE: &str = "grep -q libalpha.so.1 /proc/$(cat /run/alphad.pid)/maps";

#[test]
#[ignore = "takes long: make test-long"]
fn services_that_were_restarted_for_an_update_run_again_on_what_there_was_before() {
    let mut scene = Scene::embedded(2, 1);
    scene.configuration.restart_services = Some("restart");
    scene.configuration.checks = [
        ("alphad", "service = \"alphad\"".to_owned()),
        ("library", shell_check(SERVICE_AS_BEFORE)),
    ]
    .into();
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    for guest in ["g1", "g2"] {
        actions::want_only(lab, guest, &WORLD);
        lab.must(&["openrc", guest]);
        lab.sh(guest, SERVICE);
    }
    // On g1 the service comes up with the update, on g2 it does not.
    lab.sh(
        "g2",
        r#"sed -i 's/^start_pre() {/& [ ! -e \/usr\/lib64\/libalpha.so.2 ] || return 1;/' /etc/init.d/alphad"#,
    );

    let run = actions::run(&scene);

    exit_code_is(&run, 1);
    for guest in ["g1", "g2"] {
        let (cause, message) = failure_of(&run.report, guest);
        assert_eq!(cause, "HealthCheckFailed", "{message}");
        assert!(!message.contains("still not well"), "{message}");
        // The service itself runs on g1 with the update.
        assert_eq!(message.contains("alphad ("), guest == "g2", "{message}");
        assert!(lab.holds(guest, SERVICE_AS_BEFORE), "alphad on {guest}");
        let findings = assertions::finding_texts(&run.report["guests"][guest]);
        assert!(
            findings.contains(&"alphad was restarted, and runs"),
            "{findings:?}"
        );
        let kinds = run.report["guests"][guest]["findings"].to_string();
        assert!(!kinds.contains("ServiceRestartFailed"), "{kinds}");
    }

    // The same by hand, with a policy that looks at nothing.
    for guest in ["g1", "g2"] {
        command(&scene, &["approve", "guest", guest]);
    }
    scene.configuration.checks.clear();
    scene.configuration.rollback = Some(true);
    let run = actions::run(&scene);
    exit_code_is(&run, 0);
    let lab = &scene.lab;
    for guest in ["g1", "g2"] {
        assert!(!lab.holds(guest, SERVICE_AS_BEFORE), "alphad on {guest}");
    }
    let id = run.report["run"].as_str().expect("a run has an id");
    let said = command(&scene, &["rollback", "g2", "--run", id]);
    assert!(said.contains("! alphad was restarted, and runs"), "{said}");
    assert!(lab.holds("g2", SERVICE_AS_BEFORE), "alphad on g2");
    // What a service runs on shows with each state that is tried.
    let said = command(
        &scene,
        &["bisect", "g1", "--check", SERVICE_AS_BEFORE, "--json"],
    );
    let said: Value = serde_json::from_str(&said).expect("bisect --json prints JSON");
    let culprits = said["culprits"].to_string();
    assert!(culprits.contains("dev-libs/libalpha-"), "{said:#}");
    assert!(!culprits.contains("tinyd"), "{said:#}");
    assert!(lab.holds("g1", SERVICE_AS_BEFORE), "alphad on g1");
}

/// The run says that a check failed on g1, which has again what it had before.
fn g1_is_put_back(run: &Run, lab: &Lab, before: &Owned) {
    exit_code_is(run, 1);
    let (cause, message) = failure_of(&run.report, "g1");
    assert_eq!(cause, "HealthCheckFailed", "{message}");
    assert_eq!(run.report["guests"]["g1"]["put_back"], true, "{message}");
    before.is_so_again(lab, "g1");
}

/// Publishes a version of twelve packages, and no other.
fn publish_twelve(lab: &Lab, version: &str) {
    for name in twelve() {
        let cpv = format!("{name}-{version}").parse().expect("a version");
        actions::publish_only(lab, &cpv, "");
    }
}

fn twelve() -> Vec<String> {
    (1..=12)
        .map(|number| format!("app-misc/part{number:02}"))
        .collect()
}

#[test]
#[ignore = "takes long: make test-long"]
fn the_bad_one_of_twelve_packages_is_found_in_five_steps_and_the_guest_is_what_it_was() {
    let mut scene = Scene::embedded(1, 1);
    scene.configuration.rollback = Some(true);
    let lab = &scene.lab;
    publish_twelve(lab, "1.0");
    let names = twelve();
    let world: Vec<&str> = names.iter().map(String::as_str).collect();
    actions::want_only(lab, "g1", &world);
    exit_code_is(&actions::run(&scene), 0);
    let before = Owned::of(lab, "g1");
    publish_twelve(lab, "2.0");
    exit_code_is(&actions::run(&scene), 0);

    let check = "grep -qx 1.0 /usr/share/lab/part08.txt";
    let said = command(
        &scene,
        &["bisect", "g1", "--check", check, "--tries", "1", "--json"],
    );

    let said: Value = serde_json::from_str(&said).expect("bisect --json prints JSON");
    assert_eq!(said["culprits"], serde_json::json!(["app-misc/part08-2.0"]));
    assert_eq!(said["packages"], 12);
    let steps = said["steps"].as_array().expect("there are steps");
    assert!((4..=5).contains(&steps.len()), "{steps:#?}");
    before.is_so_again(lab, "g1");

    // All but the one to blame comes again.
    let next = actions::run(&scene);
    exit_code_is(&next, 1);
    outcome_is(&next.report, "g1", "HeldBack");
    let held = next.report["guests"]["g1"]["held"]
        .as_array()
        .expect("a list");
    let held: Vec<_> = held.iter().map(|held| held["cpv"].as_str()).collect();
    assert_eq!(held, [Some("app-misc/part08-2.0")]);
    let packages = assertions::installed(lab, "g1");
    for name in &names {
        let version = if name == "app-misc/part08" {
            "1.0"
        } else {
            "2.0"
        };
        assert!(
            packages.contains_key(&format!("{name}-{version}")),
            "{name}"
        );
    }

    // And goes again, by hand.
    let said = command(&scene, &["rollback", "g1"]);
    assert!(
        said.contains("app-misc/part01-2.0") && !said.contains("part08"),
        "{said}"
    );
    before.is_so_again(lab, "g1");
    let said = command(&scene, &["rollback", "g1"]);
    assert!(said.contains("already"), "{said}");
    before.is_so_again(lab, "g1");
}

#[test]
#[ignore = "takes long: make test-long"]
fn a_guest_that_requires_signatures_is_put_back_from_what_was_made_of_its_own_packages() {
    let mut scene = Scene::embedded(1, 1);
    scene.configuration.clean_room = "auto";
    scene.configuration.sign = true;
    scene.configuration.checks = [("slow", shell_check("slowpoke | grep -q 1.0"))].into();
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::want_only(lab, "g1", &["app-misc/slowpoke"]);
    require_signatures(lab, "g1");
    command(&scene, &["store", "keys", "init"]);
    command(&scene, &["store", "keys", "teach", "--yes", "g1"]);
    let before = Owned::of(lab, "g1");

    let run = actions::run(&scene);

    g1_is_put_back(&run, lab, &before);
}

/// Before the old version is merged again, until it is told to go on; a minute at most.
const STOP_ON_THE_WAY_BACK: &str = r#"
cat >> /etc/portage/bashrc <<'END'
if [[ ${EBUILD_PHASE} == preinst && ${PF} == slowpoke-1.0 ]]; then
    : > /var/tmp/here
    for ((i = 0; i < 600; i++)); do [[ ! -e /var/tmp/go ]] || break; sleep 0.1; done
fi
END
"#;

#[test]
fn a_way_back_that_was_interrupted_is_gone_to_its_end() {
    let mut scene = Scene::embedded(1, 1);
    scene.configuration.checks = [("slow", shell_check("slowpoke | grep -q 1.0"))].into();
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::want_only(lab, "g1", &["app-misc/slowpoke"]);
    lab.sh("g1", STOP_ON_THE_WAY_BACK);
    let before = Owned::of(lab, "g1");
    let running = actions::start_run(&scene, "first");
    wait_until(
        "the old version comes back",
        Duration::from_secs(120),
        || lab.holds("g1", "test -e /var/tmp/here"),
    );
    running.kill();
    lab.sh("g1", "touch /var/tmp/go");

    let run = actions::run(&scene);

    g1_is_put_back(&run, lab, &before);
}

#[test]
#[ignore = "takes long: make test-long"]
fn what_cannot_be_undone_is_named_and_waits_for_an_approval() {
    let mut scene = Scene::embedded(1, 1);
    scene.configuration.checks = [("slow", shell_check("slowpoke"))].into();
    scene.configuration.packages =
        "[[packages]]\natom = \"app-misc/slowpoke\"\nirreversible = true\n";
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::want_only(lab, "g1", &["app-misc/slowpoke"]);

    let run = actions::run(&scene);

    exit_code_is(&run, 1);
    outcome_is(&run.report, "g1", "HeldBack");
    let held = run.report["guests"]["g1"]["held"].to_string();
    assert!(held.contains("Irreversible"), "{held}");
    let packages = assertions::installed(lab, "g1");
    assert!(
        packages.contains_key("app-misc/slowpoke-1.0"),
        "{packages:?}"
    );
    let others = "sys-apps/labbase-1.0-r1";
    assert!(packages.contains_key(others), "{packages:?}");

    let said = command(&scene, &["approve", "package", "=app-misc/slowpoke-2.0"]);
    assert!(
        said.contains("is approved, and comes with the next run"),
        "{said}"
    );
    let next = actions::run(&scene);
    exit_code_is(&next, 0);
    outcome_is(&next.report, "g1", "Updated");
    assertions::plans_nothing(lab, "g1");
}

/// The new version never comes to its end.
const HANG: &str = r#"
cat >> /etc/portage/bashrc <<'END'
if [[ ${EBUILD_PHASE} == postinst && ${PF} == slowpoke-2.0 ]]; then
    for ((i = 0; i < 1200; i++)); do [[ ! -e /var/tmp/go ]] || break; sleep 0.1; done
fi
END
"#;

#[test]
fn an_update_that_hangs_is_looked_at_when_its_time_is_over_and_put_back() {
    let mut scene = Scene::embedded(1, 1);
    scene.configuration.checks = [("slow", shell_check("slowpoke | grep -q 1.0"))].into();
    scene
        .configuration
        .policy
        .insert("install_timeout_seconds", 20);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::want_only(lab, "g1", &["app-misc/slowpoke"]);
    lab.sh("g1", HANG);
    let before = Owned::of(lab, "g1");

    let run = actions::run(&scene);

    g1_is_put_back(&run, lab, &before);
    let (_, message) = failure_of(&run.report, "g1");
    assert!(message.contains("did not end within 20 s"), "{message}");
}
