//! The stores are collected, once nothing else of a run is left to do.
//!
//! It is a help and no part of an update. So it makes no run fail, and nobody waits for those who
//! could do it: the next run collects again.

use super::Decision;
use super::round;
use super::watch::is_held;
use crate::message::{CollectStore, Command, Failure, FailureClass, Role, Task, WorkKey};
use crate::name::PlatformName;
use crate::state::TaskState;

impl Decision<'_, '_> {
    /// What nobody needs goes from the stores of the run's guests. The last round does that: what was
    /// built for one before it is what guests of a further round go on from. True when nothing is
    /// left of it.
    pub(super) fn collect(&mut self) -> bool {
        let run = self.run;
        if !self.patience.collect_stores || round::further(self.fleet, run).is_some() {
            return true;
        }
        let mut all = true;
        for platform in run.stores() {
            let task = Task::Collect(platform.clone());
            let work = WorkKey {
                run: run.id,
                attempt: run.tasks.get(&task).map_or(1, TaskState::last),
                task: task.clone(),
            };
            all &= match self.nobody_collects(&work, platform) {
                Some(failure) => self.abandon(work, failure),
                None => self.ensure(task, |attempt| {
                    Command::CollectStore(CollectStore {
                        run: run.id,
                        attempt,
                        platform: platform.clone(),
                    })
                }),
            };
        }
        all
    }

    /// Whether another run has a store collected. Nothing is looked for in it before that is over: what
    /// is found meanwhile may be deleted in the next moment. The janitor sees to the rest: it deletes
    /// nothing while a run goes on that was asked for before it began.
    pub(super) fn is_collected_by_another(&self, platform: &PlatformName) -> bool {
        let task = Task::Collect(platform.clone());
        let mut others = self.fleet.unfinished().filter(|run| run.id != self.run.id);
        others.any(|run| {
            let state = run.tasks.get(&task);
            state.is_some_and(|state| state.outcome.is_none() && state.newest().is_some())
        })
    }

    /// Why nobody is to be waited for, if that is so: whoever could collect is not there, or an
    /// operator has paused them. What is begun is waited for as all work is.
    fn nobody_collects(&self, work: &WorkKey, platform: &PlatformName) -> Option<Failure> {
        let state = self.run.tasks.get(&work.task);
        let newest = state.and_then(|state| state.newest());
        let newest = newest.map(|(_, attempt)| attempt);
        let is_over = state.is_some_and(|state| state.outcome.is_some());
        let is_begun = newest.is_some_and(|it| it.claim.is_some() || it.failure.is_some());
        if is_over || is_begun {
            return None;
        }
        let issued = newest.and_then(|attempt| attempt.issued.as_ref());
        let is_paused = self.waiting.contains(work)
            || issued.is_some_and(|issued| is_held(self.fleet, self.liveness, &issued.queue));
        let failure =
            |cause, message: String| Some(Failure::new(FailureClass::Transient, cause, message));
        if is_paused {
            let message = "an operator has paused whoever would do it; `gentoo-updater store gc` does \
                           it by hand";
            return failure("CollectionPaused", message.to_owned());
        }
        let is_left_alone = match issued {
            Some(_) => self.liveness.is_left_alone(work),
            None => !self.has_janitor(),
        };
        if is_left_alone {
            let message = format!(
                "no janitor that lives serves a builder of {platform}: start one, or use \
                 `gentoo-updater store gc`"
            );
            return failure("NobodyCollects", message);
        }
        None
    }

    fn has_janitor(&self) -> bool {
        let mut workers = self.fleet.workers.iter();
        workers.any(|(id, worker)| worker.role == Role::Janitor && self.liveness.may_be_alive(id))
    }
}
