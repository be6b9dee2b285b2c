//! A planner that is told to stop.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::embedded::Embedded;
use gentoo_updater_fleet::config;
use gentoo_updater_runtime::Context;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// What comes before the first wake-up waits for the bus as everything else does. A stop ended
/// that with the error that the bus is closed, and the program with exit code 2.
#[tokio::test]
async fn a_planner_that_is_stopped_before_it_is_ready_has_not_failed() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("fleet.toml");
    std::fs::write(
        &file,
        "[builders.b1]\naddress = \"local\"\n[guests.g1]\naddress = \"ssh://g1\"\n",
    )
    .unwrap();
    let settings = Arc::new(config::load(&file).unwrap());
    let bus = Embedded::open(&folder.path().join("journal"))
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let context = Context::new(settings, Arc::new(bus), stop.clone());
    stop.cancel();
    // It was a matter of chance whether the stop or the bus was looked at first.
    for _ in 0..16 {
        let served = gentoo_updater_planner::serve(&context);
        let ended = tokio::time::timeout(Duration::from_secs(60), served).await;
        ended.unwrap().unwrap();
    }
}
