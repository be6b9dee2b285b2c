//! A broker that goes away and comes again, as who watches the dashboard sees it.

use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::Bus;
use gentoo_updater_bus::amqp::{Amqp, BrokerSettings, QUIET};
use gentoo_updater_bus::topology::Topology;
use gentoo_updater_test_broker::Broker;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::scripts::look;
use super::support::Served;

async fn served(broker: &Arc<Broker>) -> Served {
    let vhost = broker.vhost();
    let bus = Amqp::open(BrokerSettings {
        url: vhost.url(),
        ca: None,
        name: "dashboard".to_owned(),
        topology: Topology::default(),
        users: None,
        quiet: QUIET,
    });
    let bus = timeout(Duration::from_secs(60), bus).await;
    let bus: Arc<dyn Bus> = Arc::new(bus.expect("the broker answers").unwrap());
    Served::on(bus, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_shows_in_the_health_and_on_every_page_until_it_is_back() {
    let broker = spawn_blocking(Broker::start).await.unwrap();
    let served = served(&broker).await;
    let health = served.get("/health").await;
    assert_eq!(health.status(), 200);
    assert_eq!(health.json()["status"], "pass");
    assert_eq!(health.json()["checks"][0]["check"], "bus");
    let mut watching = served.watch("/events", "").await;
    watching
        .until("event: bus\ndata: {\"check\":\"bus\",\"status\":\"pass\"}")
        .await;

    look(served.address, "/", move |browser| {
        browser.until_text("#connection", "live");
        browser.until("document.getElementById('bus').hidden");
        broker.stop();
        browser.until_text("#bus", "there is no connection to the broker");
        browser.until_text("#bus", "Start the broker, or put broker.url right");
        let asked = "(async () => {
            const answer = await fetch('/health');
            return [answer.status, await answer.json()];
        })()";
        let health = browser.evaluate(asked);
        assert_eq!(health[0], 503);
        assert_eq!(health[1]["status"], "fail");
        let remedy = health[1]["checks"][0]["remedy"].as_str().unwrap();
        assert!(remedy.contains("Start the broker"), "{remedy}");
        // On the next page as well, whether it is loaded or only drawn, and beside what is known.
        browser.press("g");
        browser.press("b");
        browser.until("location.pathname === '/builders'");
        browser.until("!document.getElementById('bus').hidden");
        let here = browser.evaluate("location.origin");
        browser.open(&format!("{}/runs", here.as_str().unwrap()));
        browser.until_text("#bus", "there is no connection to the broker");
        browser.until_text("main", "There was no run yet");
        broker.boot();
        browser.until("document.getElementById('bus').hidden");
        assert_eq!(browser.evaluate(asked)[0], 200);
    })
    .await;
    let told = watching.until("\"status\":\"fail\"").await;
    assert!(
        told.contains("there is no connection to the broker"),
        "{told}"
    );
    let bus = served.bus.clone();
    served.end().await;
    bus.close().await;
}
