//! How soon `gentoo-updater why` answers beside a long history in the embedded journal, in one table: the real
//! program, from its start to its end.
//!
//! Exit code 1: a limit is missed. WHY_EVENTS is another length of the history.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a bench fails by them"
)]

mod events;
#[path = "../../../shared/portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use futures_util::future::join_all;
use gentoo_updater_bus::Bus;
use gentoo_updater_bus::embedded::Embedded;
use tempfile::TempDir;

use self::events::{Events, package};
use self::table::{Limit, Table};

const EVENTS: usize = 1_000_000;
/// How many events are handed to the journal before the first of them is safe.
const AT_ONCE: usize = 1000;
/// How often each question is asked.
const TIMES: usize = 15;
/// What an answer may take, in milliseconds.
const MOST: f64 = 100.0;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let table = runtime.block_on(run());
    print!("{table}");
    match table.is_kept() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

async fn run() -> Table {
    let wanted = std::env::var("WHY_EVENTS").ok();
    let wanted = wanted.map_or(EVENTS, |text| text.parse().expect("a number of events"));
    let scene = Scene::new();
    let mut table = Table::default();
    let mut events = Events::default();
    let begun = Instant::now();
    let mut count = 0;
    while count < wanted {
        count += fill(&scene, &mut events).await;
    }
    table.show("filling the history", begun.elapsed().as_secs_f64(), "s");
    table.show("events", count as f64, "");
    let bytes = std::fs::metadata(scene.journal()).unwrap().len();
    table.show("the journal", bytes as f64 / 1e6, "MB");

    let newest = package(events.runs - 1, 3);
    let first = scene.answer(&[&newest]);
    table.show(
        "the first answer, which reads all of it",
        first / 1000.0,
        "s",
    );
    let index = std::fs::metadata(scene.index()).unwrap().len();
    table.show("the index that it keeps", index as f64 / 1e6, "MB");

    let below = || Limit::Below(MOST);
    let old = package(0, 3);
    let oldest = events.oldest.unwrap().to_string();
    for (what, arguments) in [
        ("a package of the newest run", vec![newest.as_str()]),
        ("the same of one guest", vec![&newest, "--guest", "guest0"]),
        ("the same as JSON", vec![&newest, "--json"]),
        ("a package of the oldest runs", vec![&old, "--run", &oldest]),
    ] {
        table.check(what, scene.worst(&arguments), "ms", below());
    }
    fill(&scene, &mut events).await;
    let newest = package(events.runs - 1, 3);
    let what = "after one more run, which the index lacks";
    table.check(what, scene.worst(&[&newest]), "ms", below());
    table
}

/// One more run; says how many events that were.
async fn fill(scene: &Scene, events: &mut Events) -> usize {
    let bus = match scene.bus.lock().await.take() {
        Some(bus) => bus,
        None => Embedded::open(scene.journal()).await.unwrap(),
    };
    let all = events.run();
    for some in all.chunks(AT_ONCE) {
        let published = join_all(some.iter().map(|event| bus.publish(event)));
        for published in published.await {
            published.unwrap();
        }
    }
    *scene.bus.lock().await = Some(bus);
    all.len()
}

/// A fleet without a broker.
struct Scene {
    folder: TempDir,
    bus: tokio::sync::Mutex<Option<Embedded>>,
}

impl Scene {
    fn new() -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let guests = (0..events::GUESTS)
            .map(|n| format!("[guests.guest{n}]\naddress = \"ssh://guest{n}\"\n"));
        let text = format!(
            "state_directory = {:?}\n[platforms.default]\nstore = \"/store\"\n[builders.b1]\naddress = \
             \"local\"\n{}",
            folder.path().join("state"),
            guests.collect::<String>()
        );
        std::fs::write(folder.path().join("fleet.toml"), text).unwrap();
        Self {
            folder,
            bus: Default::default(),
        }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn journal(&self) -> PathBuf {
        self.state().join("journal.sqlite")
    }

    fn index(&self) -> PathBuf {
        self.state().join("run-index.cache")
    }

    /// The slowest of several answers, in milliseconds.
    fn worst(&self, arguments: &[&str]) -> f64 {
        let answers = (0..TIMES).map(|_| self.answer(arguments));
        answers.fold(0.0, f64::max)
    }

    /// How long an answer takes, in milliseconds.
    fn answer(&self, arguments: &[&str]) -> f64 {
        let begun = Instant::now();
        let output = Command::new(Path::new(env!("CARGO_BIN_EXE_gentoo-updater")))
            .arg("--config")
            .arg(self.folder.path().join("fleet.toml"))
            .arg("why")
            .args(arguments)
            .output()
            .unwrap();
        let taken = begun.elapsed().as_secs_f64() * 1000.0;
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {words}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains("BUILD_ID") || text.contains("build_id"),
            "{text}"
        );
        taken
    }
}
