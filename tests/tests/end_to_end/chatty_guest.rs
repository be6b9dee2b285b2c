//! A guest whose administrator has a taste of his own.

use gentoo_updater_fleet::message::{Event, GuestScanned};
use gentoo_updater_tests::actions::{self, History};
use gentoo_updater_tests::assertions::{self, transactions};
use gentoo_updater_tests::fixtures::Scene;

#[test]
fn start_up_files_default_options_colours_and_locale_do_not_change_the_plan() {
    let scene = Scene::embedded(2, 1);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::make_chatty(lab, "g2");

    let scan = actions::scan(&scene);

    assertions::exit_code_is(&scan, 0);
    for guest in ["g1", "g2"] {
        assertions::outcome_is(&scan.report, guest, "Pending");
        assert!(
            transactions(lab, guest).is_empty(),
            "a scan changed {guest}"
        );
    }
    let guests = &scan.report["guests"];
    assert!(
        guests["g1"]["updates"]
            .as_array()
            .is_some_and(|updates| updates.len() > 10),
        "g1 has the updates of v2: {guests:#}"
    );
    assert_eq!(
        guests["g2"]["updates"], guests["g1"]["updates"],
        "updates of the chatty guest (left) and of the plain one (right)"
    );
    let history = History::read(&scene);
    let answer = |guest: &str| -> &GuestScanned {
        let mut answers = history
            .events
            .iter()
            .filter_map(|event| match &event.message {
                Event::GuestScanned(scanned) if scanned.guest.as_str() == guest => Some(scanned),
                _ => None,
            });
        answers.next().expect("each guest has answered")
    };
    let (plain, chatty) = (answer("g1"), answer("g2"));
    assert_eq!(
        chatty.updates, plain.updates,
        "build keys of the chatty guest (left) and of the plain one (right)"
    );
    assert_eq!(chatty.findings, plain.findings, "findings");
    assert_eq!(chatty.identity, plain.identity, "identities");
}
