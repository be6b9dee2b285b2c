//! The one file that names and declares every exchange, queue and routing key.
//!
//! It says what there is in words of its own; `amqp` says it to the broker. One declaration
//! serves RabbitMQ 3.10 to 4.3: arguments that an older broker does not know it ignores.
//! See <https://www.rabbitmq.com/docs/quorum-queues> and <https://www.rabbitmq.com/docs/streams>.

use std::collections::BTreeSet;
use std::time::Duration;

use gentoo_updater_fleet::authority::User;
use gentoo_updater_fleet::config::{History, Settings};
use gentoo_updater_fleet::message::{Command, Envelope, Event, Role, Task};
use gentoo_updater_fleet::name::{BuilderName, GuestName, PlatformName};

/// The topic exchange of all events.
pub const EVENTS: &str = "gentoo-updater.events";
/// The direct exchange of all commands. Its routing keys are the names of the queues.
pub const COMMANDS: &str = "gentoo-updater.commands";
/// The fanout exchange of the dead letters.
pub const DEAD_LETTERS: &str = "gentoo-updater.dead";
/// The fanout exchange of the snapshots. Who may publish here tells everybody the state of the
/// fleet, so it is an exchange of its own and not a routing key of another.
pub const SNAPSHOTS_EXCHANGE: &str = "gentoo-updater.snapshots";
/// The stream that keeps every event: the database of the fleet.
pub const HISTORY: &str = "history";
/// The stream of the snapshots.
pub const SNAPSHOTS: &str = "snapshots";
/// The queue that wakes the planner.
pub const PLAN: &str = "plan";
/// The queue of the commands to scanners.
pub const SCAN: &str = "scan";
/// The queue of the dead letters.
pub const DEAD: &str = "dead";
/// A queue that stays empty: the connection that declared it, exclusively, looks through the dead
/// letters, and all others wait until it is gone.
pub const DEAD_LOCK: &str = "dead.lock";

/// How large a snapshot may be when it is packed: a broker takes messages of 16 MiB by default
/// (`max_message_size` of RabbitMQ 4.0 and later).
pub const LARGEST_SNAPSHOT: usize = 16 * 1024 * 1024;
/// How many bytes of snapshots are kept at most. This is more than the largest snapshots that two
/// segments can hold, so the newest one is never among those that go.
const SNAPSHOTS_BYTES: i64 = 100_000_000;
/// A snapshot is there to be replaced: a few fill a segment.
const SNAPSHOTS_SEGMENT_BYTES: i64 = 20_000_000;
/// How long a sign of life may wait to be read: one that is older says nothing any more.
pub const ALIVE_EXPIRATION: Duration = Duration::from_secs(30);

/// How often a command is delivered before the broker takes it for a dead letter. Attempts are
/// counted by the planner, and a broker from 4.0 on would give up after 20 cut connections.
const DELIVERY_LIMIT: i64 = 1000;
/// The same for wake-ups, which have no dead letters: signs of life expire, and an expired
/// message counts as a dead letter.
const WAKEUP_DELIVERY_LIMIT: i64 = 1_000_000;
/// Dead letters go nowhere else. Each look at them counts as a delivery on some brokers, so this
/// is a look every second for as long as anybody will care.
const DEAD_DELIVERY_LIMIT: i64 = i32::MAX as i64;
/// A day, in milliseconds. A command is held only until its claim is read back, but that waits
/// for as long as the broker refuses to take the claim.
const CONSUMER_TIMEOUT: i64 = 86_400_000;
/// Streams are trimmed by whole segments, so a segment is small against the whole.
const SEGMENT_BYTES: i64 = 50_000_000;

/// The queue of the builds for a platform, and of the searches in its store.
pub fn build_queue(platform: &PlatformName) -> String {
    format!("build.{platform}")
}

/// The queue of a guest's installations.
pub fn install_queue(guest: &GuestName) -> String {
    format!("install.{guest}")
}

/// The queue of what the janitor does on a builder: it brings its ebuild repositories up to date
/// before a run, and cleans it afterwards.
pub fn clean_queue(builder: &BuilderName) -> String {
    format!("clean.{builder}")
}

/// The queue of the collections of a platform's store.
pub fn collect_queue(platform: &PlatformName) -> String {
    format!("collect.{platform}")
}

/// The queue that a task's command goes to. A build goes to the queue of its platform; without
/// one there is none, and the name that comes out belongs to no queue.
pub fn queue_of(task: &Task, platform: Option<&PlatformName>) -> String {
    match task {
        Task::Scan(_) => SCAN.to_owned(),
        Task::Search(platform) => build_queue(platform),
        Task::Build(_) => platform.map_or_else(|| "build".to_owned(), build_queue),
        Task::Install(guest) => install_queue(guest),
        Task::Sync(builder) | Task::Clean(builder) => clean_queue(builder),
        Task::Collect(platform) => collect_queue(platform),
    }
}

/// The role of the workers that take commands from this queue; none for a queue that holds no
/// commands.
pub fn role_of(queue: &str) -> Option<Role> {
    match queue.split_once('.') {
        None if queue == SCAN => Some(Role::Scanner),
        Some((_, "")) => None,
        Some(("build", _)) => Some(Role::Builder),
        Some(("install", _)) => Some(Role::Installer),
        Some(("clean" | "collect", _)) => Some(Role::Janitor),
        _ => None,
    }
}

/// The queue that a command goes to.
pub fn queue_for(command: &Command) -> String {
    let platform = match command {
        Command::BuildPackage(build) => Some(&build.job.platform),
        _ => None,
    };
    queue_of(&command.work().task, platform)
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
    /// To every queue that is bound.
    Fanout,
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
    /// Those of the arguments that may be otherwise where the queue exists already: how much a
    /// stream keeps is the operator's business, and no reason not to work with it.
    pub tunable: &'static [&'static str],
}

/// How much a stream keeps.
const RETENTION: &[&str] = &["x-max-age", "x-max-length-bytes"];

/// The machines that the queues are for, and how much is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// Each has a queue of installations.
    pub guests: BTreeSet<GuestName>,
    /// Each has a queue of cleanings.
    pub builders: BTreeSet<BuilderName>,
    /// Each has a queue of builds and one of collections.
    pub platforms: BTreeSet<PlatformName>,
    /// How long the history keeps what happened.
    pub history: History,
}

impl Topology {
    /// The machines of this configuration.
    pub fn of(settings: &Settings) -> Self {
        Self {
            guests: settings.guests.keys().cloned().collect(),
            builders: settings.builders.keys().cloned().collect(),
            platforms: settings.platforms.keys().cloned().collect(),
            history: settings.history,
        }
    }

    /// The exchanges, all durable.
    pub fn exchanges(&self) -> [(&'static str, ExchangeKind); 4] {
        [
            (EVENTS, ExchangeKind::Topic),
            (COMMANDS, ExchangeKind::Direct),
            (DEAD_LETTERS, ExchangeKind::Fanout),
            (SNAPSHOTS_EXCHANGE, ExchangeKind::Fanout),
        ]
    }

    /// The queues. The dead letters come first, so that none is lost that the others make.
    pub fn queues(&self) -> Vec<QueueDeclaration> {
        let mut queues = vec![
            dead(),
            history(self.history),
            snapshots(),
            plan(),
            command_queue(SCAN.to_owned()),
        ];
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
        queues.extend(
            self.platforms
                .iter()
                .map(|name| command_queue(collect_queue(name))),
        );
        queues
    }
}

fn text(text: &str) -> Argument {
    Argument::Text(text.to_owned())
}

fn dead() -> QueueDeclaration {
    QueueDeclaration {
        name: DEAD.to_owned(),
        arguments: vec![
            ("x-queue-type", text("quorum")),
            ("x-delivery-limit", Argument::Number(DEAD_DELIVERY_LIMIT)),
        ],
        bindings: vec![(DEAD_LETTERS, String::new())],
        tunable: &[],
    }
}

fn history(keep: History) -> QueueDeclaration {
    let bytes = i64::from(keep.megabytes) * 1_000_000;
    QueueDeclaration {
        name: HISTORY.to_owned(),
        arguments: vec![
            ("x-queue-type", text("stream")),
            ("x-max-age", Argument::Text(format!("{}D", keep.days))),
            ("x-max-length-bytes", Argument::Number(bytes)),
            (
                "x-stream-max-segment-size-bytes",
                Argument::Number(SEGMENT_BYTES),
            ),
        ],
        bindings: vec![(EVENTS, "event.#".to_owned())],
        tunable: RETENTION,
    }
}

/// By size only: the newest snapshot is never too old.
fn snapshots() -> QueueDeclaration {
    QueueDeclaration {
        name: SNAPSHOTS.to_owned(),
        arguments: vec![
            ("x-queue-type", text("stream")),
            ("x-max-length-bytes", Argument::Number(SNAPSHOTS_BYTES)),
            (
                "x-stream-max-segment-size-bytes",
                Argument::Number(SNAPSHOTS_SEGMENT_BYTES),
            ),
        ],
        bindings: vec![(SNAPSHOTS_EXCHANGE, String::new())],
        tunable: RETENTION,
    }
}

fn plan() -> QueueDeclaration {
    QueueDeclaration {
        name: PLAN.to_owned(),
        arguments: vec![
            ("x-queue-type", text("quorum")),
            ("x-single-active-consumer", Argument::Flag(true)),
            ("x-delivery-limit", Argument::Number(WAKEUP_DELIVERY_LIMIT)),
            ("x-consumer-timeout", Argument::Number(CONSUMER_TIMEOUT)),
        ],
        bindings: ["event.#", "alive.planner.#", "alive.worker.#"]
            .map(|key| (EVENTS, key.to_owned()))
            .into(),
        tunable: &[],
    }
}

/// A queue of commands.
pub fn command_queue(name: String) -> QueueDeclaration {
    QueueDeclaration {
        arguments: vec![
            ("x-queue-type", text("quorum")),
            ("x-delivery-limit", Argument::Number(DELIVERY_LIMIT)),
            ("x-consumer-timeout", Argument::Number(CONSUMER_TIMEOUT)),
            ("x-dead-letter-exchange", text(DEAD_LETTERS)),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ],
        bindings: vec![(COMMANDS, name.clone())],
        name,
        tunable: &[],
    }
}

/// Whether a queue of this name is one of commands.
pub fn is_command_queue(name: &str) -> bool {
    role_of(name).is_some()
}

/// Whether the workers of a user take messages off a queue of this name.
pub fn serves(user: &User, name: &str) -> bool {
    match user {
        User::Role(Role::Planner) => name == PLAN,
        User::Role(role) => role_of(name) == Some(*role),
        User::Guest(guest) => name == install_queue(guest),
    }
}

/// Whether messages are taken off a queue of this name. Nothing is taken off a stream.
pub fn is_queue(name: &str) -> bool {
    name == PLAN || name == DEAD || is_command_queue(name)
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
            history: History {
                days: 7,
                megabytes: 150,
            },
        }
    }

    #[test]
    fn every_machine_has_its_queue_and_every_command_queue_is_bound_by_its_name() {
        let queues = topology().queues();
        let names: Vec<&str> = queues.iter().map(|queue| queue.name.as_str()).collect();
        let expected = [
            "dead",
            "history",
            "snapshots",
            "plan",
            "scan",
            "build.amd64",
            "install.g1",
            "install.g2",
            "clean.b1",
            "collect.amd64",
        ];
        assert_eq!(names, expected);
        for queue in &queues {
            let is_of_commands = queue.bindings == [(COMMANDS, queue.name.clone())];
            assert_eq!(is_of_commands, is_command_queue(&queue.name));
            let is_stream = queue.arguments.contains(&("x-queue-type", text("stream")));
            assert_eq!(is_stream, !is_queue(&queue.name));
        }
        assert!(!is_queue("install."));
        assert!(!is_queue("somebody-elses"));
    }

    #[test]
    fn the_history_keeps_what_the_configuration_says() {
        let history = &topology().queues()[1];
        assert!(history.arguments.contains(&("x-max-age", text("7D"))));
        let bytes = ("x-max-length-bytes", Argument::Number(150_000_000));
        assert!(history.arguments.contains(&bytes));
    }

    #[test]
    fn the_newest_snapshots_stay_however_large_they_are() {
        let largest = i64::try_from(LARGEST_SNAPSHOT).unwrap();
        // A segment is closed by the snapshot that makes it too large.
        let segment = SNAPSHOTS_SEGMENT_BYTES + largest;
        assert!(2 * segment < SNAPSHOTS_BYTES);
    }

    #[test]
    fn every_queue_of_commands_and_no_other_is_served_by_a_role() {
        let roles = topology().queues().into_iter();
        let roles: Vec<_> = roles.map(|queue| role_of(&queue.name)).collect();
        let served = [
            Role::Scanner,
            Role::Builder,
            Role::Installer,
            Role::Installer,
            Role::Janitor,
            Role::Janitor,
        ];
        let (others, commands) = roles.split_at(4);
        assert_eq!(others, [None; 4]);
        assert_eq!(commands, served.map(Some));
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
            retries: 0,
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
