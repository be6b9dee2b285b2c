//! What an operator's retry changes: a task that failed for good is open again.

use super::Fleet;
use super::run::{Run, TaskOutcome};
use crate::message::{RunRequested, Task, WorkKey};
use crate::name::RunId;

impl Fleet {
    /// Opens a task again, where its run can still take up its result: until its further round was
    /// asked for, or one of its builders is cleaned or its store collected. The planner that decides that in this moment
    /// does not know of the retry, so what it says then counts for nothing ([`Run::retries`]).
    pub(super) fn retry(&mut self, work: &WorkKey) {
        if !self.can_retry(work.run, &work.task) {
            return;
        }
        let Some(run) = self.open(work.run) else {
            return;
        };
        let Some(state) = run.tasks.get_mut(&work.task) else {
            return;
        };
        // The same retry once more: another attempt has failed since.
        let is_known = state.attempts.contains_key(&work.attempt) || work.attempt == state.last();
        if work.attempt <= state.before_retry || !is_known {
            return;
        }
        state.before_retry = work.attempt;
        state.outcome = None;
        run.known.forget_progress();
        run.retries = run.retries.saturating_add(1);
        // For guests that were installed without what is built now.
        run.more_rounds = run.more_rounds.max(1);
        let builders: Vec<_> = run.builders().into_iter().cloned().collect();
        let stores: Vec<_> = run.stores().into_iter().cloned().collect();
        let cleanings = builders.into_iter().map(Task::Clean);
        for cleaning in cleanings.chain(stores.into_iter().map(Task::Collect)) {
            // It may have been ordered in this moment, and must not come before the build.
            let cleaning = run.tasks.entry(cleaning).or_default();
            cleaning.before_retry = cleaning.before_retry.saturating_add(1);
        }
    }

    /// Whether this task failed for good and can be tried again within its run.
    pub fn can_retry(&self, run: RunId, task: &Task) -> bool {
        let known = self.runs.get(&run);
        self.takes_retries(run) && known.is_some_and(|run| run.can_retry(task))
    }

    /// Whether something can be tried again within this run: it is not about to end.
    pub(crate) fn takes_retries(&self, run: RunId) -> bool {
        let has_further_round = self.runs.contains_key(&run.following());
        let run = self.runs.get(&run);
        !has_further_round
            && run.is_some_and(|run| run.finished.is_none() && !run.is_being_cleaned())
    }

    /// Whether a further round was asked for by a planner that did not know all retries of the run
    /// before it.
    pub(super) fn is_overtaken(&self, round: &RunRequested) -> bool {
        let before = round.follows.and_then(|before| self.runs.get(&before));
        before.is_some_and(|before| before.retries != round.retries)
    }
}

impl Run {
    /// What was begun on a guest is not tried again: its program is not started twice in one run, and
    /// the next run asks the guest what it needs by then.
    fn can_retry(&self, task: &Task) -> bool {
        let is_of_kind = match task {
            Task::Build(_) => true,
            Task::Install(guest) => !self.is_begun_on(guest),
            Task::Sync(_) | Task::Scan(_) | Task::Search(_) | Task::Clean(_) | Task::Collect(_) => {
                false
            }
        };
        let has_failed = self
            .tasks
            .get(task)
            .is_some_and(|state| matches!(state.outcome, Some(TaskOutcome::Failed { .. })));
        is_of_kind && has_failed
    }

    /// Whether the cleaning of one of its builders was ordered, or the collection of a store.
    fn is_being_cleaned(&self) -> bool {
        let mut cleanings = self
            .tasks
            .iter()
            .filter(|(task, _)| matches!(task, Task::Clean(_) | Task::Collect(_)));
        cleanings.any(|(_, state)| {
            let newest = state.attempts.last_key_value();
            newest.is_some_and(|(number, _)| *number > state.before_retry)
        })
    }
}
