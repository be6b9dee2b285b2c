//! SIGTERM: a worker takes no new work, ends in time, and exits with 0.

use std::time::Duration;

use gentoo_updater_tests::actions::{self, History, Worker, Workers};
use gentoo_updater_tests::assertions::{self, compilations};
use gentoo_updater_tests::fixtures::{Scene, wait_until};

#[test]
fn a_worker_that_is_told_to_stop_takes_no_new_work_and_ends_in_time_with_0() {
    let grace = 3;
    let in_time = Duration::from_secs(grace + 5);
    let mut scene = Scene::with_broker(1, 1);
    scene.configuration.policy.insert("grace_seconds", grace);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::slow_down(lab, "b1", 12);
    let world = [
        "app-misc/slowpoke",
        "dev-libs/slotted",
        "app-misc/rebuildme",
    ];
    actions::want_only(lab, "g1", &world);
    let mut workers = Workers::start(&scene);
    let running = actions::start_run(&scene, "run");
    wait_until(
        "slowpoke is being compiled",
        Duration::from_secs(60),
        || {
            lab.holds(
                "b1",
                "grep -qs 'slow 2/' /var/log/gentoo-updater/*/slowpoke-2.0-*.log",
            )
        },
    );

    // In the middle of a build that takes longer than the grace.
    let took = workers.terminate(&Worker::builder("b1"), in_time);
    assert!(
        took >= Duration::from_secs(1),
        "the builder waits for its work, within the grace; it ended after {took:?}"
    );
    let claimed = History::read(&scene).started().count();
    // The others have nothing to do now, so they need no grace.
    for worker in workers.names() {
        let took = workers.terminate(&worker, in_time);
        assert!(
            took < Duration::from_secs(grace),
            "{} had nothing to do and took {took:?} to end",
            worker.name()
        );
    }
    assert_eq!(
        History::read(&scene).started().count(),
        claimed,
        "work was claimed after SIGTERM"
    );

    let mut workers = Workers::start(&scene);
    let run = running.to_the_end();
    assertions::exit_code_is(&run, 0);
    let compiled = compilations(lab, "b1");
    assert_eq!(
        compiled,
        History::read(&scene).compiled(),
        "what was compiled on b1 (left), the builds that events tell (right)"
    );
    let slow = compiled.iter().filter(|cpv| cpv.contains("slowpoke"));
    assert_eq!(slow.count(), 1, "slowpoke was compiled once: {compiled:?}");
    assertions::plans_nothing(lab, "g1");
    for worker in workers.names() {
        workers.terminate(&worker, in_time);
    }
}
