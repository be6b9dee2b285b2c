//! Two builders of two slots each, and six guests of three kinds.

use std::time::Duration;

use gentoo_updater_tests::actions::{self, History, KINDS, Run, Worker, Workers};
use gentoo_updater_tests::assertions::{
    self, Binaries, RootBefore, compilations_in_rooms, installed, no_room_is_open,
};
use gentoo_updater_tests::fixtures::{Lab, Scene, wait_until};

const BUILDERS: [&str; 2] = ["b1", "b2"];
/// The guests, each with its flags.
type Guests = Vec<(String, &'static str)>;

/// The fleet before its update to v2.
fn scene() -> (Scene, Guests) {
    let mut scene = Scene::with_broker(6, 2);
    scene.configuration.clean_room = "auto";
    scene.configuration.slots = 2;
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    let guests = actions::make_kinds(lab, &lab.guests());
    (scene, guests)
}

/// Every key was compiled once, all guests have what they want, and the builders are what they were.
fn all_went_well(scene: &Scene, guests: &Guests, run: &Run, before: &[RootBefore]) {
    let lab = &scene.lab;
    assertions::exit_code_is(run, 0);
    let history = History::read(scene);
    for builder in BUILDERS {
        let worked = history
            .built()
            .any(|built| built.builder.as_str() == builder);
        assert!(worked, "{builder} built something");
    }
    let compiled = compilations_in_rooms(lab);
    let recorded = Binaries::of(lab).recorded();
    assert_eq!(compiled, recorded, "compiled (left), records (right)");
    let events = history.compiled();
    assert_eq!(compiled, events, "compiled (left), events (right)");
    let of_library = compiled.iter().filter(|cpv| *cpv == "dev-libs/libbeta-1.0");
    assert_eq!(of_library.count(), KINDS.len(), "a binary for each kind");
    for (guest, flags) in guests {
        assertions::outcome_is(&run.report, guest, "Updated");
        assertions::plans_nothing(lab, guest);
        let packages = installed(lab, guest);
        let library = &packages["dev-libs/libbeta-1.0"].use_flags;
        for flag in ["doc", "fast"] {
            let is_wanted = flags.split(' ').any(|word| word == flag);
            assert_eq!(library.contains(flag), is_wanted, "{flag} on {guest}");
        }
        let rdepend = &packages["app-misc/hello-2.0"].rdepend;
        assert!(rdepend.contains("dev-libs/libalpha:0/2="), "{rdepend}");
    }
    for (builder, before) in BUILDERS.iter().zip(before) {
        before.is_unchanged(lab);
        no_room_is_open(lab, builder);
        let left = lab.sh(builder, "find /var/tmp/gentoo-updater -mindepth 1");
        assert_eq!(left, "", "left on {builder}");
    }
}

fn roots(lab: &Lab) -> Vec<RootBefore> {
    let roots = BUILDERS.iter().map(|builder| RootBefore::of(lab, builder));
    roots.collect()
}

#[test]
fn two_builders_with_two_slots_build_every_key_once_for_six_guests_of_three_kinds() {
    let (scene, guests) = scene();
    let before = roots(&scene.lab);
    let mut workers = Workers::start(&scene);
    let run = actions::run(&scene);
    all_went_well(&scene, &guests, &run, &before);
    workers.all_still_run();
}

#[test]
fn a_builder_that_is_killed_in_the_middle_builds_nothing_twice() {
    let (scene, guests) = scene();
    let lab = &scene.lab;
    for builder in BUILDERS {
        actions::slow_down(lab, builder, 10);
    }
    let before = roots(lab);
    let mut workers = Workers::start(&scene);
    let running = actions::start_run(&scene, "run");
    let is_building = "ls -d /var/tmp/gentoo-updater/*/*/room";
    wait_until("b1 builds", Duration::from_secs(240), || {
        lab.holds("b1", is_building)
    });
    workers.kill_and_start(&Worker::builder("b1"));
    let run = running.to_the_end();
    all_went_well(&scene, &guests, &run, &before);
    workers.all_still_run();
}
