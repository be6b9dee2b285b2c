//! Builders in a fleet that is not as one would wish: one is off, one is a guest itself, one has an
//! administrator who does not wait for the end of a run.

use gentoo_updater_tests::actions::{self, Gate};
use gentoo_updater_tests::assertions::{self, compilations, installed};
use gentoo_updater_tests::fixtures::Scene;

/// One run for both: b1 is a guest, too, and b2 is off. Were b2 to take work, it would fail all
/// that b1 is too busy for.
#[test]
fn a_builder_that_is_off_takes_no_work_and_one_that_is_a_guest_keeps_what_it_ordered() {
    let mut scene = Scene::embedded(1, 2);
    let address = scene.configuration.builders["b1"].clone();
    scene.configuration.guests.insert("b1".to_owned(), address);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::want_only(lab, "g1", &["app-misc/hello", "app-misc/greeter"]);
    // A new slot: nothing of it was there before the run.
    let wanted = ["app-misc/hello", "app-misc/greeter", "dev-libs/slotted"];
    actions::want_only(lab, "b1", &wanted);
    lab.must(&["stop", "b2"]);

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 0);
    for guest in ["g1", "b1"] {
        assertions::outcome_is(&run.report, guest, "Updated");
        assertions::plans_nothing(lab, guest);
    }
    // What lies there for builds is the janitor's business, and no finding of the guest.
    let findings = run.report["guests"]["b1"]["findings"].as_array().unwrap();
    let unneeded = findings
        .iter()
        .find(|finding| finding["kind"] == "Unneeded");
    let unneeded = unneeded.expect("b1 has more than its world")["details"].to_string();
    assert!(
        unneeded.contains("app-misc/slowpoke") && !unneeded.contains("labgen"),
        "{unneeded}"
    );
    let packages = installed(lab, "b1");
    for cpv in [
        "dev-libs/slotted-1.0",
        "dev-libs/slotted-2.0",
        "app-misc/hello-2.0",
    ] {
        assert!(
            packages.contains_key(cpv),
            "b1 ordered {cpv} as a guest, and lost it again"
        );
    }
    for cpv in ["dev-libs/tinyhdr-1.0", "dev-util/labgen-1.1"] {
        assert!(
            !packages.contains_key(cpv),
            "{cpv} was only there for a build, and is left"
        );
    }
    assert!(
        compilations(lab, "b1").contains(&"app-misc/hello-2.0".to_owned()),
        "b1 did the work"
    );
    let updated = run.report["builders"]["b1"]["updated"]
        .as_array()
        .map_or(0, Vec::len);
    assert!(updated > 0, "what b1 has in another version now is named");
}

/// newdep and labgen are needed to build greeter, tinyhdr is to build hello.
#[test]
#[ignore = "takes long: make test-long"]
fn what_an_administrator_installs_on_a_builder_meanwhile_stays_with_what_it_needs() {
    let scene = Scene::embedded(1, 1);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::want_only(lab, "g1", &["app-misc/hello", "app-misc/greeter"]);
    let admins = "app-misc/admins-1".parse().unwrap();
    actions::publish_only(lab, &admins, "RDEPEND=\"dev-libs/tinyhdr\"\n");
    let gate = Gate::before_phase(lab, "b1", "compile", "hello");
    let running = actions::start_run(&scene, "run");
    gate.wait_until_reached();
    // Neither is in the world file, and greeter may have been built before or will be afterwards.
    for wanted in ["app-misc/admins", "app-misc/newdep"] {
        lab.sh("b1", &format!("emerge --oneshot --color=n {wanted}"));
    }
    gate.open();

    let run = running.to_the_end();

    assertions::exit_code_is(&run, 0);
    let packages = installed(lab, "b1");
    for cpv in [
        "app-misc/admins-1",
        "app-misc/newdep-1.0",
        "dev-libs/tinyhdr-1.0",
    ] {
        assert!(
            packages.contains_key(cpv),
            "{cpv} is gone: {:#?}",
            run.report
        );
    }
    assert!(
        !packages.contains_key("dev-util/labgen-1.1"),
        "a build's, and left"
    );
    let builder = &run.report["builders"]["b1"];
    let kept = builder["kept"].as_array().into_iter().flatten();
    let named: Vec<&str> = kept.filter_map(|kept| kept["text"].as_str()).collect();
    assert_eq!(
        named,
        ["dev-libs/tinyhdr-1.0 stays: it is needed by app-misc/admins-1"],
        "{builder:#}"
    );
}
