//! Binaries that are spoiled in the store behind the back of a run, and duplicates that come late.

use gentoo_updater_tests::actions::{self, Gate};
use gentoo_updater_tests::assertions::{
    self, Binaries, compilations, failure_of, finding_texts, installed, job, transactions,
};
use gentoo_updater_tests::fixtures::{Lab, Scene};
use serde_json::Value;

/// What the builder compiles for these guests, in order of their names.
const ALL: [&str; 10] = [
    "app-misc/greeter-2.0",
    "app-misc/hello-2.0",
    "app-misc/newdep-1.0",
    "app-misc/rebuildme-1.0",
    "app-misc/slowpoke-2.0",
    "dev-libs/libalpha-2.0",
    "dev-libs/libbeta-1.0",
    "dev-libs/tinyhdr-1.0",
    "dev-util/labgen-1.1",
    "sys-apps/labbase-1.0-r1",
];

/// Both are needed by greeter on the builder, and g1 wants greeter.
const FOR_BUILDER: [&str; 2] = ["app-misc/newdep-1.0", "dev-util/labgen-1.1"];
/// g2 alone wants both.
const FOR_GUEST: [&str; 2] = ["app-misc/rebuildme-1.0", "app-misc/slowpoke-2.0"];

#[test]
fn a_spoiled_binary_is_found_before_emerge_meets_it_and_built_again_and_a_late_duplicate_is_left() {
    let scene = Scene::embedded(2, 1);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::slow_down(lab, "b1", 0);
    let of_g1 = ["app-misc/greeter", "app-misc/hello"];
    let of_g2 = ["app-misc/rebuildme", "app-misc/slowpoke"];
    actions::want_only(lab, "g1", &of_g1);
    actions::want_only(lab, "g2", &of_g2);
    let gates = [FOR_BUILDER, FOR_GUEST].map(|pair| pair.map(|cpv| gate(lab, cpv)));
    let before = installed(lab, "g2");
    let running = actions::start_run(&scene, "run");

    let for_builder = spoil_the_first_of(lab, FOR_BUILDER, &gates[0]);
    let for_guest = spoil_the_first_of(lab, FOR_GUEST, &gates[1]);
    let run = running.to_the_end();

    let report = &run.report;
    let greeter = &job(report, "app-misc/greeter-2.0")[0]["failure"];
    assert_eq!(greeter["cause"], "BinaryCorrupt", "{greeter:#}");
    let message = greeter["message"].as_str().unwrap_or_default();
    assert!(message.contains(&for_builder.path), "{message}");
    let (cause, message) = failure_of(report, "g2");
    assert_eq!(cause, "BinaryCorrupt", "{message}");
    assert!(message.contains(&for_guest.path), "{message}");
    assert_eq!(report["guests"]["g2"]["untouched"], true);

    let further = &report["further"];
    for spoiled in [&for_builder, &for_guest] {
        was_built_again(further, spoiled);
    }
    for guest in ["g1", "g2"] {
        assertions::outcome_is(further, guest, "Updated");
        assertions::plans_nothing(lab, guest);
    }
    assertions::exit_code_is(&run, 0);
    assert!(!before.is_empty() && transactions(lab, "g2").len() == 1);
    let mut expected = ALL.to_vec();
    expected.extend([for_builder.cpv, for_guest.cpv]);
    expected.sort_unstable();
    assert_eq!(compilations(lab, "b1"), expected, "compiled on b1 (left)");
    nothing_was_renamed_away(lab);

    make_duplicates(lab);
    let [first, second] = ["g1", "g2"].map(|guest| transactions(lab, guest).len());
    actions::want_only(lab, "g1", &[&of_g1[..], &of_g2].concat());
    let run = actions::run(&scene);
    assertions::exit_code_is(&run, 0);
    assertions::outcome_is(&run.report, "g2", "UpToDate");
    assertions::outcome_is(&run.report, "g1", "Updated");
    let reused = assertions::jobs_in_state(&run.report, "reused");
    assert_eq!(reused, FOR_GUEST, "reused although there are duplicates");
    let changed = run.report["builders"].as_object().expect("builders");
    assert!(
        changed.is_empty(),
        "no builder had anything to do: {changed:#?}"
    );
    let after = ["g1", "g2"].map(|guest| transactions(lab, guest).len());
    assert_eq!(after, [first + 1, second], "calls of emerge that change");
    let builds = |guest: &str| {
        let packages = installed(lab, guest);
        FOR_GUEST.map(|cpv| packages[cpv].build_id.clone())
    };
    assert_eq!(builds("g1"), builds("g2"), "BUILD_IDs on g1 and g2");
}

/// A binary that was spoiled.
struct Spoiled {
    cpv: &'static str,
    path: String,
}

fn gate<'a>(lab: &'a Lab, cpv: &str) -> Gate<'a> {
    let (name, _version) = cpv.rsplit_once('-').expect("a version");
    let (_category, name) = name.split_once('/').expect("a category");
    // The one phase that all of them have.
    Gate::before_phase(lab, "b1", "install", name)
}

/// Spoils the binary of whichever of two packages is built first, while the other one is being
/// built: whoever needs both does not have them yet.
fn spoil_the_first_of(lab: &Lab, pair: [&'static str; 2], gates: &[Gate<'_>; 2]) -> Spoiled {
    let first = Gate::wait_until_one_is_reached(gates);
    gates[first].open();
    gates[1 - first].wait_until_reached();
    let cpv = pair[first];
    let binaries = Binaries::of(lab);
    let mut records = binaries.records.iter();
    let record = records.find(|record| record["binary"]["cpv"] == cpv);
    let record = record.unwrap_or_else(|| panic!("{cpv} was not built before {}", pair[1 - first]));
    let path = record["binary"]["path"]
        .as_str()
        .expect("a path")
        .to_owned();
    actions::spoil(lab, &path);
    gates[1 - first].open();
    Spoiled { cpv, path }
}

fn was_built_again(further: &Value, spoiled: &Spoiled) {
    let jobs = job(further, spoiled.cpv);
    assert!(
        jobs.len() == 1 && jobs[0]["state"] == "built",
        "{} is built again: {jobs:#?}",
        spoiled.cpv
    );
    let findings = finding_texts(jobs[0]);
    assert!(
        findings.iter().any(|text| text.contains(&spoiled.path)),
        "{} is named: {findings:?}",
        spoiled.path
    );
}

/// An emerge that can write to the store renames what it finds spoiled, for everybody.
fn nothing_was_renamed_away(lab: &Lab) {
    let renamed = lab.sh("b1", "find /var/cache/binpkgs -name '*_checksum_failure_*'");
    assert_eq!(renamed, "", "renamed in the store");
}

/// Somebody builds the same once more, and the same version with other flags.
fn make_duplicates(lab: &Lab) {
    let count = || FOR_GUEST.map(|cpv| Binaries::of(lab).entries(cpv).len());
    let before = count();
    lab.sh(
        "b1",
        "emerge --quiet --oneshot --buildpkgonly =app-misc/slowpoke-2.0
         USE=alpha emerge --quiet --oneshot --buildpkgonly =app-misc/rebuildme-1.0",
    );
    assert_eq!(count(), before.map(|n| n + 1), "entries in the index");
}
