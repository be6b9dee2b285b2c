//! `gentoo-updater doctor`: what is broken on purpose is found, and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use gentoo_updater_tests::actions::{Worker, Workers};
use gentoo_updater_tests::fixtures::{Scene, wait_until};
use serde_json::Value;

const WELL: i32 = 0;
const ERRORS: i32 = 1;
const WRONG_USAGE: i32 = 64;
const PATIENCE: Duration = Duration::from_secs(180);

/// What `doctor` found, as `subject: kind`, and its exit code.
fn doctor(scene: &Scene, arguments: &[&str]) -> (BTreeSet<String>, i32) {
    let arguments = [&["doctor", "--json"], arguments].concat();
    let ended = scene.command("doctor", &arguments, PATIENCE);
    let code = ended.status.code().expect("it ends by itself");
    let document: Value = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr));
    let findings = document["findings"].as_array().expect("a list of findings");
    let found = findings.iter().map(|finding| {
        for part in ["found", "why", "severity", "area"] {
            assert!(finding[part].is_string(), "{part} of {finding}");
        }
        assert!(finding["remedy"]["text"].is_string(), "{finding}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = text(&finding["subject"]["name"]);
        let what = text(&finding["subject"]["what"]);
        let subject = if name.is_empty() { what } else { name };
        format!("{subject}: {}", text(&finding["kind"]))
    });
    (found.collect(), code)
}

fn set(found: &[&str]) -> BTreeSet<String> {
    found.iter().map(|it| (*it).to_owned()).collect()
}

/// A store with an index that nobody is writing at this moment.
fn fill_store(scene: &Scene) {
    scene.lab.must(&["fill", "v1"]);
    scene
        .lab
        .sh("b1", "touch -d '1 hour ago' /var/cache/binpkgs/Packages");
}

#[test]
fn of_a_lab_that_is_well_nothing_is_said_and_nothing_on_it_is_changed() {
    let mut scene = Scene::embedded(2, 1);
    scene.configuration.clean_room = "auto";
    scene.configuration.slots = 2;
    fill_store(&scene);
    let state = "find /etc /var/db /var/lib /var/cache/binpkgs /root -newer /tmp/before \
                 -not -path '*/.gentoo-updater*' -not -path '*/binpkgs' | sort";
    for machine in ["g1", "g2", "b1"] {
        scene.lab.sh(machine, "touch /tmp/before");
    }

    let (found, code) = doctor(&scene, &[]);

    assert_eq!((found, code), (set(&[]), WELL));
    for machine in ["g1", "g2", "b1"] {
        let changed = scene.lab.sh(machine, state);
        assert_eq!(changed, "", "changed on {machine}");
    }
    let left = scene.lab.sh(
        "b1",
        "find /var/cache/binpkgs/.gentoo-updater /var/tmp/gentoo-updater -mindepth 1",
    );
    assert_eq!(left, "", "left behind on the builder");

    let told = scene.command("doctor", &["doctor"], PATIENCE);
    assert_eq!(told.status.code(), Some(WELL), "{told:?}");
    for words in ["well: guest g1, guest g2", "0 errors, 0 warnings, 0 notes"] {
        assert!(told.stdout.contains(words), "{words:?}: {}", told.stdout);
    }
    let stranger = scene.command("doctor", &["doctor", "nobody"], PATIENCE);
    assert_eq!(stranger.status.code(), Some(WRONG_USAGE), "{stranger:?}");
}

#[test]
fn everything_that_is_broken_is_found_and_one_machine_that_hangs_holds_nothing_up() {
    let mut scene = Scene::embedded(5, 1);
    fill_store(&scene);
    // A host key that nobody has taught.
    let known = std::fs::read_to_string(&scene.configuration.known_hosts).expect("known hosts");
    let known: Vec<&str> = known
        .lines()
        .filter(|line| !line.starts_with("g3,"))
        .collect();
    scene.configuration.known_hosts = scene.file("known_hosts");
    std::fs::write(&scene.configuration.known_hosts, known.join("\n") + "\n").expect("a file");
    let lab = &scene.lab;
    // A store that is not mounted, and an interrupted update.
    lab.sh(
        "g1",
        "umount /var/cache/binpkgs\nmkdir -p '/var/db/pkg/app-misc/-MERGING-half-1.0'\n\
         touch /etc/._cfg0000_half.conf",
    );
    // A stale tree, and a feature that is off.
    lab.sh(
        "g2",
        "mount --bind /var/db/repos/gentoo-v2 /var/db/repos/gentoo\n\
         echo 'FEATURES=\"${FEATURES} -binpkg-multi-instance\"' >> /etc/portage/make.conf",
    );
    // A full disk.
    lab.sh("g4", "mount -t tmpfs -o size=8m small /var/tmp");
    // A machine that answers nothing.
    lab.sh(
        "g5",
        "printf '#!/bin/sh\\nexec sleep 600\\n' > /usr/local/bin/python3\n\
         chmod +x /usr/local/bin/python3",
    );
    // A lock whose holder is dead, and a binary that somebody has deleted.
    lab.sh(
        "b1",
        "cd /var/cache/binpkgs\nmkdir -p .gentoo-updater/lock.d\n\
         echo 'b1 123 456' > .gentoo-updater/lock.d/owner\n\
         rm \"$(find app-misc/hello -name '*.gpkg.tar' | head -n 1)\"",
    );

    let (found, code) = doctor(&scene, &["--timeout", "40"]);

    let expected = [
        "default: store_index_differs",
        "default: store_lock_left",
        "g1: configuration_pending",
        "g1: merge_interrupted",
        "g1: store_differs",
        "g2: multi_instance_off",
        "g2: repository_differs",
        "g3: host_key_unknown",
        "g4: guest_disk_full",
        "g5: machine_silent",
    ];
    assert_eq!((found, code), (set(&expected), ERRORS));

    // What is about one machine alone, and about one area.
    let (found, code) = doctor(&scene, &["g2", "--only", "guests"]);
    assert_eq!((found, code), (set(&["g2: multi_instance_off"]), ERRORS));
}

#[test]
fn a_broker_without_queues_workers_or_a_planner_is_told_as_such() {
    let scene = Scene::with_broker(1, 1);
    let always = "broker: broker_partly_seen";
    let only = ["--only", "broker"];

    let (found, code) = doctor(&scene, &only);

    let empty = [
        always,
        "broker: topology_missing",
        "broker: workers_not_seen",
    ];
    assert_eq!((found, code), (set(&empty), WELL));
    // Nothing was declared by the look.
    assert_eq!(doctor(&scene, &only).0, set(&empty));

    let mut workers = Workers::start(&scene);
    wait_until("all workers are seen", PATIENCE, || {
        doctor(&scene, &only).0 == set(&[always])
    });
    workers.kill(&Worker::Planner);
    workers.kill(&Worker::Scanner);
    let (found, code) = doctor(&scene, &only);
    let silent = [always, "broker: planner_silent", "broker: queue_unserved"];
    assert_eq!((found, code), (set(&silent), ERRORS));
}
