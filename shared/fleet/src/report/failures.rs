//! All that failed in a run, wherever it did: with the cause, and what to do.

use std::fmt;

use serde::Serialize;

use crate::message::{Failure, Task};
use crate::name::GuestName;
use crate::remedy::next_step;
use crate::state::{Fleet, Run, TaskState};

/// Something that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureReport {
    /// In which step: `sync`, `scan`, `search`, `build`, `install`, `clean`, `collect`; or `machine` of a
    /// builder that gets no work, `platform` of a guest that nobody compiles for, `turn` of one whose turn
    /// did not come.
    pub step: &'static str,
    /// What failed, in words: `install on web`, `build dev-libs/foo-1.0`.
    pub subject: String,
    /// The task, where it is one that failed.
    #[serde(skip)]
    pub task: Option<Task>,
    /// The guest that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest: Option<GuestName>,
    /// Why.
    #[serde(flatten)]
    pub failure: Failure,
    /// What to do.
    pub next_step: &'static str,
    /// Whether another attempt at it follows by itself.
    pub tried_again: bool,
}

/// What failed for good in a run and what is tried again, and why builders get no work.
pub fn failures(fleet: &Fleet, run: &Run) -> Vec<FailureReport> {
    let for_good = run.tasks.keys().filter_map(|task| {
        let failure = run.failure(task)?;
        Some(of_task(run, task, failure, false))
    });
    let again = run.tasks.iter().filter_map(|(task, state)| {
        let failure = tried_again(state)?;
        Some(of_task(run, task, failure, true))
    });
    let guests = run.guests.iter().flat_map(|(name, guest)| {
        let unserved = guest.unserved.iter().map(|failure| ("platform", failure));
        let left_out = guest.left_out.iter();
        let left_out = left_out.map(|failure| ("turn", failure.as_ref()));
        let all = unserved.chain(left_out);
        all.map(move |(step, failure)| FailureReport {
            guest: Some(name.clone()),
            ..failed(step, name.to_string(), failure)
        })
    });
    let stores = run.collected.iter().flat_map(|(platform, collected)| {
        let unknown = collected.unknown.iter();
        unknown.map(move |(guest, failure)| FailureReport {
            guest: Some(guest.clone()),
            ..failed(
                "collect",
                format!("store of {platform}, for {guest}"),
                failure,
            )
        })
    });
    let is_open = run.finished.is_none();
    let machines = machine_failures(fleet).filter(|_| is_open);
    for_good
        .chain(guests)
        .chain(stores)
        .chain(machines)
        .chain(again)
        .collect()
}

/// Why builders get no work.
pub(crate) fn machine_failures(fleet: &Fleet) -> impl Iterator<Item = FailureReport> {
    let unusable = super::unusable(fleet).into_iter();
    unusable.map(|(builder, failure)| failed("machine", format!("builder {builder}"), &failure))
}

/// Why the newest attempt at a task failed that is tried again.
pub(super) fn tried_again(state: &TaskState) -> Option<&Failure> {
    let is_open = state.outcome.is_none();
    let (_, attempt) = state.newest().filter(|_| is_open)?;
    attempt.failure.as_ref().map(|(failure, _)| failure)
}

fn failed(step: &'static str, subject: String, failure: &Failure) -> FailureReport {
    FailureReport {
        step,
        subject,
        task: None,
        guest: None,
        next_step: next_step(failure),
        failure: failure.clone(),
        tried_again: false,
    }
}

/// A build is told by its package.
fn of_task(run: &Run, task: &Task, failure: &Failure, tried_again: bool) -> FailureReport {
    let (step, guest) = match task {
        Task::Sync(_) => ("sync", None),
        Task::Scan(guest) => ("scan", Some(guest)),
        Task::Search(_) => ("search", None),
        Task::Build(_) => ("build", None),
        Task::Install(guest) => ("install", Some(guest)),
        Task::Clean(_) => ("clean", None),
        Task::Collect(_) => ("collect", None),
    };
    let package = match task {
        Task::Build(id) => run.jobs.as_ref().and_then(|jobs| jobs.get(id)),
        _ => None,
    };
    let subject = package.map_or_else(|| task.to_string(), |job| format!("build {}", job.key.cpv));
    FailureReport {
        task: Some(task.clone()),
        guest: guest.cloned(),
        tried_again,
        ..failed(step, subject, failure)
    }
}

impl fmt::Display for FailureReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject, failure, ..
        } = self;
        write!(f, "{subject}: {}: {}", failure.cause, failure.message)
    }
}
