//! Workers, broker, controller and connections that die in the middle of the work: the run ends, and
//! no build runs twice.

use std::time::Duration;

use gentoo_updater_fleet::message::{Event, Role, Task};
use gentoo_updater_tests::actions::{self, Gate, History, Run, Worker, Workers};
use gentoo_updater_tests::assertions::{self, Binaries, compilations, transactions};
use gentoo_updater_tests::fixtures::{Lab, Scene, wait_until};

/// Long enough for a machine that has other things to do.
const SOON: Duration = Duration::from_secs(120);

#[test]
fn each_worker_is_killed_in_the_middle_of_its_work_and_goes_on_after_its_start() {
    let scene = Scene::with_broker(1, 1);
    prepare(&scene.lab, 8);
    let mut workers = Workers::start(&scene);
    let mut history = History::follow(&scene);
    let running = actions::start_run(&scene, "run");

    claimed(&mut history, Role::Scanner);
    workers.kill_and_start(&Worker::Scanner);
    history.wait_for("a batch is planned", SOON, |event| {
        matches!(event, Event::BatchPlanned(_))
    });
    workers.kill_and_start(&Worker::Planner);
    until_it_compiles(&scene.lab);
    workers.kill_and_start(&Worker::builder("b1"));
    claimed(&mut history, Role::Installer);
    wait_until("the installation is begun", SOON, || {
        scene
            .lab
            .holds("g1", "ls -d /var/lib/gentoo-updater/jobs/install-*")
    });
    workers.kill_and_start(&Worker::Installer);
    claimed(&mut history, Role::Janitor);
    workers.kill_and_start(&Worker::Janitor);

    let run = running.to_the_end();
    nothing_was_done_twice(&scene, &run);
    nothing_was_tried_again(&scene);
    // The janitor that came back has looked into the store, too.
    let collected = &run.report["stores"]["default"];
    assert!(
        collected["deleted"].is_object() && collected["failure"].is_null(),
        "{collected:#}"
    );
    workers.all_still_run();
}

#[test]
fn a_broker_that_dies_in_the_middle_of_a_build_costs_no_work() {
    let scene = Scene::with_broker(1, 1);
    prepare(&scene.lab, 8);
    let mut workers = Workers::start(&scene);
    let mut history = History::follow(&scene);
    let running = actions::start_run(&scene, "run");

    until_it_compiles(&scene.lab);
    scene.broker().kill_and_start();
    claimed(&mut history, Role::Installer);
    scene.broker().restart();

    let run = running.to_the_end();
    nothing_was_done_twice(&scene, &run);
    workers.all_still_run();
}

/// What was begun on a machine ends while nobody lives who could hear of it.
#[test]
#[ignore = "takes long: make test-long"]
fn an_embedded_run_that_is_killed_in_each_of_its_steps_goes_on_where_it_stopped() {
    let scene = Scene::embedded(1, 1);
    let lab = &scene.lab;
    prepare(lab, 0);
    let [scan, build, install] = gates(lab);

    let running = actions::start_run(&scene, "killed-in-scan");
    scan.wait_until_reached();
    running.kill();
    scan.open();
    for (name, gate, machine) in [("build", &build, "b1"), ("install", &install, "g1")] {
        let running = actions::start_run(&scene, &format!("killed-in-{name}"));
        gate.wait_until_reached();
        running.kill();
        gate.open();
        until_it_has_ended(lab, machine, name);
    }

    let run = actions::run(&scene);

    let history = History::read(&scene);
    let requested = history.events.iter().filter(|event| {
        let event = &event.message;
        matches!(event, Event::RunRequested(_))
    });
    assert_eq!(requested.count(), 1, "the run that was interrupted went on");
    assert!(
        run.stderr.contains("goes on"),
        "the command says that it goes on: {}",
        run.stderr
    );
    nothing_was_done_twice(&scene, &run);
    nothing_was_tried_again(&scene);
}

/// Each time the machine forgets its connections while all packets vanish, so the controller learns
/// nothing until it asks the server whether it is there.
#[test]
#[ignore = "takes long: make test-long"]
fn a_connection_that_is_dropped_in_silence_costs_a_scan_another_try_and_nothing_else() {
    let scene = Scene::embedded(1, 1);
    let lab = &scene.lab;
    prepare(lab, 0);
    let [scan, build, install] = gates(lab);
    let running = actions::start_run(&scene, "run");

    scan.wait_until_reached();
    lab.must(&["silence", "g1"]);
    lab.must(&["hear", "g1"]);
    scan.open();
    for (name, gate, machine) in [("build", &build, "b1"), ("install", &install, "g1")] {
        gate.wait_until_reached();
        lab.must(&["silence", machine]);
        gate.open();
        until_it_has_ended(lab, machine, name);
        lab.must(&["hear", machine]);
    }

    let run = running.to_the_end();
    nothing_was_done_twice(&scene, &run);
    for (machine, losses) in [("b1", 1), ("g1", 2)] {
        let connections = lab.console(machine).matches("Accepted ").count();
        assert_eq!(connections, 1 + losses, "connections to {machine}");
    }
    let history = History::read(&scene);
    let tries = |of: fn(&Task) -> bool| {
        let started = history.started().filter(|started| of(&started.work.task));
        started.count()
    };
    assert_eq!(tries(|task| matches!(task, Task::Scan(_))), 2, "scans");
    // labbase comes with slowpoke.
    assert_eq!(tries(|task| matches!(task, Task::Build(_))), 2, "builds");
    assert_eq!(
        tries(|task| matches!(task, Task::Install(_))),
        1,
        "installs"
    );
}

/// The gates of scan, build and installation.
fn gates(lab: &Lab) -> [Gate<'_>; 3] {
    [
        Gate::before_emerge(lab, "g1"),
        Gate::before_phase(lab, "b1", "compile", "slowpoke"),
        Gate::before_phase(lab, "g1", "postinst", "slowpoke"),
    ]
}

/// Waits until every detached program of this kind has ended on its machine.
fn until_it_has_ended(lab: &Lab, machine: &str, kind: &str) {
    wait_until(&format!("the {kind} has ended"), SOON, || {
        lab.holds(
            machine,
            &format!(
                "for job in /var/lib/gentoo-updater/jobs/{kind}-*; do test -s $job/status; done"
            ),
        )
    });
}

fn prepare(lab: &Lab, seconds: u32) {
    actions::prepare_for_v2(lab);
    actions::slow_down(lab, "b1", seconds);
    actions::want_only(lab, "g1", &["app-misc/slowpoke"]);
}

/// Waits for a claim of this role's kind of work.
fn claimed(history: &mut History, role: Role) {
    history.wait_for(&format!("the {role} claims work"), SOON, |event| {
        let Event::WorkStarted(started) = event else {
            return false;
        };
        matches!(
            (&started.work.task, role),
            (Task::Scan(_), Role::Scanner)
                | (Task::Build(_), Role::Builder)
                | (Task::Install(_), Role::Installer)
                | (Task::Clean(_), Role::Janitor)
        )
    });
}

fn until_it_compiles(lab: &Lab) {
    wait_until("slowpoke is being compiled", SOON, || {
        lab.holds(
            "b1",
            "grep -qs 'slow 2/' /var/log/gentoo-updater/*/slowpoke-2.0-*.log",
        )
    });
}

/// Whoever came back within the lease goes on with its attempt.
fn nothing_was_tried_again(scene: &Scene) {
    let history = History::read(scene);
    let again: Vec<_> = history.started().filter(|s| s.work.attempt > 1).collect();
    assert!(again.is_empty(), "tried again: {again:#?}");
}

fn nothing_was_done_twice(scene: &Scene, run: &Run) {
    let lab = &scene.lab;
    assertions::exit_code_is(run, 0);
    let expected = ["app-misc/slowpoke-2.0", "sys-apps/labbase-1.0-r1"];
    assert_eq!(compilations(lab, "b1"), expected, "compiled on b1 (left)");
    assert_eq!(
        History::read(scene).compiled(),
        expected,
        "PackageBuilt events (left)"
    );
    assert_eq!(Binaries::of(lab).recorded(), expected, "records (left)");
    let calls = transactions(lab, "g1");
    let changing = calls.iter().filter(|call| !call.completed.is_empty());
    assert_eq!(changing.count(), 1, "calls of emerge on g1: {calls:#?}");
    assertions::plans_nothing(lab, "g1");
}
