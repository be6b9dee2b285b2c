//! Faults of the broker itself.

use std::time::Duration;

use gentoo_updater_chaos::scene::Scene;
use gentoo_updater_fleet::state::Fleet as State;
use gentoo_updater_test_broker::Broker;
use tokio::task::block_in_place;

use crate::support::{Expected, Fleet, Policy, report};

/// How long a build takes where a fault is to fall into the middle of the run.
const BUILD: Duration = Duration::from_millis(1500);
/// How long a build takes during which the broker is told to be in alarm, and that others wait
/// for: `rabbitmqctl` takes many seconds on a busy machine.
const SLOW: Duration = Duration::from_secs(40);
/// How long the alarm lasts: longer than the lease.
const ALARM: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_costs_no_job_and_doubles_none() {
    let broker = block_in_place(Broker::start);
    let vhost = block_in_place(|| broker.vhost());
    let scene = |folder: &_| Scene::full(folder, BUILD);
    let fleet = Fleet::start(vhost.url(), Policy::default(), scene).await;
    block_in_place(|| vhost.wait_until_registered("clean.b2"));
    let run = fleet.request_run().await;
    fleet.until_in_full_swing(run).await;
    block_in_place(|| {
        broker.kill();
        broker.boot();
    });
    let recovery = fleet.recovered(run).await;
    let figures = fleet.finish(run, Expected::recovered(recovery)).await;
    fleet.end().await;
    report(&broker.version(), "broker killed and started", figures);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_three_times_cost_no_job_and_double_none() {
    let broker = block_in_place(Broker::shared);
    let vhost = block_in_place(|| broker.vhost());
    // The broker tells of a connection seconds late, and all three cuts are to meet work.
    let scene = |folder: &_| Scene::full(folder, BUILD * 6);
    let fleet = Fleet::start(vhost.url(), Policy::default(), scene).await;
    let run = fleet.request_run().await;
    fleet.until_in_full_swing(run).await;
    for _ in 0..3 {
        block_in_place(|| vhost.cut_connections(fleet.connections()));
    }
    let goes_on = |fleet: &State| fleet.runs[&run].finished.is_none();
    assert!(
        fleet.view.read(goes_on),
        "the cuts are to come while there is work"
    );
    let recovery = fleet.recovered(run).await;
    let figures = fleet.finish(run, Expected::recovered(recovery)).await;
    fleet.end().await;
    report(
        &broker.version(),
        "all connections cut, three times",
        figures,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_alarm_longer_than_the_lease_costs_no_lease() {
    let broker = block_in_place(Broker::start);
    let vhost = block_in_place(|| broker.vhost());
    let scene = |folder: &_| Scene::full(folder, BUILD).with_slow("curl", SLOW);
    let policy = Policy {
        lease: 15,
        heartbeat: 2,
    };
    let fleet = Fleet::start(vhost.url(), policy, scene).await;
    let run = fleet.request_run().await;
    fleet.until_in_full_swing(run).await;
    block_in_place(|| broker.memory_alarm(true));
    let goes_on = |fleet: &State| fleet.runs[&run].finished.is_none();
    assert!(
        fleet.view.read(goes_on),
        "the alarm is to come while there is work"
    );
    // The alarm is the fault, and this is how long it lasts.
    tokio::time::sleep(ALARM).await;
    block_in_place(|| broker.memory_alarm(false));
    let recovery = fleet.recovered(run).await;
    let figures = fleet.finish(run, Expected::recovered(recovery)).await;
    let logs = fleet.logs("");
    assert!(
        logs.contains("the broker takes no messages"),
        "the alarm was noticed by nobody"
    );
    fleet.end().await;
    report(&broker.version(), "memory alarm for 20 s", figures);
}
