//! A fleet without a broker, and the real program on its journal.

use std::path::Path;
use std::process::{Command, Output};

use gentoo_updater_bus::Bus;
use gentoo_updater_bus::embedded::Embedded;
use gentoo_updater_fleet::message::{Envelope, Event};
use tempfile::TempDir;

/// A fleet of guest g1 and builder b1 without a broker.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
}

impl Scene {
    /// Nothing has happened.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let text = format!(
            "state_directory = {:?}\n[platforms.default]\nstore = \"/store\"\n\
             [builders.b1]\naddress = \"local\"\n[guests.g1]\naddress = \"local\"\n",
            folder.path().join("state")
        );
        std::fs::write(folder.path().join("fleet.toml"), text).unwrap();
        Self { folder }
    }

    /// These events have happened, in the form of fleet's golden files: g1 was scanned at noon on
    /// 2026-01-05, and builder@b1 builds dev-libs/libbeta-1.0 for it.
    pub(crate) async fn after(kinds: &[&str]) -> Self {
        let scene = Self::new();
        let bus = scene.journal().await;
        for kind in kinds {
            let path = format!("../shared/fleet/tests/golden/{kind}.v1.json");
            let body = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
            let event = Envelope::<Event>::decode(&body).unwrap();
            let at = "2026-01-05T12:00:00Z".parse().unwrap();
            let event = Envelope::new(event.sender, at, event.message);
            bus.publish(&event).await.unwrap();
        }
        bus.close().await;
        scene
    }

    pub(crate) async fn at_work() -> Self {
        Self::after(&[
            "RunRequested",
            "WorkerRegistered",
            "GuestScanned",
            "BatchPlanned",
            "CommandIssued",
            "WorkStarted",
        ])
        .await
    }

    pub(crate) fn configuration(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("fleet.toml")).unwrap()
    }

    pub(crate) async fn journal(&self) -> Embedded {
        let path = self.folder.path().join("state/journal.sqlite");
        Embedded::open(path).await.unwrap()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_gentoo-updater"))
            .arg("--config")
            .arg(self.folder.path().join("fleet.toml"))
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    }

    /// Standard output of a call that goes well.
    pub(crate) fn shown(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", words(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Standard error of a call that ends with this exit code.
    pub(crate) fn refused(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let words = words(&output);
        assert_eq!(output.status.code(), Some(code), "{words}");
        assert!(output.stdout.is_empty(), "{output:?}");
        words
    }

    /// The kinds of the events that are shown.
    pub(crate) fn kinds(&self, arguments: &[&str]) -> Vec<String> {
        let shown = self.shown(&[&["events", "--json"], arguments].concat());
        let kind = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            event["type"].as_str().unwrap().to_owned()
        };
        shown.lines().map(kind).collect()
    }
}

pub(crate) fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}
