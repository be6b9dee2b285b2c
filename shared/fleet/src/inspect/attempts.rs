//! The attempts that are still open.

use crate::message::WorkKey;
use crate::state::{Attempt, Fleet};

/// The last attempt at each task that has no outcome, in the runs that go on, unless it has failed
/// and another one will follow. An attempt that another one follows was lost or has failed.
pub(super) fn open_attempts(fleet: &Fleet) -> impl Iterator<Item = (WorkKey, &Attempt)> {
    let tasks = fleet.unfinished().flat_map(|run| {
        run.tasks
            .iter()
            .map(move |(task, state)| (run, task, state))
    });
    tasks.filter_map(|(run, task, state)| {
        let (number, attempt) = state.attempts.last_key_value()?;
        let is_open = state.outcome.is_none() && attempt.failure.is_none();
        let work = WorkKey {
            run: run.id,
            task: task.clone(),
            attempt: *number,
        };
        is_open.then_some((work, attempt.as_ref()))
    })
}
