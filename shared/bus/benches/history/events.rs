//! Events of a fleet at work, run after run, made from the golden files of the messages.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::Path;

use gentoo_updater_bus::topology::routing_key;
use gentoo_updater_fleet::message::{Envelope, Event};
use gentoo_updater_fleet::name::{EventId, RunId};
use jiff::Timestamp;
use serde_json::{Value, json};

const GUESTS: usize = 10;
const JOBS: usize = 90;
/// What a large guest has installed, and what of it is to be updated.
const INSTALLED: usize = 900;
const UPDATES: usize = 300;

/// An endless history.
pub(crate) struct Events {
    golden: BTreeMap<String, Value>,
    run: usize,
    waiting: VecDeque<(String, Vec<u8>)>,
}

impl Events {
    pub(crate) fn new() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fleet/tests/golden");
        let files = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let golden = files.map(|path| {
            let message: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
            (message["type"].as_str().unwrap().to_owned(), message)
        });
        Self {
            golden: golden.collect(),
            run: 0,
            waiting: VecDeque::new(),
        }
    }

    /// The routing key and the body of the next event.
    pub(crate) fn next(&mut self) -> (String, Vec<u8>) {
        if self.waiting.is_empty() {
            self.run += 1;
            self.run_once();
        }
        self.waiting.pop_front().unwrap()
    }

    fn run_once(&mut self) {
        let run = RunId::generate();
        let guest = |number: usize| format!("guest{number}");
        let guests: BTreeMap<String, &str> = (0..GUESTS)
            .map(|number| (guest(number), "default"))
            .collect();
        self.say(run, "WorkerRegistered", |_| {});
        self.say(run, "RunRequested", |body| body["guests"] = json!(guests));
        for number in 0..GUESTS {
            let name = guest(number);
            self.claim(run, "scan", &name);
            if number == GUESTS - 1 && self.run.is_multiple_of(3) {
                self.say(run, "ScanFailed", |body| body["guest"] = json!(name));
            } else {
                self.say(run, "GuestScanned", |body| {
                    body["guest"] = json!(name);
                    if number == 0 {
                        repeat(&mut body["installed"], INSTALLED);
                        repeat(&mut body["updates"], UPDATES);
                    }
                });
            }
        }
        self.say(run, "BatchPlanned", |_| {});
        for number in 0..JOBS {
            let job = format!("{:064x}", (self.run << 16) + number);
            self.claim(run, "build", &job);
            let kind = if number % 30 == 7 {
                "BuildFailed"
            } else {
                "PackageBuilt"
            };
            self.say(run, kind, |body| body["job"] = json!(job));
        }
        for kind in [
            "PauseRequested",
            "WorkerPaused",
            "ResumeRequested",
            "TaskAbandoned",
        ] {
            self.say(run, kind, |_| {});
        }
        for number in 0..GUESTS {
            let name = guest(number);
            self.claim(run, "install", &name);
            let kind = if number == 3 {
                "InstallFailed"
            } else {
                "GuestUpdated"
            };
            self.say(run, kind, |body| body["guest"] = json!(name));
        }
        self.claim(run, "clean", "b1");
        let kind = if self.run.is_multiple_of(10) {
            "CleanFailed"
        } else {
            "BuilderCleaned"
        };
        self.say(run, kind, |_| {});
        self.say(run, "RunFinished", |_| {});
    }

    fn claim(&mut self, run: RunId, kind: &str, subject: &str) {
        let task = json!({"kind": kind, "subject": subject});
        self.say(run, "CommandIssued", |body| {
            body["work"]["task"] = task.clone()
        });
        self.say(run, "WorkStarted", |body| body["work"]["task"] = task);
    }

    fn say(&mut self, run: RunId, kind: &str, change: impl FnOnce(&mut Value)) {
        let mut message = self.golden[kind].clone();
        message["id"] = json!(EventId::generate());
        message["at"] = json!(Timestamp::now());
        let body = &mut message["body"];
        let named = match body.get("work") {
            Some(_) => &mut body["work"],
            None => &mut *body,
        };
        if let Some(of) = named.get_mut("run") {
            *of = json!(run);
        }
        change(body);
        // What is no event would be a bench of nothing.
        let event = Envelope::<Event>::decode(message.to_string().as_bytes()).unwrap();
        let key = routing_key(&event);
        self.waiting.push_back((key, event.encode().unwrap()));
    }
}

/// So many packages like the one in this list.
fn repeat(list: &mut Value, count: usize) {
    let one = list[0].clone();
    let packages = (0..count).map(|number| {
        let mut package = one.clone();
        let place = if package.get("key").is_some() {
            "/key/cpv"
        } else {
            "/cpv"
        };
        *package.pointer_mut(place).unwrap() =
            json!(format!("dev-libs/package{number}-1.{number}"));
        package
    });
    *list = packages.collect();
}
