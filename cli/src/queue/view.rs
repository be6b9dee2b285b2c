//! A queue as it is shown: what the broker says of it beside what the history says. Pure.

use std::collections::BTreeMap;

use gentoo_updater_bus::{Health, QueueState, topology};
use gentoo_updater_fleet::inspect::{Claimed, QueueWork, Waiting};
use gentoo_updater_fleet::message::PauseTarget;
use gentoo_updater_fleet::report::{PauseReport, paused};
use gentoo_updater_fleet::state::Fleet;
use serde::Serialize;

/// A queue as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct QueueView {
    /// Its name.
    pub(super) name: String,
    /// How many messages wait in it by the broker; absent where the broker has no such queue.
    pub(super) depth: Option<u64>,
    /// How many consumers it has, where the broker knows it.
    pub(super) consumers: Option<u32>,
    /// What was issued to it and is not claimed; absent for a queue that holds no commands.
    pub(super) waiting: Option<Vec<Waiting>>,
    /// What was taken from it and has no result yet.
    pub(super) worked_on: Vec<Claimed>,
    /// The pauses of operators that keep workers from taking its work.
    pub(super) paused: Vec<PauseReport>,
    /// The workers that serve it and take no work because their machine is unfit, with the cause.
    pub(super) unfit: BTreeMap<String, String>,
    /// Where the broker has another number of messages than the history.
    pub(super) difference: Option<Difference>,
}

/// How the broker's number of messages differs from that of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Difference {
    /// The broker has fewer.
    Fewer {
        /// By how many.
        by: u64,
    },
    /// The broker has more.
    More {
        /// By how many.
        by: u64,
    },
    /// The broker has no such queue.
    Missing,
}

impl Difference {
    /// Compares the broker's number with that of the history.
    pub(super) fn of(state: Option<QueueState>, waiting: usize) -> Option<Self> {
        let waiting = waiting as u64;
        match state {
            None => (waiting > 0).then_some(Self::Missing),
            Some(state) if state.ready < waiting => Some(Self::Fewer {
                by: waiting - state.ready,
            }),
            Some(state) if state.ready > waiting => Some(Self::More {
                by: state.ready - waiting,
            }),
            Some(_) => None,
        }
    }

    /// What it means.
    pub(super) fn words(self) -> String {
        match self {
            Self::Fewer { by } => format!(
                "the queue lacks {by}: a worker is about to claim what is missing, or the queue was \
                 purged; the planner issues again what is lost"
            ),
            Self::More { by } => format!(
                "the queue holds {by} more: a command that was issued twice (harmless, its claim \
                 is taken), work of a run that is over, or a message of somebody else; what cannot \
                 be used will be a dead letter"
            ),
            Self::Missing => "the broker has no such queue: whoever comes up next declares it, \
                              and the planner issues again what is lost"
                .to_owned(),
        }
    }
}

/// One queue, of the broker's word and the history's.
pub(super) fn view(
    name: &str,
    state: Option<QueueState>,
    work: Option<&QueueWork>,
    fleet: &Fleet,
) -> QueueView {
    let role = topology::role_of(name);
    let work = work.cloned().unwrap_or_default();
    let serves = |target: &PauseTarget| match target {
        PauseTarget::Role(paused) => role == Some(*paused),
        PauseTarget::Worker(worker) => fleet
            .workers
            .get(worker)
            .is_some_and(|worker| worker.queues.iter().any(|queue| queue == name)),
    };
    let unfit = fleet.workers.iter().filter_map(|(id, worker)| {
        let (_, failure) = worker.paused.as_ref()?;
        let serves = worker.queues.iter().any(|queue| queue == name);
        serves.then(|| (id.to_string(), failure.cause.clone()))
    });
    QueueView {
        name: name.to_owned(),
        depth: state.map(|state| state.ready),
        consumers: state.and_then(|state| state.consumers),
        difference: role.and_then(|_| Difference::of(state, work.waiting.len())),
        waiting: role.map(|_| work.waiting),
        worked_on: work.claimed,
        paused: paused(fleet)
            .into_iter()
            .filter(|pause| serves(&pause.target))
            .collect(),
        unfit: unfit.collect(),
    }
}

/// Whether the bus takes messages, for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct HealthView {
    /// `good`, `blocked` or `disconnected`.
    pub(crate) state: &'static str,
    /// The broker's words.
    pub(crate) detail: Option<String>,
}

impl From<&Health> for HealthView {
    fn from(health: &Health) -> Self {
        let (state, detail) = match health {
            Health::Good => ("good", None),
            Health::Blocked(detail) => ("blocked", Some(detail.clone())),
            Health::Disconnected(detail) => ("disconnected", Some(detail.clone())),
        };
        Self { state, detail }
    }
}

/// Whether the bus takes messages, for people.
pub(crate) fn health_words(health: &Health) -> String {
    match health {
        Health::Good => "The bus takes messages.".to_owned(),
        Health::Blocked(detail) => format!(
            "THE BROKER TAKES NO MESSAGES ({detail}): nothing goes on until its alarm is over; \
             give it room, or raise its limits in rabbitmq.conf"
        ),
        Health::Disconnected(detail) => format!(
            "THERE IS NO CONNECTION TO THE BROKER ({detail}): is it up, and is broker.url right?"
        ),
    }
}
