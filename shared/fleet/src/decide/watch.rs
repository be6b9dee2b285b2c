//! What the planner's memory takes over from the state: whose clocks run.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::liveness::Liveness;
use crate::message::{Job, Task, WorkKey};
use crate::needs::lacking;
use crate::state::{Attempt, Fleet, Run, TaskState};

/// Takes over into the planner's memory what the state says: whose leases run, what has failed and
/// waits for its next attempt, what lies in a queue, and what of it no living worker serves.
pub fn observe(fleet: &Fleet, liveness: &mut Liveness) {
    liveness.watch(&claimed(fleet));
    let newest = newest(fleet);
    let failed = newest
        .iter()
        .filter(|(_, attempt)| attempt.failure.is_some());
    liveness.watch_failed(&failed.map(|(work, _)| work.clone()).collect());
    let issued: BTreeMap<WorkKey, (String, u32)> = newest
        .into_iter()
        .filter(|(_, attempt)| attempt.claim.is_none() && attempt.failure.is_none())
        .filter_map(|(work, attempt)| {
            let issued = attempt.issued.as_ref()?;
            Some((work, (issued.queue.clone(), issued.times)))
        })
        .collect();
    let served = served(fleet, liveness);
    let unserved = issued
        .iter()
        .filter(|(_, (queue, _))| !served.contains(queue.as_str()))
        .map(|(work, _)| work.clone());
    let unserved = unserved.chain(without_a_place(fleet, liveness));
    let unserved = unserved.chain(without_a_builder(fleet, &served)).collect();
    liveness.watch_unserved(&unserved);
    liveness.watch_issued(&issued);
}

/// The builds of a platform whose queue nobody serves, also those that are not out because the search
/// of its store is: nobody is waited for twice.
fn without_a_builder(fleet: &Fleet, served: &HashSet<&str>) -> Vec<WorkKey> {
    let mut found = Vec::new();
    for run in fleet.unfinished() {
        let searches = run.tasks.iter().filter_map(|(task, state)| {
            let Task::Search(platform) = task else {
                return None;
            };
            let mut attempts = state.attempts.values().rev();
            let issued = attempts.find_map(|attempt| attempt.issued.as_ref())?;
            (!served.contains(issued.queue.as_str())).then_some(platform)
        });
        for platform in searches {
            let jobs = run.jobs.iter().flat_map(|jobs| jobs.values());
            let waiting = jobs.filter(|job| {
                job.platform == *platform
                    && !run.built.contains_key(&job.id)
                    && !run.tasks.contains_key(&Task::Build(job.id.clone()))
            });
            found.extend(waiting.map(|job| last_attempt(run, job)));
        }
    }
    found
}

/// The builds that wait for a builder with enough memory or space, and for which none is there. What
/// was learnt keeps nothing from being built, so these are among those of which the operator has said
/// it.
fn without_a_place(fleet: &Fleet, liveness: &Liveness) -> Vec<WorkKey> {
    let mut found = Vec::new();
    for run in fleet.unfinished() {
        let jobs = run.jobs.iter().flat_map(|jobs| jobs.values());
        let to_build = jobs.filter(|job| !run.built.contains_key(&job.id));
        for job in to_build.filter(|job| !job.needs.is_none()) {
            let state = run.tasks.get(&Task::Build(job.id.clone()));
            let is_waiting = state.is_none_or(|state| {
                let newest = state.newest();
                state.outcome.is_none() && newest.is_none_or(|(_, it)| it.failure.is_some())
            });
            if is_waiting && !has_a_place(fleet, liveness, job) {
                found.push(last_attempt(run, job));
            }
        }
    }
    found
}

/// Whether a builder has what the configuration says that a build needs, or none is there at all. One
/// that an operator has paused will be resumed one day.
fn has_a_place(fleet: &Fleet, liveness: &Liveness, job: &Job) -> bool {
    let mut there = fleet
        .workers
        .iter()
        .filter(|(id, worker)| {
            let machine = worker.machine.as_ref();
            machine.is_some_and(|machine| machine.platform == job.platform)
                && (fleet.pause_of(id, worker.role).is_some()
                    || worker.paused.is_none() && liveness.may_be_alive(id))
        })
        .peekable();
    there.peek().is_none() || there.any(|(_, worker)| lacking(worker, &job.needs).is_none())
}

/// The last attempt at a build, or the one that is made next while none is made.
pub(super) fn last_attempt(run: &Run, job: &Job) -> WorkKey {
    let task = Task::Build(job.id.clone());
    let attempt = run.tasks.get(&task).map_or(1, TaskState::last);
    WorkKey {
        run: run.id,
        task,
        attempt,
    }
}

/// The attempts that are claimed and have no result: those whose leases run.
pub fn claimed(fleet: &Fleet) -> BTreeSet<WorkKey> {
    let mut claimed = BTreeSet::new();
    for run in fleet.unfinished() {
        let tasks = run.tasks.iter();
        for (task, state) in tasks.filter(|(_, state)| state.outcome.is_none()) {
            for (number, attempt) in &state.attempts {
                if attempt.claim.is_some() && attempt.failure.is_none() {
                    let task = task.clone();
                    claimed.insert(WorkKey {
                        run: run.id,
                        task,
                        attempt: *number,
                    });
                }
            }
        }
    }
    claimed
}

/// The newest attempt of every task that has no outcome.
fn newest(fleet: &Fleet) -> Vec<(WorkKey, &Attempt)> {
    let mut newest = Vec::new();
    for run in fleet.unfinished() {
        let tasks = run.tasks.iter();
        for (task, state) in tasks.filter(|(_, state)| state.outcome.is_none()) {
            if let Some((number, attempt)) = state.attempts.last_key_value() {
                let work = WorkKey {
                    run: run.id,
                    task: task.clone(),
                    attempt: *number,
                };
                newest.push((work, attempt.as_ref()));
            }
        }
    }
    newest
}

/// The queues whose work may hope. Whom an operator has paused will be resumed one day, also when the
/// machine is off meanwhile; whose own machine is unfit is nobody, as who is silent is.
fn served<'a>(fleet: &'a Fleet, liveness: &Liveness) -> HashSet<&'a str> {
    let workers = fleet.workers.iter();
    let serving = workers.filter(|(id, worker)| {
        fleet.pause_of(id, worker.role).is_some()
            || worker.paused.is_none() && liveness.is_alive(id)
    });
    let queues = serving.flat_map(|(_, worker)| &worker.queues);
    queues.map(String::as_str).collect()
}

/// Whether commands to this queue are to wait with the planner: an operator has paused a worker
/// that serves it, and no other one could take them. A guest's own agent has no view of the
/// history, so that it cannot know of its pause and would take what is in its queue.
pub fn is_held(fleet: &Fleet, liveness: &Liveness, queue: &String) -> bool {
    let serving = || {
        fleet
            .workers
            .iter()
            .filter(|(_, worker)| worker.queues.contains(queue))
    };
    serving().any(|(id, worker)| fleet.pause_of(id, worker.role).is_some())
        && !serving().any(|(id, worker)| {
            fleet.pause_of(id, worker.role).is_none()
                && worker.paused.is_none()
                && liveness.is_alive(id)
        })
}
