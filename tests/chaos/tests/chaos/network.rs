//! Packets that vanish without a word.

use std::time::Duration;

use gentoo_updater_chaos::scene::Scene;
use gentoo_updater_test_broker::{Broker, Link, Network, Place};
use tokio::task::block_in_place;

use crate::support::{Expected, Fleet, Policy, Ways, builder, report};

const BUILD: Duration = Duration::from_millis(1500);
/// How long the silence lasts for all: until every connection is given up on both sides.
const SILENCE: Duration = Duration::from_secs(30);
/// How long the build takes that goes on in silence: longer than it takes until another one has it.
const LONG: Duration = Duration::from_secs(40);
/// Seconds between heartbeats: silence is noticed after twice that.
const HEARTBEAT: u64 = 5;

/// Runs a test in the fleet's place of a network, with a broker in the broker's place.
fn in_network<T: Future<Output = ()>>(test: impl FnOnce(Scenery) -> T + Send + 'static) {
    let thread = std::thread::spawn(move || {
        let network = Network::new();
        // What this thread starts from here on is born in there.
        network.enter();
        let place = Place::in_namespace(network.broker(), network.broker_address(Link::Fleet));
        let broker = Broker::start_in(place, "");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        runtime
            .expect("a runtime")
            .block_on(test(Scenery { broker, network }));
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

struct Scenery {
    broker: std::sync::Arc<Broker>,
    network: Network,
}

impl Scenery {
    /// The ways to a new vhost: all workers in the fleet's place, and the builder `b1` far away.
    fn ways(&self) -> Ways {
        let vhost = self.broker.vhost();
        let url = format!("{}?heartbeat={HEARTBEAT}", vhost.url());
        let [near, far] = [Link::Fleet, Link::Far].map(|link| {
            let address = self.network.broker_address(link);
            address.to_string()
        });
        let far_url = url.replace(&near, &far);
        Ways {
            url,
            far: Some((builder("b1"), self.network.place(Link::Far), far_url)),
        }
    }
}

#[test]
fn silence_for_all_costs_no_job_and_no_lease() {
    in_network(|scenery| async move {
        let ways = block_in_place(|| scenery.ways());
        // Workers come back one after the other: a try to connect may just have begun.
        let policy = Policy {
            lease: 40,
            heartbeat: 2,
        };
        let fleet = Fleet::start(ways, policy, |folder| Scene::full(folder, BUILD)).await;
        let run = fleet.request_run().await;
        fleet.until_in_full_swing(run).await;
        for link in [Link::Fleet, Link::Far] {
            scenery.network.silence(link);
        }
        // The silence is the fault, and this is how long it lasts.
        tokio::time::sleep(SILENCE).await;
        for link in [Link::Fleet, Link::Far] {
            scenery.network.let_through(link);
        }
        let recovery = fleet.recovered(run).await;
        let figures = fleet.finish(run, Expected::recovered(recovery)).await;
        fleet.end().await;
        report(
            &scenery.broker.version(),
            "packets of all dropped for 30 s",
            figures,
        );
    });
}

#[test]
fn silence_of_one_builder_costs_its_lease_and_its_late_result_changes_nothing() {
    in_network(|scenery| async move {
        let ways = block_in_place(|| scenery.ways());
        let policy = Policy {
            lease: 10,
            heartbeat: 1,
        };
        let scene = |folder: &_| Scene::full(folder, BUILD).with_slow("b1", LONG);
        let fleet = Fleet::start(ways, policy, scene).await;
        let run = fleet.request_run().await;
        let job = fleet.job_of(run, "b1").await;
        scenery.network.silence(Link::Far);
        let recovery = fleet.claimed_again(run, &job).await;
        scenery.network.let_through(Link::Far);
        let figures = fleet.finish(run, Expected::doubled_once(recovery)).await;
        assert_eq!(figures.doubled, 1);
        let results = fleet.results_of(&job, 2).await;
        let first = results.first().expect("a result");
        let stands = fleet
            .view
            .read(|state| state.runs[&run].built[&job].clone());
        assert_eq!(&stands, first, "the first result stands");
        assert_ne!(
            results[0].builder, results[1].builder,
            "both builders had it"
        );
        fleet.end().await;
        report(
            &scenery.broker.version(),
            "packets of one builder dropped",
            figures,
        );
    });
}
