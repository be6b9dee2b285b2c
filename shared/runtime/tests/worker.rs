//! The life of a worker's process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use clap::Parser;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_runtime::{EXIT_USAGE, WorkerArguments, worker_main};
use tempfile::TempDir;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    worker: WorkerArguments,
}

/// The broker of this configuration is nowhere, and a worker would wait for it without end.
#[tokio::test]
async fn a_name_that_the_configuration_does_not_know_is_refused_before_the_broker_is_asked() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("fleet.toml");
    let text = "[broker]\nurl = \"amqp://guest:guest@127.0.0.1:1/\"\n\
                [builders.b1]\naddress = \"local\"\n[guests.g1]\naddress = \"local\"\n";
    std::fs::write(&file, text).unwrap();
    let arguments = Arguments::parse_from(["worker", "--config", file.to_str().unwrap()]);
    let nobody: BuilderName = "nope".parse().unwrap();
    let check = |settings: &gentoo_updater_fleet::config::Settings| {
        let error = settings.builder(&nobody).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the configuration names no builder nope; it names b1"
        );
        Err::<(), _>(error.into())
    };
    let ended = worker_main("worker", arguments.worker, check, |_, ()| async {
        panic!("it serves")
    });
    let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
    let code = ended.expect("it ends without a broker");
    assert_eq!(code, EXIT_USAGE.into());
}
