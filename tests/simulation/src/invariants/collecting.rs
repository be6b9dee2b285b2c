//! When the store is collected, and what waits for that.

use std::collections::BTreeMap;

use gentoo_updater_fleet::message::{Event, Task, WorkKey};
use gentoo_updater_fleet::name::RunId;

use super::End;
use crate::records::work_of;

/// Of runs that were asked for after a collection was begun none looks into the store before that is
/// over. Of others the janitor knows, and deletes nothing. There is one store.
pub(super) fn searches_meanwhile(end: &End<'_>) -> Vec<String> {
    let mut requested: BTreeMap<RunId, u64> = BTreeMap::new();
    let mut searched: BTreeMap<RunId, u64> = BTreeMap::new();
    let mut begun: BTreeMap<RunId, u64> = BTreeMap::new();
    let mut broken = Vec::new();
    for seen in end.history {
        let offset = seen.offset;
        match &seen.event.message {
            Event::RunRequested(event) => {
                requested.entry(event.run).or_insert(offset);
            }
            Event::WorkStarted(event) if is_collection(&event.work) && counts(end, &event.work) => {
                begun.entry(event.work.run).or_insert(offset);
            }
            Event::CommandIssued(event) if matches!(event.work.task, Task::Search(_)) => {
                let run = event.work.run;
                let is_first = searched.insert(run, offset).is_none();
                let others = begun.iter().filter(|(other, _)| **other != run);
                let asked = requested.get(&run).copied().unwrap_or_default();
                for (other, since) in others.filter(|(_, since)| is_first && asked > **since) {
                    broken.push(format!(
                        "run {} looks into the store, which {} has collected since {since}",
                        run.short(),
                        other.short()
                    ));
                }
            }
            Event::TaskAbandoned(event) if is_collection(&event.work) => {
                begun.remove(&event.work.run);
            }
            Event::RunFinished(event) => {
                begun.remove(&event.run);
            }
            event => {
                if let Some(work) = work_of(event).filter(is_collection) {
                    begun.remove(&work.run);
                }
            }
        }
    }
    broken
}

/// Every run that no other one follows has had the store collected, or says why not.
pub(super) fn forgotten(end: &End<'_>) -> Vec<String> {
    let runs = end.fleet.runs.values();
    let last = runs
        .filter(|run| run.finished.is_some() && !end.fleet.runs.contains_key(&run.id.following()));
    let is_forgotten = |run: &&std::sync::Arc<gentoo_updater_fleet::state::Run>| {
        let mut tasks = run.tasks.iter();
        !tasks.any(|(task, state)| matches!(task, Task::Collect(_)) && state.outcome.is_some())
    };
    last.filter(is_forgotten)
        .map(|run| format!("run {} has not collected the store", run.id.short()))
        .collect()
}

fn is_collection(work: &WorkKey) -> bool {
    matches!(work.task, Task::Collect(_))
}

/// Whether an attempt is one that its run waits for.
fn counts(end: &End<'_>, work: &WorkKey) -> bool {
    let run = end.fleet.runs.get(&work.run);
    let state = run.and_then(|run| run.tasks.get(&work.task));
    state.is_some_and(|state| work.attempt > state.before_retry)
}
