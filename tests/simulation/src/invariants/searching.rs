//! When stores are searched, and what that spares.

use std::collections::BTreeSet;

use gentoo_updater_fleet::message::{Event, FailureClass, StoreSearched, Task};
use gentoo_updater_fleet::name::{JobId, RunId};
use gentoo_updater_fleet::state::Run;

use super::End;

/// Nothing is given out to be built before its run has looked into the store, well or not. There is
/// one store.
pub(super) fn early_builds(end: &End<'_>) -> Vec<String> {
    let mut searched: BTreeSet<RunId> = BTreeSet::new();
    let mut broken = Vec::new();
    for seen in end.history {
        match &seen.event.message {
            Event::StoreSearched(event) => {
                searched.insert(event.run);
            }
            Event::SearchFailed(event) if event.failure.class == FailureClass::Permanent => {
                searched.insert(event.run);
            }
            Event::TaskAbandoned(event) if matches!(event.work.task, Task::Search(_)) => {
                searched.insert(event.work.run);
            }
            Event::CommandIssued(event) => {
                let work = &event.work;
                if matches!(work.task, Task::Build(_)) && !searched.contains(&work.run) {
                    broken.push(format!(
                        "{} is out before the store was searched",
                        work.task
                    ));
                }
            }
            _ => {}
        }
    }
    broken
}

/// What a run found when it looked into the store for the first time, unless that came when it did
/// not wait for it any more.
pub(super) fn first_found<'a>(end: &'a End<'_>, run: &Run) -> Option<&'a StoreSearched> {
    let mut events = end.history.iter().map(|seen| &seen.event.message);
    let first = events.find_map(|event| match event {
        Event::StoreSearched(searched) if searched.run == run.id => Some(searched),
        _ => None,
    })?;
    let task = Task::Search(first.platform.clone());
    run.failure(&task).is_none().then_some(first)
}

/// What the first search of a run found is given to no builder.
pub(super) fn builds_of_what_was_there(end: &End<'_>) -> Vec<String> {
    let mut searched: BTreeSet<RunId> = BTreeSet::new();
    let mut held: BTreeSet<(RunId, JobId)> = BTreeSet::new();
    let mut broken = Vec::new();
    for seen in end.history {
        match &seen.event.message {
            // One that comes after its task was given up, or a second one, changes nothing.
            Event::TaskAbandoned(event) if matches!(event.work.task, Task::Search(_)) => {
                searched.insert(event.work.run);
            }
            Event::StoreSearched(event) if searched.insert(event.run) => {
                held.extend(event.held.keys().map(|job| (event.run, job.clone())));
            }
            Event::CommandIssued(event) => {
                let Task::Build(job) = &event.work.task else {
                    continue;
                };
                if held.contains(&(event.work.run, job.clone())) {
                    broken.push(format!("{} is to be built, and is there", event.work.task));
                }
            }
            _ => {}
        }
    }
    broken
}
