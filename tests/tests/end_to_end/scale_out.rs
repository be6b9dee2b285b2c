//! Two builders of two slots each, and six guests of three kinds.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use gentoo_updater_fleet::message::{PackageBuilt, Task, WorkStarted};
use gentoo_updater_fleet::name::JobId;
use gentoo_updater_tests::actions::{self, Gate, History, KINDS, Run, Worker, Workers};
use gentoo_updater_tests::assertions::{
    self, Binaries, RootBefore, compilations_without, installed, no_room_is_open,
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
fn all_went_well(scene: &Scene, run: &Run, before: &Before) {
    let lab = &scene.lab;
    assertions::exit_code_is(run, 0);
    let history = History::read(scene);
    for builder in BUILDERS {
        let worked = history
            .built()
            .any(|built| built.builder.as_str() == builder);
        assert!(worked, "{builder} built something");
    }
    every_key_is_in_the_store_once(scene, before, &[]);
    guests_have_what_they_want(lab, &before.guests, run);
    for (builder, before) in BUILDERS.iter().zip(&before.roots) {
        before.is_unchanged(lab);
        nothing_is_left(lab, builder);
    }
    assertions::every_file_is_indexed(lab, "b1");
}

/// What was compiled to its end, what the history tells of and what the store has are the same, but for
/// what the `lost` attempts did that had come to their ends and were not told of.
fn every_key_is_in_the_store_once(scene: &Scene, before: &Before, lost: &[(JobId, u32)]) {
    let history = History::read(scene);
    // What had a record was taken as it was. Whatever had none was compiled once more, and no trace but
    // an orphan may be left of it.
    let (again, taken): (Vec<_>, Vec<_>) = lost.iter().cloned().partition(|(job, _)| {
        let mut built = history.built();
        built.any(|built| &built.job == job && !built.reused)
    });
    let compiled = compilations_without(&scene.lab, &again);
    let binaries = Binaries::of(&scene.lab);
    let recorded = binaries.recorded();
    assert_eq!(compiled, recorded, "compiled (left), records (right)");
    let of = |jobs: &[(JobId, u32)]| -> Vec<String> {
        let is_meant = |built: &&PackageBuilt| jobs.iter().any(|(job, _)| *job == built.job);
        let built = history.built().filter(is_meant);
        built.map(|built| built.binary.cpv.to_string()).collect()
    };
    let mut events = history.compiled();
    events.extend(of(&taken));
    events.sort();
    assert_eq!(compiled, events, "compiled (left), events (right)");
    let records = binaries.records.iter();
    let mut paths: Vec<_> = records
        .filter_map(|r| r["binary"]["path"].as_str())
        .collect();
    paths.sort_unstable();
    let mut made: Vec<&str> = binaries.paths().collect();
    made.retain(|path| !before.in_store.contains(*path));
    let mut may_be_orphans = of(&again);
    made.retain(|path| {
        let cpv = binaries.at(path).get("CPV");
        let lost = may_be_orphans.iter().position(|lost| lost == cpv);
        let Some(lost) = lost.filter(|_| !paths.contains(path)) else {
            return true;
        };
        may_be_orphans.swap_remove(lost);
        !is_an_orphan(&scene.lab, path)
    });
    assert_eq!(
        made, paths,
        "what is new in the index (left), records (right)"
    );
    let of_library = compiled.iter().filter(|cpv| *cpv == "dev-libs/libbeta-1.0");
    assert_eq!(of_library.count(), KINDS.len(), "a binary for each kind");
}

/// Whether a note beside its number says whose this binary is: a collector takes it for this program's.
fn is_an_orphan(lab: &Lab, path: &str) -> bool {
    let number = path.trim_end_matches(".gpkg.tar");
    let notes = lab.store().join(".gentoo-updater/build-ids").join(number);
    fs::read_dir(notes).is_ok_and(|mut notes| notes.next().is_some())
}

fn guests_have_what_they_want(lab: &Lab, guests: &Guests, run: &Run) {
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
}

fn nothing_is_left(lab: &Lab, builder: &str) {
    no_room_is_open(lab, builder);
    let left = lab.sh(builder, "find /var/tmp/gentoo-updater -mindepth 1");
    assert_eq!(left, "", "left on {builder}");
}

/// What there was before a run.
struct Before {
    guests: Guests,
    roots: [RootBefore; 2],
    /// The paths of the binaries in the store.
    in_store: BTreeSet<String>,
}

impl Before {
    fn of(lab: &Lab, guests: Guests) -> Self {
        Self {
            guests,
            roots: BUILDERS.map(|builder| RootBefore::of(lab, builder)),
            in_store: Binaries::of(lab).paths().map(str::to_owned).collect(),
        }
    }
}

#[test]
fn two_builders_with_two_slots_build_every_key_once_for_six_guests_of_three_kinds() {
    let (scene, guests) = scene();
    let before = Before::of(&scene.lab, guests);
    let mut workers = Workers::start(&scene);
    let run = actions::run(&scene);
    all_went_well(&scene, &run, &before);
    workers.all_still_run();
}

#[test]
#[ignore = "takes long: make test-long"]
fn a_builder_that_is_killed_in_the_middle_builds_nothing_twice() {
    let (scene, guests) = scene();
    let lab = &scene.lab;
    for builder in BUILDERS {
        actions::slow_down(lab, builder, 10);
    }
    let before = Before::of(lab, guests);
    let mut workers = Workers::start(&scene);
    let running = actions::start_run(&scene, "run");
    let is_building = "ls -d /var/tmp/gentoo-updater/*/*/room";
    wait_until("b1 builds", Duration::from_secs(240), || {
        lab.holds("b1", is_building)
    });
    workers.kill_and_start(&Worker::builder("b1"));
    let run = running.to_the_end();
    all_went_well(&scene, &run, &before);
    workers.all_still_run();
}

/// The worker and every process of the machine go at once, in the middle of a build.
#[test]
#[ignore = "takes long: make test-long"]
fn what_a_machine_had_that_dies_for_good_is_built_by_the_other_one() {
    let (scene, guests) = scene();
    let lab = &scene.lab;
    // All kinds of it are built side by side, so that each builder has one of them.
    let gates = BUILDERS.map(|builder| Gate::in_rooms(lab, builder, "compile", "libbeta"));
    let before = Before::of(lab, guests);
    let mut workers = Workers::start(&scene);
    let running = actions::start_run(&scene, "run");
    let dead = Gate::wait_until_one_is_reached(&gates);
    let (dead, survivor) = (BUILDERS[dead], BUILDERS[1 - dead]);

    workers.kill(&Worker::builder(dead));
    lab.must(&["stop", dead]);
    for (builder, gate) in BUILDERS.iter().zip(&gates) {
        if *builder == survivor {
            gate.open();
        }
    }
    let run = running.to_the_end();

    guests_have_what_they_want(lab, &before.guests, &run);
    let report = &run.report;
    let finished = report["jobs"].as_array().expect("the report has jobs");
    assert!(
        finished.iter().all(|job| job["state"] == "built"),
        "{finished:#?}"
    );
    let history = History::read(&scene);
    let of_dead = || {
        history
            .started()
            .filter(|claim| claim.builder.as_ref().is_some_and(|on| on.as_str() == dead))
    };
    every_key_is_in_the_store_once(&scene, &before, &lost(&history, of_dead()));
    assertions::every_file_is_indexed(lab, survivor);
    let begun: BTreeSet<&Task> = of_dead().map(|claim| &claim.work.task).collect();
    let is_taken_over = |built: &PackageBuilt| {
        built.builder.as_str() == survivor && begun.contains(&Task::Build(built.job.clone()))
    };
    assert!(
        history.built().any(is_taken_over),
        "of {begun:?} {survivor} built something"
    );
    // That nobody can clean it is told, and nothing else is.
    assertions::exit_code_is(&run, 1);
    let failure = &report["builders"][dead]["failure"];
    assert_eq!(failure["cause"], "Unreachable", "{failure:#}");
    let failure = &report["builders"][survivor]["failure"];
    assert!(failure.is_null(), "{failure:#}");
    nothing_is_left(lab, survivor);
    workers.all_still_run();
    lab.must(&["start", dead]);
    for root in &before.roots {
        root.is_unchanged(lab);
    }
    no_room_is_open(lab, dead);
}

/// The attempts at builds, of those that were begun, whose results were never told.
fn lost<'a>(history: &History, begun: impl Iterator<Item = &'a WorkStarted>) -> Vec<(JobId, u32)> {
    let is_told = |job: &JobId, attempt: u32| {
        history
            .built()
            .any(|built| (&built.job, built.attempt) == (job, attempt))
    };
    begun
        .filter_map(|claim| match &claim.work.task {
            Task::Build(job) => Some((job.clone(), claim.work.attempt)),
            _ => None,
        })
        .filter(|(job, attempt)| !is_told(job, *attempt))
        .collect()
}

/// Two builders of two slots write one store at a time, whose locks hold nobody back.
#[test]
#[ignore = "takes long: make test-long"]
fn two_builders_with_two_slots_share_a_store_without_locks() {
    let (scene, guests) = scene();
    for builder in BUILDERS {
        actions::take_locks_of_store_away(&scene.lab, builder);
    }
    let before = Before::of(&scene.lab, guests);
    let mut workers = Workers::start(&scene);
    let run = actions::run(&scene);
    all_went_well(&scene, &run, &before);
    assertions::lock_of_store_is_free(&scene.lab);
    workers.all_still_run();
}
