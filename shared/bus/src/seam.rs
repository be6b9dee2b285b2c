//! What a worker may expect of a bus, whichever it is.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use gentoo_updater_fleet::message::{Command, Envelope, Event};
use gentoo_updater_fleet::name::EventId;
use gentoo_updater_fleet::snapshot::Snapshot;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::unusable::Unusable;

/// Why the bus cannot go on.
///
/// Faults that pass (a cut connection, a broker that restarts) are not errors of this type: the
/// bus mends them itself, with a growing and jittered pause, for as long as it takes.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BusError {
    /// The process that works with the journal takes nothing from others.
    #[error(
        "another gentoo-updater works on this fleet and has not taken it within {seconds} s, so it is not \
         said: wait until that one has ended, or interrupt it (Ctrl-C; its run is kept), and repeat this \
         command"
    )]
    NotTaken {
        /// For how long it was waited.
        seconds: u64,
    },
    /// The folder beside the journal cannot be used.
    #[error("the folder {path} cannot be used: {detail}")]
    SaidUnusable {
        /// Where it is.
        path: std::path::PathBuf,
        /// Why.
        detail: String,
    },
    /// The broker does not know this user, or not this password.
    #[error(
        "the broker refuses the login of user {user}: the name or the password is wrong. They are those \
         of `broker.url`, in the configuration or in GENTOO_UPDATER__BROKER__URL; where `broker.access` \
         is \"separate\", `gentoo-updater broker setup` writes the URL of each user"
    )]
    LoginRefused {
        /// The user.
        user: String,
    },
    /// There is no such vhost, or this user has no permissions there.
    #[error(
        "the broker does not let user {user} in: {detail}. The vhost is the end of `broker.url`; \
         `rabbitmqctl set_permissions`, or what `gentoo-updater broker setup` writes, lets a user in"
    )]
    VhostRefused {
        /// The user.
        user: String,
        /// What the broker said.
        detail: String,
    },
    /// The broker refuses this user this operation. Trying again would not help.
    #[error(
        "the broker refuses access: {detail}; check the permissions of that user: `gentoo-updater broker \
         permissions` shows what each needs, and one user for all needs '.*' three times"
    )]
    AccessRefused {
        /// What the broker said.
        detail: String,
    },
    /// Each role and each guest has a user of its own, and this process has not the right one.
    #[error(
        "{detail}; `broker.access` is \"separate\", so give this process the `broker.url` that \
         `gentoo-updater broker setup` wrote for it"
    )]
    WrongUser {
        /// What this user may not do.
        detail: String,
    },
    /// The broker's certificate is not signed by whom this machine trusts, or is for another name.
    #[error(
        "the certificate of the broker is not trusted: {detail}; check `broker.ca` and the host in \
         `broker.url`"
    )]
    Untrusted {
        /// Why.
        detail: String,
    },
    /// The file of the broker's certificate authorities cannot be used.
    #[error("`broker.ca` {path} cannot be used: {detail}")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// A queue or exchange exists with other properties.
    #[error(
        "{name} exists on the broker with other properties: {detail}; delete it or use another vhost"
    )]
    DeclaredOtherwise {
        /// The queue or exchange.
        name: String,
        /// What the broker said.
        detail: String,
    },
    /// A stream is not the one any more that this process has read: somebody deleted it.
    #[error(
        "the stream {name} was deleted while this process read it, and what it held is gone; start \
         this process again, and request the run anew if one was going on"
    )]
    Replaced {
        /// The stream.
        name: String,
    },
    /// An event that the broker confirmed or delivered is not in the history.
    #[error(
        "the event {id} is not in the history, so the history was deleted and made again meanwhile; \
         start this process again"
    )]
    EventLost {
        /// The event.
        id: EventId,
    },
    /// The broker refuses a message for what it is, for example because it is too large. It
    /// would refuse it every time.
    #[error("the broker refuses {kind}: {detail}")]
    MessageRefused {
        /// The type of the message.
        kind: String,
        /// What the broker said.
        detail: String,
    },
    /// The journal of the embedded bus cannot be read or written.
    #[error("the journal {path} cannot be used: {detail}")]
    Journal {
        /// Its path.
        path: String,
        /// Why.
        detail: String,
    },
    /// The URL of the broker cannot be understood. It is not repeated: it holds a password.
    #[error("`broker.url` cannot be understood: {detail}")]
    Url {
        /// Why.
        detail: String,
    },
    /// There is no such queue, or it is none that messages are taken off.
    #[error("there is no queue {name} that messages can be taken off")]
    NoQueue {
        /// The name.
        name: String,
    },
    /// Somebody else works with it, and that did not end in time.
    #[error("{name} is in use: {detail}")]
    InUse {
        /// What.
        name: String,
        /// By whom, or since when.
        detail: String,
    },
    /// This handle only reads the history of another process.
    #[error("this journal is only read here: another process works with it")]
    ReadOnly,
    /// A message of this program cannot be written as JSON.
    #[error("a message cannot be encoded: {0}")]
    Encode(Arc<serde_json::Error>),
    /// The bus was closed by its own process.
    #[error("the bus is closed")]
    Closed,
}

impl From<serde_json::Error> for BusError {
    fn from(error: serde_json::Error) -> Self {
        Self::Encode(Arc::new(error))
    }
}

/// Where to begin to read the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// At the oldest event that is kept.
    First,
    /// At this offset.
    Offset(u64),
    /// At the first event that came to the history at this time or later, or some events before
    /// it: a broker finds the place only roughly.
    Time(Timestamp),
}

/// One event of the history.
#[derive(Debug)]
pub struct HistoryItem {
    /// Its place in the one order that all readers see.
    pub offset: u64,
    /// The event, or why it cannot be used. The reader says so and goes on.
    pub event: Result<Envelope<Event>, Unusable>,
}

/// Exchanges events and commands with the other workers.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Publishes an event and waits until it is safe: persistent, routed and confirmed.
    /// It tries again through every passing fault, so a reader may see the event twice.
    async fn publish(&self, event: &Envelope<Event>) -> Result<(), BusError>;

    /// Puts a command into a queue (named as in `topology`) and waits until it is safe, as
    /// [`Bus::publish`] does.
    async fn issue(&self, queue: &str, command: &Envelope<Command>) -> Result<(), BusError>;

    /// Puts a command that lies in no queue to the dead letters, as one of `queue` and with the
    /// cause, and waits until it is safe. A command that was delivered is refused instead
    /// ([`Settle::reject`]).
    async fn bury(
        &self,
        queue: &str,
        command: &Envelope<Command>,
        cause: String,
    ) -> Result<(), BusError>;

    /// Takes commands out of these queues, one for each call of [`Commands::next`].
    async fn commands(&self, queues: &[String]) -> Result<Box<dyn Commands>, BusError>;

    /// Reads the history from a position on, without end.
    async fn history(&self, from: Position) -> Result<Box<dyn History>, BusError>;

    /// The offset of the newest event of the history at about this moment; `None` while it is
    /// empty. Who has read as far knows all that was known when it asked.
    async fn end(&self) -> Result<Option<u64>, BusError>;

    /// What wakes the planner. Of several planners only one gets them at a time.
    async fn wakeups(&self) -> Result<Box<dyn Wakeups>, BusError>;

    /// The signs of life of all workers from now on.
    async fn alive(&self) -> Result<Box<dyn Alive>, BusError>;

    /// Keeps a snapshot of the state, and waits until it is safe.
    async fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), BusError>;

    /// The newest snapshot that this program can read; `None` where there is none.
    async fn newest_snapshot(&self) -> Result<Option<Snapshot>, BusError>;

    /// What the bus says of one queue; `None` where there is no such queue. It is a hint: a broker
    /// whose queue is busy at the moment says that there is nothing in it and nobody at it.
    async fn queue(&self, name: &str) -> Result<Option<QueueState>, BusError>;

    /// Whether the bus takes messages, as it changes.
    fn health(&self) -> watch::Receiver<Health>;

    /// Ends all connections in good order.
    async fn close(&self);
}

/// What the bus says of one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueState {
    /// How many messages wait in it. What was delivered and is not settled does not count. Of a
    /// stream it is the number that is kept, which a broker knows some seconds late.
    pub ready: u64,
    /// How many consumers it has, where the bus knows it.
    pub consumers: Option<u32>,
}

/// Whether the bus takes messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Health {
    /// It does, or nothing else is known.
    #[default]
    Good,
    /// The broker takes none because of an alarm (memory or disk is short), in its words.
    Blocked(String),
    /// There is no connection, and why.
    Disconnected(String),
}

/// Looks into queues and dead letters and puts them right: what an operator does by hand. Nothing
/// of it is needed for a run.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// Takes all waiting messages off a queue and says how many there were. The planner issues
    /// again what is still wanted. Fails with [`BusError::NoQueue`] where there is none.
    async fn purge(&self, queue: &str) -> Result<u64, BusError>;

    /// The dead letters, oldest first, at most so many. Looking at them changes nothing.
    ///
    /// Whoever looks through this trait is alone with them: a second one waits, and gives up with
    /// [`BusError::InUse`]. What a foreign program holds meanwhile is missing here.
    async fn dead_letters(&self, most: usize) -> Result<Vec<DeadLetter>, BusError>;

    /// Puts these dead letters back where they came from. One that cannot go back stays, and
    /// stops no other.
    ///
    /// A letter is taken off when it is safe in its queue. A crash between the two leaves it in
    /// both places, and never in none.
    async fn retry_dead(&self, letters: &BTreeSet<LetterId>) -> Result<Retried, BusError>;

    /// Deletes these dead letters; says which were there.
    async fn drop_dead(&self, letters: &BTreeSet<LetterId>) -> Result<Vec<LetterId>, BusError>;

    /// Asks whether the bus takes messages now.
    async fn probe(&self) -> Result<Health, BusError>;
}

/// A message that could not be used, with the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Names it for as long as it is here.
    pub id: LetterId,
    /// The queue that it was in.
    pub queue: String,
    /// Why it is here.
    pub cause: String,
    /// When it came here.
    pub at: Timestamp,
    /// How often it had been delivered, where that is known.
    pub deliveries: Option<u64>,
    /// Who had sent it, as the broker knows the sender.
    pub user: Option<String>,
    /// Who put it here and says all this of it; absent where the bus itself did.
    pub buried_by: Option<String>,
    /// The message as it was.
    pub body: Vec<u8>,
}

/// What became of dead letters that were to go back. Those that were not there are in neither.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retried {
    /// Those that are back where they came from.
    pub returned: Vec<LetterId>,
    /// Those that stay.
    pub stayed: Vec<NoWayBack>,
}

/// Why a dead letter stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoWayBack {
    /// The letter.
    pub letter: LetterId,
    /// The queue that it was in.
    pub queue: String,
    /// Why it cannot go back there.
    pub cause: String,
}

/// Names a dead letter: the first twelve hexadecimal digits of a digest of all that it says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LetterId(pub String);

impl LetterId {
    /// The same letter has the same id at each look.
    pub(crate) fn of(queue: &str, cause: &str, at: Timestamp, body: &[u8]) -> Self {
        let at = at.as_nanosecond().to_be_bytes();
        let mut digest = Sha256::new();
        for part in [queue.as_bytes(), cause.as_bytes(), &at, body] {
            // With its length, so that nothing can move from one part to the next.
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        let digest = digest.finalize();
        let digits = digest.iter().take(6).map(|byte| format!("{byte:02x}"));
        Self(digits.collect())
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Commands as they are asked for.
#[async_trait]
pub trait Commands: Send {
    /// Takes one command, and waits for one where there is none yet. What cannot be decoded has
    /// gone to the dead letters by then.
    ///
    /// Nothing is fetched ahead: a command that waits behind a build of many hours in the memory
    /// of one worker could not be taken by another one that is free.
    ///
    /// It may be cancelled and called again: no command gets lost by it.
    async fn next(&mut self) -> Result<CommandDelivery, BusError>;

    /// Says that no command is wanted for now: what is on its way here goes to others. The next
    /// call of [`Commands::next`] listens again. Deliveries that wait for their settlement stay.
    async fn rest(&mut self);
}

/// A command that waits for its settlement.
pub struct CommandDelivery {
    /// The queue that it came from.
    pub queue: String,
    /// The command.
    pub command: Envelope<Command>,
    /// How to settle it.
    pub settle: Box<dyn Settle>,
}

/// Settles one delivery. Dropping it without a call gives the message back to its queue.
#[async_trait]
pub trait Settle: Send {
    /// Takes the message off its queue. When the connection that delivered it is gone this does
    /// nothing, and the message comes again: claims make that harmless.
    async fn ack(self: Box<Self>) -> Result<(), BusError>;

    /// Sends the message to the dead letters, with the cause.
    async fn reject(self: Box<Self>, cause: String) -> Result<(), BusError>;
}

/// The history as it grows.
#[async_trait]
pub trait History: Send {
    /// The next event in offset order; waits for one where there is none yet. It may be cancelled
    /// and called again.
    async fn next(&mut self) -> Result<HistoryItem, BusError>;
}

/// An event that wakes the planner.
pub struct Wakeup {
    /// The event. Signs of life come this way too.
    pub event: Envelope<Event>,
    /// How to settle it.
    pub settle: Box<dyn Settle>,
}

/// What wakes the planner.
#[async_trait]
pub trait Wakeups: Send {
    /// The next event. What cannot be decoded has gone to the dead letters by then. It may be
    /// cancelled and called again.
    async fn next(&mut self) -> Result<Wakeup, BusError>;
}

/// Signs of life.
#[async_trait]
pub trait Alive: Send {
    /// The next `WorkerAlive` or `PlannerAlive`. It may be cancelled and called again; who reads
    /// too slowly misses some.
    async fn next(&mut self) -> Result<Envelope<Event>, BusError>;
}
