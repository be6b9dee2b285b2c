//! What the bus counts and measures, on both of its implementations.

use gentoo_updater_fleet::message::{Envelope, Event};
use gentoo_updater_telemetry::{Label, Metric};
use tokio::time::Instant;

/// The metrics of the bus, which every process has that is connected to others.
pub const METRICS: &[&Metric] = &[
    &PUBLISHED,
    &CONFIRMED,
    &RETURNED,
    &UNCONFIRMED,
    &CONFIRM_SECONDS,
    &DELIVERED,
    &REDELIVERED,
    &DEAD_LETTERS,
    &CONNECTIONS,
];

/// What is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Event,
    Alive,
    Command,
    DeadLetter,
    Snapshot,
}

impl Sent {
    /// What this event counts as.
    pub(crate) fn of(event: &Envelope<Event>) -> Self {
        match event.message.is_alive() {
            true => Self::Alive,
            false => Self::Event,
        }
    }

    /// As a label says it.
    pub(crate) fn label(self) -> [&'static str; 1] {
        [match self {
            Self::Event => "event",
            Self::Alive => "alive",
            Self::Command => "command",
            Self::DeadLetter => "dead_letter",
            Self::Snapshot => "snapshot",
        }]
    }
}

/// A message on its way into a bus that says at once whether it is kept.
pub(crate) struct Publishing {
    sent: [&'static str; 1],
    since: Instant,
}

impl Publishing {
    pub(crate) fn begin(sent: Sent) -> Self {
        let (sent, since) = (sent.label(), Instant::now());
        PUBLISHED.count(sent);
        Self { sent, since }
    }

    pub(crate) fn confirmed(self) {
        CONFIRMED.count(self.sent);
        CONFIRM_SECONDS.observe(self.sent, self.since.elapsed());
    }
}

/// The labels of what is taken off a queue.
pub(crate) const COMMAND: [&str; 1] = ["command"];
pub(crate) const WAKEUP: [&str; 1] = ["wakeup"];

const SENT: Label = Label::new(
    "message",
    &["event", "alive", "command", "dead_letter", "snapshot"],
);
const TAKEN: Label = Label::new("message", &["command", "wakeup"]);

pub(crate) const PUBLISHED: Metric = Metric::counter(
    "gentoo_updater_bus_messages_published_total",
    &[SENT],
    "Messages handed to the bus, each try counted",
);
pub(crate) const CONFIRMED: Metric = Metric::counter(
    "gentoo_updater_bus_messages_confirmed_total",
    &[SENT],
    "Messages that the bus has confirmed as kept",
);
pub(crate) const RETURNED: Metric = Metric::counter(
    "gentoo_updater_bus_messages_returned_total",
    &[SENT],
    "Messages that came back because no queue takes them",
);
pub(crate) const UNCONFIRMED: Metric = Metric::counter(
    "gentoo_updater_bus_messages_unconfirmed_total",
    &[SENT],
    "Tries that ended without a confirm because of a fault; the message is published again",
);
pub(crate) const CONFIRM_SECONDS: Metric = Metric::histogram(
    "gentoo_updater_bus_confirm_duration_seconds",
    &[SENT],
    "Time from the first try to publish a message until it was confirmed",
);
pub(crate) const DELIVERED: Metric = Metric::counter(
    "gentoo_updater_bus_messages_delivered_total",
    &[TAKEN],
    "Messages taken off a queue to be worked on",
);
pub(crate) const REDELIVERED: Metric = Metric::counter(
    "gentoo_updater_bus_messages_redelivered_total",
    &[TAKEN],
    "Those of the delivered messages that the broker had delivered before",
);
pub(crate) const DEAD_LETTERS: Metric = Metric::counter(
    "gentoo_updater_bus_dead_letters_total",
    &[],
    "Messages that this process has put to the dead letters",
);
pub(crate) const CONNECTIONS: Metric = Metric::counter(
    "gentoo_updater_bus_connections_opened_total",
    &[],
    "Connections opened to the broker: two at the start, and one more after each fault",
);
