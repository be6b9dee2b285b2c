//! What the processes of a fleet open: its configuration and its broker.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::Bus;
use gentoo_updater_chaos::scene::Scene;
use gentoo_updater_fleet::config;
use gentoo_updater_runtime::Context;
use gentoo_updater_test_broker::owner;
use tokio_util::sync::CancellationToken;

use super::within;

/// How long a fleet may take to come up on a small machine where others come up too.
pub(super) const START_SECONDS: u64 = 120;

/// How patient the fleet is, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) lease: u64,
    pub(crate) heartbeat: u64,
}

impl Default for Policy {
    /// A lease that nobody may lose: a worker that lost its connection is back within 8 s, and a
    /// machine that runs all these tests at once is slow.
    fn default() -> Self {
        Self {
            lease: 30,
            heartbeat: 2,
        }
    }
}

/// Declares what a fleet needs through this URL: on a cluster its node leads the queues then.
pub(crate) async fn declare(url: &str) {
    let folder = owner::folder();
    let scene = Scene::full(folder.path(), Duration::ZERO);
    let bus = open(&scene, Policy::default(), url, CancellationToken::new()).await;
    bus.close().await;
}

pub(super) async fn open(
    scene: &Scene,
    policy: Policy,
    url: &str,
    stop: CancellationToken,
) -> Arc<dyn Bus> {
    context(scene, policy, url, "test", stop).await.bus
}

pub(super) async fn context(
    scene: &Scene,
    policy: Policy,
    url: &str,
    name: &str,
    stop: CancellationToken,
) -> Context {
    let file = scene.folder.join(format!("{name}.toml"));
    write_configuration(&file, scene, policy, url);
    let settings = Arc::new(config::load(&file).expect("the configuration of a test"));
    let opened = Context::with_broker(settings, name, stop);
    let context = within("the connection", START_SECONDS, opened).await;
    context.expect("a broker")
}

pub(super) fn write_configuration(file: &Path, scene: &Scene, policy: Policy, url: &str) {
    let folder = scene.folder.display();
    let Policy { lease, heartbeat } = policy;
    let mut text = format!(
        "state_directory = \"{folder}/state\"\n\
         [broker]\nurl = \"{url}\"\n\
         [platforms.default]\nstore = \"{folder}/store\"\n\
         [builders.b1]\naddress = \"local\"\n\
         [builders.b2]\naddress = \"local\"\n\
         [policy]\nlease_seconds = {lease}\nheartbeat_seconds = {heartbeat}\n\
         retry_delay_seconds = 1\ngrace_seconds = 5\n"
    );
    for guest in scene.guests.keys() {
        text.push_str(&format!("[guests.{guest}]\naddress = \"ssh://{guest}\"\n"));
    }
    fs::write(file, text).expect("a file of a test");
}
