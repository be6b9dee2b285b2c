//! Workers: who lives, who works on what, who is paused and why.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::attempts::open_attempts;
use super::jobs::KnownJobs;
use super::task::TaskView;
use crate::message::{Envelope, Event, Ongoing, PauseTarget, Role, WorkKey};
use crate::name::{BuilderName, WorkerId};
use crate::needs::Capacity;
use crate::state::Fleet;

/// How it is known who lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signs {
    /// By the signs of life that were heard in a while.
    Heard(BTreeMap<WorkerId, Sign>),
    /// By the one process that holds the journal, in which all of these workers run; nobody where
    /// there is no such process.
    Process(BTreeSet<WorkerId>),
}

/// The last sign of life of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    role: Role,
    working_on: Vec<Ongoing>,
    slots: Option<u16>,
    bus_trouble: Option<String>,
    at: Timestamp,
}

impl Signs {
    /// Nobody was heard yet.
    pub fn nobody_heard() -> Self {
        Self::Heard(BTreeMap::new())
    }

    /// What workers say that they work on.
    fn work(&self) -> impl Iterator<Item = &WorkKey> {
        let signs = match self {
            Self::Heard(signs) => Some(signs.values()),
            Self::Process(_) => None,
        };
        let ongoing = signs
            .into_iter()
            .flatten()
            .flat_map(|sign| &sign.working_on);
        ongoing.map(|ongoing| &ongoing.work)
    }

    /// Takes a sign of life over; the last one of a worker counts.
    pub fn hear(&mut self, event: &Envelope<Event>) {
        let Self::Heard(signs) = self else { return };
        let at = event.at;
        let (worker, sign) = match &event.message {
            Event::WorkerAlive(alive) => (
                &alive.worker,
                Sign {
                    role: alive.role,
                    working_on: alive.working_on.clone(),
                    slots: alive.slots,
                    bus_trouble: alive.bus_trouble.clone(),
                    at,
                },
            ),
            Event::PlannerAlive(alive) => (
                &alive.worker,
                Sign {
                    role: Role::Planner,
                    working_on: Vec::new(),
                    slots: None,
                    bus_trouble: None,
                    at,
                },
            ),
            _ => return,
        };
        signs.insert(worker.clone(), sign);
    }
}

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerState {
    /// It works.
    Busy,
    /// It waits for work.
    Idle,
    /// It takes no new work. What it had begun it goes on with.
    Paused,
    /// It gives no sign of life.
    Silent,
}

/// Why a worker takes no work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "lowercase")]
pub enum PauseCause {
    /// An operator wants it so.
    Operator {
        /// The worker or its role.
        target: PauseTarget,
        /// Who wants it.
        by: WorkerId,
        /// Since when.
        since: Timestamp,
        /// Why, in the operator's words.
        reason: Option<String>,
    },
    /// Its machine is unfit.
    Unfit {
        /// The builder.
        builder: Option<BuilderName>,
        /// A stable name of the cause.
        cause: String,
        /// What happened and what to do.
        message: String,
    },
}

/// A piece of work of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerWork {
    /// The work.
    pub task: TaskView,
    /// When the worker claimed it, or else since when its process works on it.
    pub since: Option<Timestamp>,
}

/// A worker as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerView {
    /// The worker.
    pub worker: WorkerId,
    /// Its role.
    pub role: Role,
    /// What it does.
    pub state: WorkerState,
    /// What it works on; for a silent worker, what it still holds a claim on.
    pub working_on: Vec<WorkerWork>,
    /// On how many commands it works at once at most, where it says so.
    pub slots: Option<u16>,
    /// What its machine has for builds, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// Why its bus takes no messages or did not until now, in its words.
    pub bus_trouble: Option<String>,
    /// Why it takes no work, if it takes none.
    pub paused: Vec<PauseCause>,
    /// The queues that it serves, where it has registered.
    pub queues: Vec<String>,
    /// When it last came up, where that is known.
    pub registered_at: Option<Timestamp>,
    /// When it last said anything, by its own clock.
    pub last_seen: Option<Timestamp>,
}

/// The workers, those that live first. A planner that is silent is left out: its id is never used
/// again, so it is gone for good.
pub fn workers(fleet: &Fleet, signs: &Signs) -> Vec<WorkerView> {
    let held = held(fleet);
    let claims = held.values().flatten().map(|(work, _)| work);
    let jobs = KnownJobs::of_work(fleet, claims.chain(signs.work()));
    let mut names: BTreeSet<&WorkerId> = fleet.workers.keys().collect();
    match signs {
        Signs::Heard(signs) => names.extend(signs.keys()),
        Signs::Process(alive) => names.extend(alive.iter().filter(|id| held.contains_key(*id))),
    }
    let mut views: Vec<WorkerView> = names
        .into_iter()
        .filter_map(|worker| view(fleet, signs, &jobs, &held, worker))
        .filter(|view| view.role != Role::Planner || view.state != WorkerState::Silent)
        .collect();
    views.sort_by_key(|view| {
        let is_silent = view.state == WorkerState::Silent;
        (is_silent, view.role, view.worker.clone())
    });
    views
}

fn view(
    fleet: &Fleet,
    signs: &Signs,
    jobs: &KnownJobs,
    held: &BTreeMap<WorkerId, Vec<(WorkKey, Timestamp)>>,
    worker: &WorkerId,
) -> Option<WorkerView> {
    let registration = fleet.workers.get(worker);
    let (is_alive, sign) = match signs {
        Signs::Heard(signs) => (signs.contains_key(worker), signs.get(worker)),
        Signs::Process(alive) => (alive.contains(worker), None),
    };
    let role = sign.map(|sign| sign.role);
    let role = role.or_else(|| registration.map(|registration| registration.role))?;
    let claims = held.get(worker).map(Vec::as_slice).unwrap_or_default();
    let since = |work: &WorkKey| {
        let claim = claims.iter().find(|(held, _)| held == work);
        claim.map(|(_, since)| *since)
    };
    let work: Vec<(&WorkKey, Option<Timestamp>)> = match sign {
        Some(sign) => {
            let ongoing = sign.working_on.iter();
            // A claim tells more than a process, which may have come to its work a second time.
            ongoing
                .map(|ongoing| (&ongoing.work, since(&ongoing.work).or(ongoing.since)))
                .collect()
        }
        None => claims.iter().map(|(work, at)| (work, Some(*at))).collect(),
    };
    let paused = causes(fleet, worker, role);
    let state = match (is_alive, paused.is_empty(), work.is_empty()) {
        (false, _, _) => WorkerState::Silent,
        (true, false, _) => WorkerState::Paused,
        (true, true, false) => WorkerState::Busy,
        (true, true, true) => WorkerState::Idle,
    };
    let registered_at = registration.map(|registration| registration.at);
    let last_claim = claims.iter().map(|(_, since)| *since).max();
    Some(WorkerView {
        worker: worker.clone(),
        role,
        state,
        working_on: work
            .iter()
            .map(|(work, since)| WorkerWork {
                task: TaskView::of(work, jobs),
                since: *since,
            })
            .collect(),
        slots: sign.and_then(|sign| sign.slots),
        capacity: registration
            .and_then(|registration| registration.machine.as_ref())
            .and_then(|machine| machine.capacity),
        bus_trouble: sign.and_then(|sign| sign.bus_trouble.clone()),
        paused,
        queues: registration
            .map(|registration| registration.queues.clone())
            .unwrap_or_default(),
        registered_at,
        last_seen: sign
            .map(|sign| sign.at)
            .or_else(|| registered_at.max(last_claim)),
    })
}

/// The claims that every worker holds on work without a result, and since when.
fn held(fleet: &Fleet) -> BTreeMap<WorkerId, Vec<(WorkKey, Timestamp)>> {
    let mut held: BTreeMap<WorkerId, Vec<(WorkKey, Timestamp)>> = BTreeMap::new();
    for (work, attempt) in open_attempts(fleet) {
        if let Some(claim) = &attempt.claim {
            let claims = held.entry(claim.worker.clone()).or_default();
            claims.push((work, claim.at));
        }
    }
    held
}

fn causes(fleet: &Fleet, worker: &WorkerId, role: Role) -> Vec<PauseCause> {
    let targets = [PauseTarget::Worker(worker.clone()), PauseTarget::Role(role)];
    let by_operators = targets.into_iter().filter_map(|target| {
        let pause = fleet.pauses.get(&target)?;
        Some(PauseCause::Operator {
            target,
            by: pause.by.clone(),
            since: pause.since,
            reason: pause.reason.clone(),
        })
    });
    let unfit = fleet.workers.get(worker).and_then(|registration| {
        let (builder, failure) = registration.paused.as_ref()?;
        Some(PauseCause::Unfit {
            builder: builder.clone(),
            cause: failure.cause.clone(),
            message: failure.message.clone(),
        })
    });
    by_operators.chain(unfit).collect()
}
