//! What the history says of the work of each queue.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::attempts::open_attempts;
use super::jobs::KnownJobs;
use super::task::TaskView;
use crate::message::Task;
use crate::name::{BuilderName, PlatformName, WorkerId};
use crate::state::Fleet;

/// Work that was issued to a queue and that nobody has claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The work.
    pub task: TaskView,
    /// When the queue accepted it for the first time, by the planner's clock.
    pub issued_at: Timestamp,
    /// How often the queue accepted it: it is issued again when the queue has lost it.
    pub times: u32,
}

/// Work that was taken from a queue and has no result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claimed {
    /// The work.
    pub task: TaskView,
    /// Who claimed it.
    pub worker: WorkerId,
    /// On which builder, for builds.
    pub builder: Option<BuilderName>,
    /// Since when, by the worker's clock.
    pub since: Timestamp,
}

/// The work of one queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct QueueWork {
    /// What waits, the oldest first.
    pub waiting: Vec<Waiting>,
    /// What is worked on, the oldest first.
    pub claimed: Vec<Claimed>,
}

/// The work of all queues, by their names.
///
/// `queue_of` says which queue a task goes to, for a claim whose `CommandIssued` is not in the
/// history: a planner that ends between the two leaves it so until the next one comes.
pub fn work_of_queues(
    fleet: &Fleet,
    queue_of: impl Fn(&Task, Option<&PlatformName>) -> String,
) -> BTreeMap<String, QueueWork> {
    let open: Vec<_> = open_attempts(fleet).collect();
    let jobs = KnownJobs::of_work(fleet, open.iter().map(|(work, _)| work));
    let mut queues: BTreeMap<String, QueueWork> = BTreeMap::new();
    for (work, attempt) in open {
        let name = match &attempt.issued {
            Some(issued) => issued.queue.clone(),
            None => {
                let job = match &work.task {
                    Task::Build(id) => jobs.get(work.run, id),
                    _ => None,
                };
                queue_of(&work.task, job.map(|job| &job.platform))
            }
        };
        let queue = queues.entry(name).or_default();
        let task = TaskView::of(&work, &jobs);
        match (&attempt.claim, &attempt.issued) {
            (Some(claim), _) => queue.claimed.push(Claimed {
                task,
                worker: claim.worker.clone(),
                builder: claim.builder.clone(),
                since: claim.at,
            }),
            (None, Some(issued)) => queue.waiting.push(Waiting {
                task,
                issued_at: issued.first,
                times: issued.times,
            }),
            (None, None) => {}
        }
    }
    for queue in queues.values_mut() {
        queue.waiting.sort_by_key(|waiting| waiting.issued_at);
        queue.claimed.sort_by_key(|claimed| claimed.since);
    }
    queues
}
