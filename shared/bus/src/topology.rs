//! The one file that names and declares every exchange, queue and routing key.
//!
//! It says what there is in words of its own; `amqp` says it to the broker. One declaration
//! serves RabbitMQ 3.10 to 4.3: arguments that an older broker does not know it ignores.
//! See <https://www.rabbitmq.com/docs/quorum-queues> and <https://www.rabbitmq.com/docs/streams>.

use std::collections::BTreeSet;
use std::time::Duration;

use gentoo_updater_fleet::message::{Envelope, Event, Task};
use gentoo_updater_fleet::name::{BuilderName, GuestName, PlatformName};

/// The topic exchange of all events.
pub const EVENTS: &str = "gentoo-updater.events";
/// The direct exchange of all commands. Its routing keys are the names of the queues.
pub const COMMANDS: &str = "gentoo-updater.commands";
/// The stream that keeps every event: the database of the fleet.
pub const HISTORY: &str = "history";
/// The queue that wakes the planner.
pub const PLAN: &str = "plan";
/// The queue of the commands to scanners.
pub const SCAN: &str = "scan";
/// The queue of the dead letters.
pub const DEAD: &str = "dead";

/// How long the history keeps an event, in days.
pub const HISTORY_DAYS: u32 = 30;
/// How many bytes the history keeps at most.
pub const HISTORY_BYTES: i64 = 2_000_000_000;
/// How long a sign of life may wait to be read: one that is older says nothing any more.
pub const ALIVE_EXPIRATION: Duration = Duration::from_secs(30);

/// How often a command is delivered before the broker takes it for a dead letter. Attempts are
/// counted by the planner, and a broker from 4.0 on would give up after 20 cut connections.
const DELIVERY_LIMIT: i64 = 1000;
/// The same for wake-ups, which have no dead letters: signs of life expire, and an expired
/// message counts as a dead letter.
const WAKEUP_DELIVERY_LIMIT: i64 = 1_000_000;
/// A day, in milliseconds. A command is held only until its claim is read back, but that waits
/// for as long as the broker refuses to take the claim.
const CONSUMER_TIMEOUT: i64 = 86_400_000;
/// Streams are trimmed by whole segments, so a segment is small against the whole.
const SEGMENT_BYTES: i64 = 50_000_000;

/// The queue of the builds for a platform.
pub fn build_queue(platform: &PlatformName) -> String {
    format!("build.{platform}")
}

/// The queue of a guest's installations.
pub fn install_queue(guest: &GuestName) -> String {
    format!("install.{guest}")
}

/// The queue of a builder's cleanings.
pub fn clean_queue(builder: &BuilderName) -> String {
    format!("clean.{builder}")
}

/// The queue that a task's command goes to. A build goes to the queue of its platform; without
/// one there is none, and the name that comes out belongs to no queue.
pub fn queue_of(task: &Task, platform: Option<&PlatformName>) -> String {
    match task {
        Task::Scan(_) => SCAN.to_owned(),
        Task::Build(_) => platform.map_or_else(|| "build".to_owned(), build_queue),
        Task::Install(guest) => install_queue(guest),
        Task::Clean(builder) => clean_queue(builder),
    }
}

/// The routing key of an event: `event.<kind>.<run or none>`, or for signs of life
/// `alive.<planner or worker>.<id>`.
pub fn routing_key(event: &Envelope<Event>) -> String {
    match &event.message {
        Event::WorkerAlive(alive) => format!("alive.worker.{}", alive.worker),
        Event::PlannerAlive(alive) => format!("alive.planner.{}", alive.worker),
        event => match event.run() {
            Some(run) => format!("event.{}.{run}", event.kind()),
            None => format!("event.{}.none", event.kind()),
        },
    }
}

/// The binding key of every sign of life.
pub const ALIVE_KEY: &str = "alive.#";

/// The routing key of a message that only asks whether the broker takes messages. No queue is
/// bound to it.
pub const PROBE_KEY: &str = "probe";

/// How an exchange routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeKind {
    /// By patterns.
    Topic,
    /// By equality.
    Direct,
}

/// The value of a queue's argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

/// A durable queue with its bindings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueDeclaration {
    /// Its name.
    pub name: String,
    /// Its `x-` arguments.
    pub arguments: Vec<(&'static str, Argument)>,
    /// Exchange and binding key.
    pub bindings: Vec<(&'static str, String)>,
}

/// The machines that the queues are for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// Each has a queue of installations.
    pub guests: BTreeSet<GuestName>,
    /// Each has a queue of cleanings.
    pub builders: BTreeSet<BuilderName>,
    /// Each has a queue of builds.
    pub platforms: BTreeSet<PlatformName>,
}

impl Topology {
    /// The exchanges, all durable.
    pub fn exchanges(&self) -> [(&'static str, ExchangeKind); 2] {
        [
            (EVENTS, ExchangeKind::Topic),
            (COMMANDS, ExchangeKind::Direct),
        ]
    }

    /// The queues. The dead letters come first: the others refer to them.
    pub fn queues(&self) -> Vec<QueueDeclaration> {
        let mut queues = vec![dead(), history(), plan(), command_queue(SCAN.to_owned())];
        queues.extend(
            self.platforms
                .iter()
                .map(|name| command_queue(build_queue(name))),
        );
        queues.extend(
            self.guests
                .iter()
                .map(|name| command_queue(install_queue(name))),
        );
        queues.extend(
            self.builders
                .iter()
                .map(|name| command_queue(clean_queue(name))),
        );
        queues
    }
}

fn quorum() -> (&'static str, Argument) {
    ("x-queue-type", Argument::Text("quorum".to_owned()))
}

fn dead() -> QueueDeclaration {
    let arguments = vec![
        quorum(),
        ("x-delivery-limit", Argument::Number(WAKEUP_DELIVERY_LIMIT)),
    ];
    QueueDeclaration {
        name: DEAD.to_owned(),
        arguments,
        bindings: Vec::new(),
    }
}

fn history() -> QueueDeclaration {
    QueueDeclaration {
        name: HISTORY.to_owned(),
        arguments: vec![
            ("x-queue-type", Argument::Text("stream".to_owned())),
            ("x-max-age", Argument::Text(format!("{HISTORY_DAYS}D"))),
            ("x-max-length-bytes", Argument::Number(HISTORY_BYTES)),
            (
                "x-stream-max-segment-size-bytes",
                Argument::Number(SEGMENT_BYTES),
            ),
        ],
        bindings: vec![(EVENTS, "event.#".to_owned())],
    }
}

fn plan() -> QueueDeclaration {
    QueueDeclaration {
        name: PLAN.to_owned(),
        arguments: vec![
            quorum(),
            ("x-single-active-consumer", Argument::Flag(true)),
            ("x-delivery-limit", Argument::Number(WAKEUP_DELIVERY_LIMIT)),
            ("x-consumer-timeout", Argument::Number(CONSUMER_TIMEOUT)),
        ],
        bindings: ["event.#", "alive.planner.#", "alive.worker.#"]
            .map(|key| (EVENTS, key.to_owned()))
            .into(),
    }
}

/// A queue of commands.
pub fn command_queue(name: String) -> QueueDeclaration {
    QueueDeclaration {
        arguments: vec![
            quorum(),
            ("x-delivery-limit", Argument::Number(DELIVERY_LIMIT)),
            ("x-consumer-timeout", Argument::Number(CONSUMER_TIMEOUT)),
            ("x-dead-letter-exchange", Argument::Text(String::new())),
            ("x-dead-letter-routing-key", Argument::Text(DEAD.to_owned())),
            (
                "x-dead-letter-strategy",
                Argument::Text("at-least-once".to_owned()),
            ),
            ("x-overflow", Argument::Text("reject-publish".to_owned())),
        ],
        bindings: vec![(COMMANDS, name.clone())],
        name,
    }
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::message::{PlannerAlive, RunFinished, RunOutcome};
    use gentoo_updater_fleet::name::RunId;
    use jiff::Timestamp;

    use super::*;

    fn topology() -> Topology {
        Topology {
            guests: ["g1", "g2"].map(|name| name.parse().unwrap()).into(),
            builders: ["b1"].map(|name| name.parse().unwrap()).into(),
            platforms: ["amd64"].map(|name| name.parse().unwrap()).into(),
        }
    }

    #[test]
    fn every_machine_has_its_queue_and_every_command_queue_is_bound_by_its_name() {
        let queues = topology().queues();
        let names: Vec<&str> = queues.iter().map(|queue| queue.name.as_str()).collect();
        let expected = [
            "dead",
            "history",
            "plan",
            "scan",
            "build.amd64",
            "install.g1",
            "install.g2",
            "clean.b1",
        ];
        assert_eq!(names, expected);
        for queue in &queues[3..] {
            assert_eq!(queue.bindings, [(COMMANDS, queue.name.clone())]);
        }
    }

    #[test]
    fn the_history_keeps_no_signs_of_life() {
        let queues = topology().queues();
        assert_eq!(queues[1].bindings, [(EVENTS, "event.#".to_owned())]);
    }

    #[test]
    fn routing_keys_name_the_kind_and_the_run() {
        let run = RunId::generate();
        let finished = Event::RunFinished(RunFinished {
            run,
            outcome: RunOutcome::Complete,
        });
        let alive = Event::PlannerAlive(PlannerAlive {
            worker: "planner@1".parse().unwrap(),
            beat: 1,
        });
        let key = |event| {
            routing_key(&Envelope::new(
                "planner@1".parse().unwrap(),
                Timestamp::UNIX_EPOCH,
                event,
            ))
        };
        assert_eq!(key(finished), format!("event.RunFinished.{run}"));
        assert_eq!(key(alive), "alive.planner.planner@1");
    }
}
