//! Guests that cannot be updated: each is named with its cause, and the others finish.

use std::fs;

use gentoo_updater_tests::actions;
use gentoo_updater_tests::assertions::{self, failure_of, finding_texts, installed, job};
use gentoo_updater_tests::fixtures::{Lab, Scene};
use serde_json::Value;

/// The smallest world that has an update.
const SMALL: [&str; 1] = ["app-misc/slowpoke"];

/// In each of these cases Portage itself says nothing, or ends with exit code 0.
#[test]
fn wrong_answers_that_look_right_are_named_and_nothing_is_silently_shorter() {
    let mut scene = Scene::embedded(7, 1);
    scene.configuration.policy.insert("attempts", 1);
    let lab = &scene.lab;
    prepare(lab);
    let first = actions::run_guests(&scene, &["g1"]);
    assertions::exit_code_is(&first, 0);
    lab.sh("g2", "umount /var/db/repos/gentoo");
    lab.sh(
        "g3",
        "mount -t tmpfs -o mode=755 tmpfs /var/db/repos/gentoo",
    );
    actions::want_only(lab, "g4", &["app-misc/slowpoke", "app-misc/never-was"]);
    actions::shadow_store(lab, "g5");
    actions::truncate_in(lab, "g5", "Packages");
    actions::shadow_store(lab, "g6");
    let slowpoke = "app-misc/slowpoke/slowpoke-2.0-1.gpkg.tar";
    actions::truncate_in(lab, "g6", slowpoke);
    let labbase = "sys-apps/labbase/labbase-1.0-r1-1.gpkg.tar";
    actions::spoil(lab, labbase);
    let before = ["g2", "g3", "g4", "g5", "g6"].map(|guest| (guest, installed(lab, guest)));

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 1);
    let report = &run.report;
    for (guest, causes, words) in [
        ("g2", &["RepositoryMissing"][..], "/var/db/repos/gentoo"),
        ("g3", &["RepositoryMissing"], "/var/db/repos/gentoo"),
        ("g4", &["WorldAtomWithoutEbuild"], "app-misc/never-was"),
        ("g5", &["StoreIndexBroken"], "Packages"),
        ("g6", &["BinaryCorrupt"], slowpoke),
    ] {
        failed_because(report, guest, causes, words);
    }
    for (guest, packages) in before {
        assert_eq!(
            installed(lab, guest),
            packages,
            "{guest} was touched (left) although its answer was wrong"
        );
    }
    assertions::outcome_is(report, "g1", "UpToDate");
    assertions::outcome_is(report, "g7", "Updated");
    assertions::plans_nothing(lab, "g7");
    let rebuilt = job(report, "sys-apps/labbase-1.0-r1");
    assert!(
        rebuilt.len() == 1 && rebuilt[0]["state"] == "built",
        "labbase, whose binary in the store is corrupt, is built again: {rebuilt:#?}"
    );
    assert!(
        finding_texts(rebuilt[0])
            .iter()
            .any(|text| text.contains(labbase)),
        "the corrupt binary is named: {:#}",
        rebuilt[0]
    );
    let reused = job(report, "app-misc/slowpoke-2.0");
    assert!(
        reused.len() == 1 && reused[0]["state"] == "reused",
        "slowpoke is in the store and not built again: {reused:#?}"
    );
}

#[test]
fn five_guests_in_trouble_are_named_each_with_its_cause_and_the_other_eight_are_updated() {
    let mut scene = Scene::embedded(13, 1);
    scene.configuration.policy.insert("attempts", 2);
    let lab = &scene.lab;
    prepare(lab);
    freeze_store(lab, "g4");
    lab.sh(
        "g5",
        "mount -t tmpfs -o size=64k tmpfs /var/tmp/portage
         head -c 64k /dev/zero > /var/tmp/portage/full || :",
    );
    actions::make_chatty(lab, "g6");
    let before = ["g4", "g5"].map(|guest| (guest, installed(lab, guest)));
    lab.must(&["stop", "g1"]);
    lab.must(&["rekey", "g2"]);
    let known = fs::read_to_string(&scene.configuration.known_hosts).expect("known_hosts");
    let known: String = known
        .lines()
        .filter(|line| !line.starts_with("g3,"))
        .map(|line| format!("{line}\n"))
        .collect();
    let without_g3 = scene.file("known_hosts");
    fs::write(&without_g3, known).expect("known_hosts is written");
    scene.configuration.known_hosts = without_g3;

    let run = actions::run(&scene);

    let lab = &scene.lab;
    assertions::exit_code_is(&run, 1);
    let report = &run.report;
    failed_because(report, "g1", &["Unreachable"], lab.ip("g1"));
    failed_because(report, "g2", &["HostKeyChanged"], lab.ip("g2"));
    failed_because(report, "g3", &["HostKeyUnknown"], lab.ip("g3"));
    let unseen = "the guest does not see ";
    failed_because(report, "g4", &["StoreLacksBinary"], unseen);
    failed_because(
        report,
        "g5",
        &["DiskTooFull"],
        "/var/tmp/portage has 0.0 MB free",
    );
    for guest in ["g2", "g3"] {
        assertions::was_never_logged_in_to(lab, guest);
    }
    for (guest, packages) in before {
        assert_eq!(
            installed(lab, guest),
            packages,
            "{guest} was touched (left)"
        );
    }
    for guest in (6..=13).map(|number| format!("g{number}")) {
        assertions::outcome_is(report, &guest, "Updated");
    }
    assertions::plans_nothing(lab, "g6");
    // The store has what g4 does not see: it was asked for once more, and that is enough.
    let further = &report["further"];
    failed_because(further, "g4", &["StoreLacksBinary"], unseen);
    let asked = further["guests"]
        .as_object()
        .map_or(0, |guests| guests.len());
    assert_eq!((asked, &further["further"]), (1, &Value::Null));
    let built = assertions::jobs_in_state(further, "built");
    assert!(built.is_empty(), "built again for g4: {built:?}");
}

/// From now on the guest sees the store as it is now, as on a share that was mounted too early.
fn freeze_store(lab: &Lab, guest: &str) {
    lab.sh(
        guest,
        "cp -a /var/cache/binpkgs /run/frozen
         mount --bind /run/frozen /var/cache/binpkgs",
    );
}

fn prepare(lab: &Lab) {
    actions::prepare_for_v2(lab);
    actions::slow_down(lab, "b1", 0);
    for guest in lab.guests() {
        actions::want_only(lab, &guest, &SMALL);
    }
}

fn failed_because(report: &Value, guest: &str, causes: &[&str], words: &str) {
    assertions::outcome_is(report, guest, "Failed");
    let (cause, message) = failure_of(report, guest);
    assert!(
        causes.contains(&cause) && message.contains(words),
        "{guest} failed with {cause}: {message}\nexpected one of {causes:?}, naming {words:?}"
    );
}
