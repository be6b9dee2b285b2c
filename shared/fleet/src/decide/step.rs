//! What follows from the newest attempt at a task: wait, try again, or give up.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Decision;
use crate::message::{Failure, FailureClass, Task, WorkKey};
use crate::name::WorkerId;
use crate::state::{Attempt, Claim, Issued, Registration, TaskState};
use crate::words::counted;

/// The cause of a task whose workers all fell silent.
pub const WORKERS_FELL_SILENT: &str = "WorkersFellSilent";

/// The cause of a task that waited for too long without a living worker that could do it.
pub const NOBODY_SERVES: &str = "NobodyServes";

/// The cause of an installation whose command came when the maintenance window had closed. Nothing was
/// tried, so it is no attempt.
pub const WINDOW_CLOSED: &str = "WindowClosed";

/// The longest pause before an attempt.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

pub(super) enum Step {
    /// Something else comes first.
    Wait,
    /// Issue this attempt.
    Issue(u32),
    /// Give the task up.
    Abandon(Failure),
    /// Give the task up, and keep its command from whoever might take it yet.
    Bury(Failure),
}

impl Decision<'_, '_> {
    /// What follows from the newest attempt at a task that has no outcome yet.
    pub(super) fn next_step(&self, work: &WorkKey, state: &TaskState, attempt: &Attempt) -> Step {
        if let Some((failure, _)) = &attempt.failure {
            self.after_failure(work, state, failure)
        } else if let Some(claim) = &attempt.claim {
            self.while_claimed(work, state, claim)
        } else if let Some(issued) = &attempt.issued {
            self.while_issued(work, issued)
        } else {
            Step::Issue(work.attempt)
        }
    }

    fn after_failure(&self, work: &WorkKey, state: &TaskState, failure: &Failure) -> Step {
        let spent = self.spent(&work.task, state);
        // Nothing is built until a search is over, and whoever builds looks again. The next run
        // collects again.
        let is_once = matches!(work.task, Task::Search(_) | Task::Collect(_));
        if spent >= self.patience.attempts || is_once {
            return Step::Abandon(failure.clone());
        }
        let doublings = spent.saturating_sub(1).min(16);
        let delay = self.patience.retry_delay * 2u32.pow(doublings);
        if self.liveness.has_waited(work, delay.min(LONGEST_DELAY))
            && !(failure.is_of_machine() && self.others_are_busy(&work.task, state))
        {
            Step::Issue(work.attempt + 1)
        } else {
            Step::Wait
        }
    }

    fn while_claimed(&self, work: &WorkKey, state: &TaskState, claim: &Claim) -> Step {
        if !self.liveness.is_lost(work) {
            return Step::Wait;
        }
        if self.spent(&work.task, state) < self.patience.attempts {
            return Step::Issue(work.attempt + 1);
        }
        let message = format!(
            "{} ended without a result; the last worker, {}, fell silent: look at its log. The \
             command is kept with the dead letters",
            counted(work.attempt, "attempt"),
            claim.worker
        );
        let class = FailureClass::Permanent;
        Step::Bury(Failure::new(class, WORKERS_FELL_SILENT, message))
    }

    fn while_issued(&self, work: &WorkKey, issued: &Issued) -> Step {
        if !self.liveness.is_given_up(work) {
            let is_missing = self.liveness.is_missing(work);
            return if is_missing {
                Step::Issue(work.attempt)
            } else {
                Step::Wait
            };
        }
        let queue = &issued.queue;
        let serving = self.fleet.workers.iter();
        let unfit: Vec<String> = serving
            .filter(|(_, worker)| worker.queues.contains(queue))
            .filter_map(|(id, worker)| {
                let (_, failure) = worker.paused.as_ref()?;
                Some(format!("{id} takes no work: {failure}"))
            })
            .collect();
        let message = if unfit.is_empty() {
            format!(
                "no worker that lives serves the queue {queue}: start one, with a configuration \
                 that names this machine, and run again"
            )
        } else {
            unfit.join("; ")
        };
        let class = FailureClass::Permanent;
        Step::Abandon(Failure::new(class, NOBODY_SERVES, message))
    }

    /// How many of the attempts count. Where the machine of a builder is to blame, the package is
    /// not, and its attempts are kept for another builder: while there is one that lives, is fit
    /// and has not failed so itself, the first failure of each machine is free. A second one of
    /// the same machine counts, or a worker that is broken and does not know it could go on for
    /// ever.
    fn spent(&self, task: &Task, state: &TaskState) -> u32 {
        // An operator's retry begins anew.
        let counted = state.attempts.range(state.before_retry.saturating_add(1)..);
        let counted = counted.filter(|(_, attempt)| !came_too_late(attempt));
        let all = u32::try_from(counted.count()).unwrap_or(u32::MAX);
        if !matches!(task, Task::Build(_)) {
            return all;
        }
        let unfit = unfit_for(state);
        let has_another = self.others(state, &unfit).next().is_some();
        match has_another {
            true => all - u32::try_from(unfit.len()).unwrap_or(all).min(all),
            false => all,
        }
    }

    /// The workers that could do a task, live and are fit, without these.
    fn others<'a>(
        &'a self,
        state: &'a TaskState,
        without: &'a BTreeSet<&WorkerId>,
    ) -> impl Iterator<Item = (&'a WorkerId, &'a Registration)> {
        let queues: BTreeSet<&String> = state
            .attempts
            .values()
            .filter_map(|attempt| Some(&attempt.issued.as_ref()?.queue))
            .collect();
        self.fleet.workers.iter().filter(move |(id, worker)| {
            !without.contains(id)
                && worker.paused.is_none()
                && self.liveness.is_alive(id)
                && worker.queues.iter().any(|queue| queues.contains(queue))
        })
    }

    /// Whether whoever could do a build has no slot free. In the queue its next attempt would only
    /// stand in the way of other work of a builder whose machine is to blame for the last one, and
    /// which leaves it to them.
    fn others_are_busy(&self, task: &Task, state: &TaskState) -> bool {
        if !matches!(task, Task::Build(_)) {
            return false;
        }
        let unfit = unfit_for(state);
        let is_free = |id: &WorkerId, worker: &Registration| {
            let slots = worker.machine.as_ref().and_then(|machine| machine.slots);
            self.claims_of(id) < usize::from(slots.unwrap_or(1))
        };
        let mut could = self
            .others(state, &unfit)
            .filter(|(id, worker)| self.fleet.pause_of(id, worker.role).is_none())
            .peekable();
        could.peek().is_some() && !could.any(|(id, worker)| is_free(id, worker))
    }

    /// On how many builds a worker works.
    fn claims_of(&self, id: &WorkerId) -> usize {
        let tasks = self.fleet.unfinished().flat_map(|run| &run.tasks);
        let claimed = tasks.filter(|(task, state)| {
            let newest = state.newest().map(|(_, attempt)| attempt);
            let claim = newest.filter(|attempt| attempt.failure.is_none());
            let claim = claim.and_then(|attempt| attempt.claim.as_ref());
            matches!(task, Task::Build(_))
                && state.outcome.is_none()
                && claim.is_some_and(|claim| claim.worker == *id)
        });
        claimed.count()
    }
}

/// Whether the command of an attempt came when the window had closed.
fn came_too_late(attempt: &Attempt) -> bool {
    let failure = attempt.failure.as_ref().map(|(failure, _)| failure);
    failure.is_some_and(|failure| failure.cause == WINDOW_CLOSED)
}

/// The workers whose machines are to blame for a failed attempt.
fn unfit_for(state: &TaskState) -> BTreeSet<&WorkerId> {
    let counted = state.attempts.range(state.before_retry.saturating_add(1)..);
    let unfit = counted.filter_map(|(_, attempt)| {
        let (failure, _) = attempt.failure.as_ref()?;
        let claim = attempt.claim.as_ref()?;
        failure.is_of_machine().then_some(&claim.worker)
    });
    unfit.collect()
}
