//! Builders with clean rooms: several builds at once, and nothing of them left, however they end.

use std::time::Duration;

use gentoo_updater_tests::actions::{self, Gate, History};
use gentoo_updater_tests::assertions::{
    self, Binaries, RootBefore, compilations, compilations_in_rooms, installed, job,
    no_room_is_open,
};
use gentoo_updater_tests::fixtures::{Lab, Scene, wait_until};

const SOON: Duration = Duration::from_secs(120);

const KEPT_ELSEWHERE: &str = "mkdir -p /etc/portage/package.use /etc/kept
     mv /etc/portage/package.use /etc/kept/package.use
     ln -s /etc/kept/package.use /etc/portage/package.use";
const STORED_LOGS: &str = "/var/cache/binpkgs/.gentoo-updater/logs";
/// A run of 2023.
const LONG_AGO: &str = "018c0000-0000-7000-8000-000000000001";

/// A fleet whose builders build in clean rooms, before its update to v2.
fn scene(guests: usize, slots: u16) -> Scene {
    let mut scene = Scene::embedded(guests, 1);
    scene.configuration.clean_room = "auto";
    scene.configuration.slots = slots;
    actions::prepare_for_v2(&scene.lab);
    actions::slow_down(&scene.lab, "b1", 0);
    scene
}

/// No folder of a job is left on the builder.
fn no_folder_is_left(lab: &Lab) {
    let left = lab.sh("b1", "find /var/tmp/gentoo-updater -mindepth 1");
    assert_eq!(left, "", "left on b1");
}

#[test]
fn two_slots_build_at_once_and_the_builder_stays_as_it_was() {
    let scene = scene(2, 2);
    let lab = &scene.lab;
    actions::prefer_other_flags(lab, "g2");
    for guest in ["g1", "g2"] {
        actions::want_only(lab, guest, &["app-misc/hello", "app-misc/greeter"]);
    }
    // Settings that are kept elsewhere are the machine's own, too.
    lab.sh("b1", KEPT_ELSEWHERE);
    let logs = lab.store().join(".gentoo-updater/logs").join(LONG_AGO);
    std::fs::create_dir_all(&logs).expect("a folder in the store");
    lab.sh(
        "b1",
        &format!("touch -d '1 year ago' {STORED_LOGS}/{LONG_AGO}"),
    );
    // Neither needs the other.
    let gates = ["newdep", "labgen"].map(|name| Gate::in_rooms(lab, "b1", "install", name));
    let before = RootBefore::of(lab, "b1");

    let running = actions::start_run(&scene, "run");
    gates[0].wait_until_reached();
    gates[1].wait_until_reached();
    gates.iter().for_each(Gate::open);
    let run = running.to_the_end();

    assertions::exit_code_is(&run, 0);
    for guest in ["g1", "g2"] {
        assertions::outcome_is(&run.report, guest, "Updated");
        assertions::plans_nothing(lab, guest);
        let packages = installed(lab, guest);
        let rdepend = &packages["app-misc/hello-2.0"].rdepend;
        assert!(rdepend.contains("dev-libs/libalpha:0/2="), "{rdepend}");
    }
    let built = compilations_in_rooms(lab);
    assert_eq!(
        built,
        Binaries::of(lab).recorded(),
        "compiled (left), records (right)"
    );
    assert_eq!(
        built,
        History::read(&scene).compiled(),
        "compiled (left), events (right)"
    );
    before.is_unchanged(lab);
    no_room_is_open(lab, "b1");
    no_folder_is_left(lab);
    assert!(!logs.exists(), "the logs of an old run are gone");
    assert!(
        run.stderr.contains("builder b1 builds in clean rooms"),
        "{}",
        run.stderr
    );
}

/// A build that fails leaves no more than one that does not.
#[test]
fn a_build_that_fails_in_a_clean_room_leaves_the_builder_as_it_was() {
    let scene = scene(1, 1);
    let lab = &scene.lab;
    lab.must(&["publish", "v2b"]);
    actions::want_only(lab, "g1", &["app-misc/failer", "app-misc/slowpoke"]);
    let before = RootBefore::of(lab, "b1");

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 1);
    let failure = &job(&run.report, "app-misc/failer-2.0")[0]["failure"];
    assert_eq!(failure["cause"], "CompileFailure", "{failure:#}");
    let tail = failure["log_tail"].to_string();
    assert!(tail.contains("undeclared_thing"), "{failure:#}");
    let packages = installed(lab, "g1");
    assert!(
        packages.contains_key("app-misc/slowpoke-2.0"),
        "other work goes on"
    );
    before.is_unchanged(lab);
    no_room_is_open(lab, "b1");
    no_folder_is_left(lab);
}

/// First every process of a build is killed, then the machine.
#[test]
#[ignore = "takes long: make test-long"]
fn a_room_that_dies_leaves_a_folder_alone_which_the_next_build_of_its_job_replaces() {
    let scene = scene(1, 1);
    let lab = &scene.lab;
    actions::want_only(lab, "g1", &["app-misc/slowpoke"]);
    let gate = Gate::in_rooms(lab, "b1", "compile", "slowpoke");
    let before = RootBefore::of(lab, "b1");
    let running = actions::start_run(&scene, "run");

    gate.wait_until_reached();
    lab.sh(
        "b1",
        "cd /var/tmp/gentoo-updater/*/*/room && touch of-the-first",
    );
    gate.forget();
    let processes = lab.sh("b1", KILL_BUILD);
    assert!(
        processes.lines().count() >= 3,
        "in the room were: {processes}"
    );
    let of_room = processes.replace('\n', " ");
    wait_until("no process of the room lives", SOON, || {
        lab.holds(
            "b1",
            &format!("for one in {of_room}; do ! test -e /proc/$one; done"),
        )
    });

    gate.wait_until_reached();
    let folder = lab.sh("b1", "cd /var/tmp/gentoo-updater/*/*/room && pwd && ls");
    assert!(
        !folder.contains("of-the-first"),
        "it was replaced: {folder}"
    );
    lab.must(&["stop", "b1"]);
    lab.must(&["start", "b1"]);
    before.is_unchanged(lab);
    gate.open();
    let run = running.to_the_end();

    assertions::exit_code_is(&run, 0);
    assertions::outcome_is(&run.report, "g1", "Updated");
    let killed: Vec<_> = History::read(&scene)
        .failures()
        .filter(|failure| failure.cause == "BuildVanished")
        .map(|failure| failure.message.clone())
        .collect();
    assert_eq!(killed.len(), 2, "{killed:#?}");
    before.is_unchanged(lab);
    no_room_is_open(lab, "b1");
    no_folder_is_left(lab);
}

/// Ends the detached program with all that it started itself, and prints which processes were in its
/// room: the first of those is told by the kernel, and the others end with it.
const KILL_BUILD: &str = r#"
for process in /proc/[0-9]*; do
    if grep -q '^gentoo-updater / ' "$process/mounts" 2>/dev/null; then echo "${process#/proc/}"; fi
done
for job in /var/lib/gentoo-updater/jobs/build-*; do
    read -r runner _ < "$job/pid"
    [ ! -e "$job/status" ] || continue
    build=$(pgrep -P "$runner")
    holder=$(pgrep -P "$build" -x unshare)
    kill -KILL "$runner" "$build" "$holder"
done
"#;

/// The worker goes, and the room stays; its successor finds what it made.
#[test]
fn a_worker_that_is_killed_finds_its_room_again() {
    let scene = scene(1, 1);
    let lab = &scene.lab;
    actions::want_only(lab, "g1", &["app-misc/slowpoke"]);
    let gate = Gate::in_rooms(lab, "b1", "compile", "slowpoke");
    let running = actions::start_run(&scene, "killed");
    gate.wait_until_reached();
    running.kill();
    gate.open();

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 0);
    let built = compilations_in_rooms(lab);
    assert_eq!(
        built,
        Binaries::of(lab).recorded(),
        "compiled (left), records (right)"
    );
    no_folder_is_left(lab);
}

#[test]
fn a_machine_without_overlays_builds_on_itself_one_by_one_and_says_so() {
    let scene = scene(1, 2);
    let lab = &scene.lab;
    actions::want_only(lab, "g1", &["app-misc/hello", "app-misc/greeter"]);
    // As in a container that may mount nothing.
    let refusing = "#!/bin/sh\necho 'mount: permission denied.' >&2\nexit 32\n";
    let written = lab.exec_with_input("b1", &["tee", "/usr/local/bin/mount"], refusing);
    assert_eq!(written.code, 0);
    lab.sh("b1", "chmod 755 /usr/local/bin/mount");
    let before = assertions::BuilderBefore::of(lab, "b1");

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 0);
    assertions::outcome_is(&run.report, "g1", "Updated");
    let words = "builder b1 builds one package at a time and not 2, for it has no clean room";
    assert!(run.stderr.contains(words), "{}", run.stderr);
    assert!(run.stderr.contains("permission denied"), "{}", run.stderr);
    assert_eq!(compilations(lab, "b1"), Binaries::of(lab).recorded());
    assertions::builder_is_clean(lab, &before, &run.report);
}
