//! What happened, as `gentoo-updater events` tells it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use gentoo_updater_fleet::message::{Envelope, Event, Failure, PackageBuilt, WorkStarted};

use crate::fixtures::{Program, Scene, program, wait_until};

/// The history of a fleet, as far as it was read.
pub struct History {
    /// The events, in the order of their offsets.
    pub events: Vec<Envelope<Event>>,
    follower: Option<Follower>,
}

struct Follower {
    child: Child,
    lines: Receiver<String>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl History {
    /// Reads what there is.
    pub fn read(scene: &Scene) -> Self {
        let ended = scene.command("events", &["events", "--json"], Duration::from_secs(60));
        assert!(
            ended.status.success(),
            "events ended with {}:\n{}",
            ended.status,
            ended.stderr
        );
        Self {
            events: ended.stdout.lines().map(decode).collect(),
            follower: None,
        }
    }

    /// Reads what there is and what comes.
    pub fn follow(scene: &Scene) -> Self {
        if scene.configuration.broker.is_none() {
            let journal = scene.configuration.state.join("journal.sqlite");
            wait_until("there is a journal", Duration::from_secs(20), || {
                journal.exists()
            });
        }
        let log = File::create(scene.file("logs").join("follower.err")).expect("a log");
        let mut child = Command::new("ip")
            .args(["netns", "exec", scene.lab.netns()])
            .arg(program(Program::Command))
            .arg("--config")
            .arg(scene.write_configuration())
            .args(["events", "--follow", "--json"])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("events --follow can be started");
        let output = child.stdout.take().expect("its output is a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            events: Vec::new(),
            follower: Some(Follower { child, lines }),
        }
    }

    /// Waits for the first event, of all that came, that `is_it`.
    ///
    /// # Panics
    /// When it does not come within `patience`, or when the reader ends.
    pub fn wait_for(
        &mut self,
        what: &str,
        patience: Duration,
        is_it: impl Fn(&Event) -> bool,
    ) -> Envelope<Event> {
        let deadline = Instant::now() + patience;
        if let Some(found) = self.events.iter().find(|event| is_it(&event.message)) {
            return found.clone();
        }
        let follower = self.follower.as_ref().expect("this history is followed");
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match follower.lines.recv_timeout(left) {
                Ok(line) => {
                    let event = decode(&line);
                    self.events.push(event.clone());
                    if is_it(&event.message) {
                        return event;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("not within {} s: {what}", patience.as_secs())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("events --follow ended while it was waited for: {what}")
                }
            }
        }
    }

    /// The claims.
    pub fn started(&self) -> impl Iterator<Item = &WorkStarted> {
        self.events.iter().filter_map(|event| match &event.message {
            Event::WorkStarted(started) => Some(started),
            _ => None,
        })
    }

    /// The builds that brought a binary.
    pub fn built(&self) -> impl Iterator<Item = &PackageBuilt> {
        self.events.iter().filter_map(|event| match &event.message {
            Event::PackageBuilt(built) => Some(built),
            _ => None,
        })
    }

    /// The failures of work, of each attempt.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        let events = self.events.iter();
        events.filter_map(|event| event.message.failure())
    }

    /// The packages that were compiled, each as often as an event says so.
    pub fn compiled(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .built()
            .filter(|built| !built.reused)
            .map(|built| built.binary.cpv.to_string())
            .collect();
        names.sort();
        names
    }
}

fn decode(line: &str) -> Envelope<Event> {
    Envelope::decode(line.as_bytes())
        .unwrap_or_else(|error| panic!("events --json printed what is no event: {error}\n{line}"))
}
