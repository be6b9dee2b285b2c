//! The main job: three guests go from v1 to v2, one of them with other USE, and every package is
//! compiled once.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_tests::actions::{self, History, Run, Workers};
use gentoo_updater_tests::assertions::{
    self, Binaries, BuilderBefore, Installed, compilations, installed, transactions,
};
use gentoo_updater_tests::fixtures::{Lab, Scene};
use std::time::Duration;

const GUESTS: [&str; 3] = ["g1", "g2", "g3"];

#[test]
fn main_job_embedded() {
    let scene = Scene::embedded(3, 1);
    let run = the_main_job(&scene);
    report_tells_the_same(&scene, &run);
    the_next_run_finds_nothing_to_do(&scene);
}

#[test]
fn main_job_rabbitmq() {
    let scene = Scene::with_broker(3, 1);
    let mut workers = Workers::start(&scene);
    let run = the_main_job(&scene);
    workers.all_still_run();
    report_tells_the_same(&scene, &run);
}

fn the_main_job(scene: &Scene) -> Run {
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::prefer_other_flags(lab, "g3");
    let before = BuilderBefore::of(lab, "b1");

    let run = actions::run(scene);

    assertions::exit_code_is(&run, 0);
    let guests: BTreeMap<&str, BTreeMap<String, Installed>> = GUESTS
        .into_iter()
        .map(|guest| (guest, installed(lab, guest)))
        .collect();
    for guest in GUESTS {
        assertions::outcome_is(&run.report, guest, "Updated");
        assertions::has_no_compiler(lab, guest);
        assertions::plans_nothing(lab, guest);
        everything_came_in_one_transaction(lab, guest);
        assert!(
            assertions::finding_texts(&run.report["guests"][guest])
                .iter()
                .any(|text| text.contains("app-misc/gone")),
            "{guest} is told that a package of its world file has no ebuild any more: {:#}",
            run.report["guests"][guest]
        );
    }
    let binaries = Binaries::of(lab);
    each_key_was_compiled_once(scene, &binaries);
    each_guest_has_its_own_flags(&guests, &binaries);
    bindings_are_those_of_the_new_library(&guests, &binaries);
    assertions::builder_is_clean(lab, &before, &run.report);
    run
}

fn report_tells_the_same(scene: &Scene, run: &Run) {
    let told = scene.command("report", &["report", "--json"], Duration::from_secs(30));
    let mut report: serde_json::Value =
        serde_json::from_str(&told.stdout).expect("report --json prints JSON");
    // Beside the report it says how the fleet is now.
    let fleet = report.as_object_mut().and_then(|all| all.remove("fleet"));
    assert_eq!(
        fleet.map(|fleet| (fleet["bus"]["state"].clone(), fleet["dead_letters"].clone())),
        Some(("good".into(), 0.into())),
        "how the fleet is (left)"
    );
    assert_eq!(
        report, run.report,
        "report (left) tells of the last run what the run told"
    );
}

fn the_next_run_finds_nothing_to_do(scene: &Scene) {
    let compiled = compilations(&scene.lab, "b1");
    let run = actions::run(scene);
    assertions::exit_code_is(&run, 0);
    for guest in GUESTS {
        assertions::outcome_is(&run.report, guest, "UpToDate");
    }
    assert_eq!(
        compilations(&scene.lab, "b1"),
        compiled,
        "compiled after a run (left) that had nothing to do, and before it (right)"
    );
}

/// Events, records and emerge's own log agree.
fn each_key_was_compiled_once(scene: &Scene, binaries: &Binaries) {
    let history = History::read(scene);
    let events = history.compiled();
    assert_eq!(
        events,
        binaries.recorded(),
        "PackageBuilt events (left) and records in the store (right)"
    );
    assert_eq!(
        events,
        compilations(&scene.lab, "b1"),
        "PackageBuilt events (left) and what emerge on the builder compiled (right)"
    );
    let jobs: BTreeSet<_> = history.built().map(|built| &built.job).collect();
    assert_eq!(
        jobs.len(),
        history.built().count(),
        "a job has two PackageBuilt events"
    );
}

fn each_guest_has_its_own_flags(
    guests: &BTreeMap<&str, BTreeMap<String, Installed>>,
    binaries: &Binaries,
) {
    let of_v1 = 1;
    assert_eq!(
        binaries.entries("app-misc/greeter-2.0").len(),
        2,
        "binaries of greeter-2.0, for two sets of USE"
    );
    assert_eq!(
        binaries.entries("dev-libs/libbeta-1.0").len(),
        of_v1 + 2,
        "binaries of libbeta-1.0, that of v1 and those for two sets of USE"
    );
    for (guest, packages) in guests {
        let (color, emoji, doc, fast) = match *guest {
            "g3" => (false, true, true, false),
            _ => (true, false, false, true),
        };
        for (cpv, flag, wanted) in [
            ("app-misc/greeter-2.0", "color", color),
            ("app-misc/greeter-2.0", "emoji", emoji),
            ("dev-libs/libbeta-1.0", "doc", doc),
            ("dev-libs/libbeta-1.0", "fast", fast),
        ] {
            let package = &packages[cpv];
            let binary = binaries.entry(cpv, &package.build_id);
            assert_eq!(
                package.use_flags.contains(flag),
                wanted,
                "USE {flag} of {cpv} on {guest}"
            );
            assert_eq!(
                binary.use_flags().contains(flag),
                wanted,
                "USE {flag} of the binary {cpv}-{} that {guest} has",
                package.build_id
            );
        }
    }
}

fn bindings_are_those_of_the_new_library(
    guests: &BTreeMap<&str, BTreeMap<String, Installed>>,
    binaries: &Binaries,
) {
    let new = "dev-libs/libalpha:0/2=";
    let hello = binaries.entries("app-misc/hello-2.0");
    assert_eq!(hello.len(), 1, "hello-2.0 serves all guests alike");
    assert!(
        hello[0].get("RDEPEND").contains(new),
        "hello-2.0 is bound to {} and not to {new}",
        hello[0].get("RDEPEND")
    );
    for (guest, packages) in guests {
        for cpv in ["app-misc/hello-2.0", "dev-libs/libbeta-1.0"] {
            let package = &packages[cpv];
            assert!(
                package.rdepend.contains(new),
                "{cpv} on {guest} is bound to {} and not to {new}",
                package.rdepend
            );
        }
        assert_ne!(
            packages["dev-libs/libbeta-1.0"].build_id, "1",
            "libbeta-1.0 on {guest} is still the binary of v1, bound to the old library"
        );
    }
}

fn everything_came_in_one_transaction(lab: &Lab, guest: &str) {
    let calls = transactions(lab, guest);
    let installing: Vec<_> = calls
        .iter()
        .filter(|call| !call.completed.is_empty())
        .collect();
    assert_eq!(
        installing.len(),
        1,
        "calls of emerge that changed {guest}: {installing:#?}"
    );
    for cpv in [
        "dev-libs/libalpha-2.0",
        "dev-libs/libbeta-1.0",
        "app-misc/hello-2.0",
        "app-misc/greeter-2.0",
    ] {
        let completed = installing[0].completed.iter();
        assert_eq!(
            completed.filter(|done| done.starts_with(cpv)).count(),
            1,
            "{cpv} in the transaction on {guest}: {installing:#?}"
        );
    }
    assert!(
        calls.iter().all(|call| call.compiled.is_empty()),
        "{guest} compiled something: {calls:#?}"
    );
}
