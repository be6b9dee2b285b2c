//! Who may work, and when somebody else may.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gentoo_updater_fleet::message::{Event, Task, WorkKey};
use gentoo_updater_fleet::name::WorkerId;
use tokio::time::Instant;

use super::End;
use crate::records::failed_work;
use crate::settings::LEASE;
use crate::world::Compilation;

/// How much sooner than after the lease, by the simulation's clock, the planner may take a worker
/// for lost: its own clock runs in beats of two seconds, of which one that was late counts for
/// four, and a sign of life is as old as the beat before it.
pub(super) const SLACK: Duration = Duration::from_secs(4);

/// Another attempt is made only where the one before it failed, or its worker died or said nothing
/// of it for the lease.
pub(super) fn needless_attempts(end: &End<'_>) -> Vec<String> {
    let claims = first_claims(end);
    let failed = failed_attempts(end);
    let mut broken = Vec::new();
    for (work, at) in end.records.issued() {
        if work.attempt < 2 {
            continue;
        }
        let before = WorkKey {
            attempt: work.attempt - 1,
            ..work.clone()
        };
        let has_failed = failed.get(&before).is_some_and(|failed| *failed <= at);
        let is_retried =
            retries(end, &work).contains(&before.attempt) || is_later_cleaning(end, &before);
        if has_failed || is_retried {
            continue;
        }
        let Some((worker, claimed)) = claims.get(&before) else {
            broken.push(format!(
                "{} is tried again (attempt {}) although nobody had begun the attempt before",
                work.task, work.attempt
            ));
            continue;
        };
        let died = end.records.died(worker, *claimed, at);
        let silence = end.records.longest_silence(worker, &before, *claimed, at);
        if !died && silence + SLACK < LEASE {
            broken.push(format!(
                "{} is tried again (attempt {}) although {worker} lived and was silent for \
                 {silence:?} only",
                work.task, work.attempt
            ));
        }
    }
    broken
}

/// An attempt is compiled once, by whoever claimed it first. Only who died with the failure in its
/// hands has to see it again.
pub(super) fn needless_compilations(end: &End<'_>) -> Vec<String> {
    let claims = first_claims(end);
    let mut seen: BTreeMap<WorkKey, &Compilation> = BTreeMap::new();
    let mut broken = Vec::new();
    let state = end.world.state();
    for compilation in &state.compilations {
        let work = WorkKey {
            run: compilation.run,
            task: Task::Build(compilation.job.clone()),
            attempt: compilation.attempt,
        };
        let first = claims.get(&work).map(|(worker, _)| worker);
        if first != Some(&compilation.worker) {
            broken.push(format!(
                "{} (attempt {}) is compiled by {} although the first claim is of {first:?}",
                work.task, work.attempt, compilation.worker
            ));
        }
        let (task, attempt) = (work.task.clone(), work.attempt);
        let before = seen.insert(work, compilation);
        let again = |before: &Compilation| {
            let worker = &compilation.worker;
            before.is_good || !end.records.died(worker, before.ends, compilation.begun)
        };
        if before.is_some_and(again) {
            broken.push(format!("{task} (attempt {attempt}) is compiled twice"));
        }
    }
    broken
}

/// Whether a cleaning does not count because it would have come before a build that was tried again.
fn is_later_cleaning(end: &End<'_>, before: &WorkKey) -> bool {
    let run = end.fleet.runs.get(&before.run);
    let state = run.and_then(|run| run.tasks.get(&before.task));
    let is_cleaning = matches!(before.task, Task::Clean(_) | Task::Collect(_));
    is_cleaning && state.is_some_and(|state| before.attempt <= state.before_retry)
}

/// After which attempts at a task others were begun because an operator wanted it.
pub(super) fn retries(end: &End<'_>, work: &WorkKey) -> BTreeSet<u32> {
    let of_task = |retry: &&WorkKey| (retry.run, &retry.task) == (work.run, &work.task);
    let retries = end.retried.iter().filter(of_task);
    retries.map(|retry| retry.attempt).collect()
}

pub(super) fn first_claims(end: &End<'_>) -> BTreeMap<WorkKey, (WorkerId, Instant)> {
    let mut claims = BTreeMap::new();
    for seen in end.history {
        if let Event::WorkStarted(started) = &seen.event.message {
            claims
                .entry(started.work.clone())
                .or_insert_with(|| (started.worker.clone(), seen.at));
        }
    }
    claims
}

fn failed_attempts(end: &End<'_>) -> BTreeMap<WorkKey, Instant> {
    let mut failed = BTreeMap::new();
    for seen in end.history {
        if let Some(work) = failed_work(&seen.event.message) {
            failed.entry(work).or_insert(seen.at);
        }
    }
    failed
}
