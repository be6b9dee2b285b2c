//! The attempts at a task.

use gentoo_updater_fleet::message::{Failure, Task};
use gentoo_updater_fleet::name::{BuilderName, WorkerId};
use gentoo_updater_fleet::state::{Run, TaskOutcome};
use jiff::Timestamp;
use serde::Serialize;

/// One attempt at a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttemptView {
    /// Counts from 1.
    pub attempt: u32,
    /// The queue that took its command.
    pub queue: Option<String>,
    /// When that was, by the planner's clock.
    pub issued_at: Option<Timestamp>,
    /// Who works on it or did.
    pub worker: Option<WorkerId>,
    /// On which builder, for builds.
    pub builder: Option<BuilderName>,
    /// Since when, by the worker's clock.
    pub started_at: Option<Timestamp>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// When.
    pub failed_at: Option<Timestamp>,
}

/// The attempts at a task, the first one first. What ended the task is told of the last one.
pub(super) fn attempts(run: &Run, task: &Task) -> Vec<AttemptView> {
    let Some(state) = run.tasks.get(task) else {
        return Vec::new();
    };
    let last = state.attempts.keys().next_back().copied();
    let views = state.attempts.iter().map(|(number, attempt)| {
        let end = match &state.outcome {
            Some(TaskOutcome::Failed { failure, at }) if Some(*number) == last => {
                Some((failure.clone(), *at))
            }
            _ => attempt.failure.clone(),
        };
        let (failure, failed_at) = end.unzip();
        let (issued, claim) = (attempt.issued.as_ref(), attempt.claim.as_ref());
        AttemptView {
            attempt: *number,
            queue: issued.map(|issued| issued.queue.clone()),
            issued_at: issued.map(|issued| issued.first),
            worker: claim.map(|claim| claim.worker.clone()),
            builder: claim.and_then(|claim| claim.builder.clone()),
            started_at: claim.map(|claim| claim.at),
            failure,
            failed_at,
        }
    });
    views.collect()
}
