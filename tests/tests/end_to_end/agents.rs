//! Guests that install by agents of their own.

use gentoo_updater_tests::actions::{self, Gate, Workers};
use gentoo_updater_tests::assertions::{self, installed};
use gentoo_updater_tests::fixtures::Scene;

/// With all that the new library is bound to.
const WORLD: [&str; 4] = [
    "app-misc/hello",
    "app-misc/greeter",
    "www-servers/tinyd",
    "app-misc/slowpoke",
];

#[test]
fn an_agent_installs_what_its_guest_wants_and_refuses_the_rest_whoever_orders_it() {
    let scene = Scene::with_broker(1, 1);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::want_only(lab, "g1", &WORLD);
    let gate = Gate::before_phase(lab, "b1", "compile", "hello");
    let mut workers = Workers::start_with_agents(&scene);
    let running = actions::start_run(&scene, "run");
    gate.wait_until_reached();
    // Its administrator wants one package no longer, which is ordered all the same.
    actions::want_only(lab, "g1", &WORLD[..3]);
    lab.sh("g1", "emerge --unmerge --color=n app-misc/slowpoke");
    let before = installed(lab, "g1");
    gate.open();

    let run = running.to_the_end();

    assertions::exit_code_is(&run, 1);
    let (cause, message) = assertions::failure_of(&run.report, "g1");
    assert_eq!(cause, "NotWanted");
    assert!(message.contains("app-misc/slowpoke-2.0"), "{message}");
    assert!(!message.contains("app-misc/hello"), "{message}");
    assert_eq!(installed(lab, "g1"), before);

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 0);
    assertions::outcome_is(&run.report, "g1", "Updated");
    workers.all_still_run();
}
