//! What commands say that look into a real RabbitMQ where something is missing.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use gentoo_updater_fleet::config;
use gentoo_updater_runtime::Context;
use gentoo_updater_test_broker::{Broker, Vhost};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A configuration of guest g1 and builder b1 with a broker.
struct Fleet {
    folder: TempDir,
    vhost: Vhost,
}

impl Fleet {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let text = format!(
            "state_directory = {:?}\n[builders.b1]\naddress = \"local\"\n\
             [guests.g1]\naddress = \"local\"\n",
            folder.path().join("state")
        );
        std::fs::write(folder.path().join("fleet.toml"), text).unwrap();
        let vhost = Broker::shared().vhost();
        Self { folder, vhost }
    }

    fn command(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gentoo-updater"));
        command
            .arg("--config")
            .arg(self.folder.path().join("fleet.toml"))
            .args(arguments)
            .env("GENTOO_UPDATER__BROKER__URL", url)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, url: &str, arguments: &[&str]) -> Output {
        self.command(url, arguments).output().unwrap()
    }

    /// A planner of this fleet, until it is stopped.
    fn planner(&self, stop: CancellationToken) -> impl Future<Output = ()> + use<> {
        let file = self.folder.path().join("fleet.toml");
        let mut settings = config::load(&file).unwrap();
        settings.broker = Some(config::Broker {
            url: self.vhost.url(),
            ca: None,
            access: config::Access::Shared,
            user_prefix: "fleet".to_owned(),
        });
        async move {
            let context = Context::with_broker(Arc::new(settings), "planner", stop);
            let context = context.await.unwrap();
            gentoo_updater_planner::serve(&context).await.unwrap();
            context.bus.close().await;
        }
    }

    /// Standard error of a call that the broker refuses.
    fn refused(&self, url: &str, arguments: &[&str]) -> String {
        let output = self.run(url, arguments);
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{words}");
        words
    }
}

#[test]
fn a_login_that_is_refused_is_told_with_the_user_and_what_to_set_and_without_the_password() {
    let fleet = Fleet::new();
    let url = fleet.vhost.url();
    for command in [&["dead", "list"][..], &["workers"], &["status"]] {
        let words = fleet.refused(&url.replace("guest:guest@", "nobody:hunter2@"), command);
        for part in ["login of user nobody", "`broker.url`", "broker setup"] {
            assert!(words.contains(part), "{part:?} is not in {words}");
        }
        assert!(
            !words.contains("hunter2") && !words.contains("AMQP"),
            "{words}"
        );
    }
}

#[test]
fn a_user_that_may_not_use_the_vhost_is_told_so_at_once() {
    let fleet = Fleet::new();
    fleet.vhost.user("stranger", "", "", "");
    let elsewhere = fleet.vhost.broker.vhost();
    let words = fleet.refused(&elsewhere.url_for("stranger"), &["workers"]);
    for part in ["user stranger in", &elsewhere.name, "set_permissions"] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
    // It was tried again for a minute, with the counsel to look whether the broker is up.
    assert!(!words.contains("is it up"), "{words}");
    let words = fleet.refused(&fleet.vhost.url_for("stranger"), &["workers"]);
    assert!(
        words.contains("broker permissions") && !words.contains("AMQP"),
        "{words}"
    );
}

/// A followed run that is ended whatever becomes of the test.
struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn that_no_planner_lives_is_said_by_a_run_that_waits_and_by_status_until_one_comes() {
    let fleet = Fleet::new();
    let url = fleet.vhost.url();
    let mut run = fleet.command(&url, &["run", "--json"]);
    run.stderr(Stdio::piped()).stdout(Stdio::null());
    let mut run = Following(run.spawn().unwrap());
    let lines = BufReader::new(run.0.stderr.take().unwrap()).lines();
    let mut told = lines
        .map(Result::unwrap)
        .filter(|line| line.contains("planner"));
    let mut next = || told.next().expect("it goes on until it has said so");
    let told = next();
    assert!(
        told.contains("No planner has been heard for 16 s")
            && told.contains("start gentoo-updater-planner"),
        "{told}"
    );
    let status = fleet.run(&url, &["status"]);
    let text = String::from_utf8(status.stdout).unwrap();
    assert!(text.contains("No planner has been heard for 6 s"), "{text}");
    assert!(text.contains("goes on for"), "{text}");
    let status = fleet.run(&url, &["status", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(document["fleet"]["planner_heard"], false);

    let stop = CancellationToken::new();
    let planner = tokio::spawn(fleet.planner(stop.clone()));
    assert_eq!(next(), "A planner is heard again.");
    let status = fleet.run(&url, &["status"]);
    let text = String::from_utf8(status.stdout).unwrap();
    assert!(!text.contains("planner"), "{text}");
    stop.cancel();
    planner.await.unwrap();
}
