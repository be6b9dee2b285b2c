//! Messages that are not to be believed.

use std::time::Duration;

use gentoo_updater_bus::topology;
use gentoo_updater_fleet::message::Event;
use gentoo_updater_tests::actions::{self, DeadLetter, History, Workers};
use gentoo_updater_tests::assertions;
use gentoo_updater_tests::fixtures::{Scene, wait_until};

#[test]
fn a_package_that_is_a_shell_command_is_a_dead_letter_with_its_cause_and_the_planner_goes_on() {
    let scene = Scene::with_broker(1, 1);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::want_only(lab, "g1", &["app-misc/slowpoke"]);
    let mut workers = Workers::start(&scene);
    assertions::exit_code_is(&actions::scan(&scene), 0);
    let history = History::read(&scene);
    let genuine = history
        .events
        .iter()
        .find(|event| matches!(event.message, Event::GuestScanned(_)))
        .expect("g1 has answered");
    let mut forged = serde_json::to_value(genuine).expect("an event is JSON");
    forged["id"] = "0190b6b0-0000-7000-8000-000000000001".into();
    forged["body"]["updates"][0]["key"]["cpv"] = "cat/pkg-1;touch x".into();

    actions::publish_raw(
        scene.broker(),
        topology::EVENTS,
        &topology::routing_key(genuine),
        &forged.to_string(),
    );

    let mut letters: Vec<DeadLetter> = Vec::new();
    wait_until(
        "the forged answer is a dead letter",
        Duration::from_secs(30),
        || {
            letters.extend(actions::dead_letters(scene.broker()));
            !letters.is_empty()
        },
    );
    assert_eq!(letters.len(), 1, "dead letters: {letters:#?}");
    assert!(
        letters[0].body.contains("cat/pkg-1;touch x"),
        "the letter is the forged answer: {letters:#?}"
    );
    assert!(
        letters[0].cause.contains("cannot be decoded")
            && letters[0].cause.contains("cat/pkg-1;touch x"),
        "the letter names its cause: {:?}",
        letters[0].cause
    );
    assertions::exit_code_is(&actions::scan(&scene), 0);
    workers.all_still_run();
    for machine in ["g1", "b1"] {
        assert!(
            !lab.holds(
                machine,
                "ls /x /root/x /tmp/x /var/tmp/x 2>/dev/null | grep -q ."
            ),
            "{machine} ran a command that came as a package name"
        );
    }
}
