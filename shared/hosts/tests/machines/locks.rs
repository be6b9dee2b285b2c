//! Jobs that share a lock of their machine, and one that needs it alone.

use std::fs;
use std::process::Command;

use gentoo_updater_hosts::job::{JobOutcome, JobSpec, JobState};

use crate::machine::{Machine, exists, finish};

fn shared(machine: &Machine, id: &str, script: &str) -> JobSpec {
    let lock = "machine".parse().unwrap();
    machine.spec(id, script).shared_lock(lock)
}

/// Whether somebody waits at the head of the queue for the lock.
fn somebody_waits(machine: &Machine) -> bool {
    let queue = machine.path("var/locks/machine.queue");
    let mut look = Command::new("flock");
    let looked = look.args(["--nonblock", &queue, "true"]).status().unwrap();
    !looked.success()
}

#[tokio::test]
async fn jobs_that_share_a_lock_run_at_once_and_do_not_starve_one_that_needs_it_alone() {
    for machine in Machine::both().await {
        let until_go = |name: &str| {
            format!(
                r#": >"$1/{name}"; until [ -e "$1/go" ]; do sleep 0.05; done; echo {name} >>"$1/order""#
            )
        };
        let one = shared(&machine, "one", &until_go("one"));
        let one = machine.start(&one).await;
        let two = shared(&machine, "two", &until_go("two"));
        let two = machine.start(&two).await;
        // Both have begun, and neither has ended.
        exists(&machine.path("one")).await;
        exists(&machine.path("two")).await;

        let alone = machine.spec("alone", r#"echo alone >>"$1/order""#);
        let alone = alone.lock("machine".parse().unwrap());
        let alone = machine.start(&alone).await;
        while !somebody_waits(&machine) {
            tokio::task::yield_now().await;
        }
        let late = shared(&machine, "late", r#"echo late >>"$1/order""#);
        let late = machine.start(&late).await;
        for waiting in [&alone, &late] {
            assert_eq!(waiting.state().await.unwrap(), Some(JobState::Running));
        }
        fs::write(machine.path("go"), "").unwrap();

        for job in [one, two, alone, late] {
            assert_eq!(finish(job).await.0, JobOutcome::Exited(0));
        }
        let order = fs::read_to_string(machine.path("order")).unwrap();
        let order: Vec<&str> = order.lines().collect();
        assert_eq!(order[2..], ["alone", "late"], "{order:?}");
    }
}

#[tokio::test]
async fn one_that_is_killed_while_it_waits_for_the_lock_lets_those_behind_it_pass() {
    for machine in Machine::both().await {
        let script = r#": >"$1/first"; until [ -e "$1/go" ]; do sleep 0.05; done"#;
        let first = machine.start(&shared(&machine, "first", script)).await;
        exists(&machine.path("first")).await;
        let alone = machine.spec("alone", r#": >"$1/alone""#);
        let alone = alone.lock("machine".parse().unwrap());
        let alone = machine.start(&alone).await;
        while !somebody_waits(&machine) {
            tokio::task::yield_now().await;
        }
        let late = machine.start(&shared(&machine, "late", "exit 5")).await;
        alone.kill().await.unwrap();

        assert_eq!(finish(late).await.0, JobOutcome::Exited(5));
        assert_eq!(first.state().await.unwrap(), Some(JobState::Running));
        assert_eq!(finish(alone).await.0, JobOutcome::Killed("TERM".to_owned()));
        assert!(!fs::exists(machine.path("alone")).unwrap());
        fs::write(machine.path("go"), "").unwrap();
        assert_eq!(finish(first).await.0, JobOutcome::Exited(0));
    }
}
