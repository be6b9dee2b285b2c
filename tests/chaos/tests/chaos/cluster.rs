//! Three nodes, of which the leader dies.

use std::time::Duration;

use gentoo_updater_chaos::scene::Scene;
use gentoo_updater_test_broker::Cluster;
use tokio::task::block_in_place;

use crate::support::{Expected, Fleet, Policy, declare, report};

const BUILD: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "three nodes take their time: make test-brokers"]
async fn a_leader_that_is_killed_costs_no_job_and_doubles_none() {
    let cluster = block_in_place(Cluster::start);
    let vhosts = block_in_place(|| cluster.vhost());
    // The queues are led by the node that declared them. The fleet is connected to another.
    declare(&vhosts[1].url()).await;
    let scene = |folder: &_| Scene::full(folder, BUILD);
    let fleet = Fleet::start(vhosts[0].url(), Policy::default(), scene).await;
    let leader = |queue| block_in_place(|| cluster.leader(&vhosts[0], queue));
    let lost = leader("build.default");
    for queue in ["scan", "plan", "install.g1", "build.default", "history"] {
        assert_eq!(leader(queue).node(), lost.node(), "who leads {queue}");
    }
    assert_ne!(lost.node(), vhosts[0].broker.node());
    let run = fleet.request_run().await;
    fleet.until_in_full_swing(run).await;
    block_in_place(|| lost.kill());
    let recovery = fleet.recovered(run).await;
    let figures = fleet.finish(run, Expected::recovered(recovery)).await;
    let now = leader("build.default");
    assert_ne!(now.node(), lost.node(), "another node leads");
    // With the dead node back the next run is one like any other.
    block_in_place(|| lost.boot());
    let run = fleet.request_run().await;
    let figures = figures.and(fleet.finish(run, Expected::default()).await);
    fleet.end().await;
    let broker = format!("{}, 3 nodes", vhosts[0].broker.version());
    report(&broker, "leader of the queues killed", figures);
}
