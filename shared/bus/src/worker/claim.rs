//! Who may work: what the history says of one attempt.

use gentoo_updater_fleet::message::WorkKey;
use gentoo_updater_fleet::name::WorkerId;
use gentoo_updater_fleet::state::Fleet;

/// What the history says of one attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody has claimed it.
    Free,
    /// This worker's claim is the first.
    Ours,
    /// Another worker's claim is the first.
    Theirs(WorkerId),
    /// It has a result, its run is over, or a later attempt has taken its place.
    Over,
    /// The history does not know its run.
    UnknownRun,
}

/// Looks an attempt up.
pub(super) fn standing(fleet: &Fleet, work: &WorkKey, me: &WorkerId) -> Standing {
    let Some(run) = fleet.runs.get(&work.run) else {
        return Standing::UnknownRun;
    };
    let task = run.tasks.get(&work.task);
    let attempt = task.and_then(|task| task.attempts.get(&work.attempt));
    let has_failed = attempt.is_some_and(|attempt| attempt.failure.is_some());
    if fleet.is_finished(work) || has_failed {
        return Standing::Over;
    }
    match fleet.claim(work) {
        Some(worker) if worker == me => Standing::Ours,
        Some(worker) => Standing::Theirs(worker.clone()),
        None => {
            let latest = task.and_then(|task| task.attempts.keys().next_back());
            if latest.is_some_and(|latest| *latest > work.attempt) {
                Standing::Over
            } else {
                Standing::Free
            }
        }
    }
}
