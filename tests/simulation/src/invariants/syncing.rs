//! When repositories are brought up to date.

use std::collections::BTreeSet;

use gentoo_updater_fleet::message::{Event, FailureClass, Task};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_fleet::state::Run;

use super::End;

/// No guest is asked before all builders that a run syncs are done with it, well or not.
pub(super) fn early_scans(end: &End<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for run in end.fleet.runs.values() {
        let builders = run.sync.builders.iter();
        let unfinished = builders.filter(|builder| !run.is_over(&Task::Sync((*builder).clone())));
        broken.extend(unfinished.map(|builder| format!("{builder} was not synced")));
        broken.extend(early_scan(end, run));
    }
    broken
}

fn early_scan(end: &End<'_>, run: &Run) -> Option<String> {
    let mut waited_for: BTreeSet<&BuilderName> = run.sync.builders.iter().collect();
    for seen in end.history {
        let done = match &seen.event.message {
            Event::BuilderSynced(event) if event.run == run.id => &event.builder,
            Event::TaskAbandoned(event) if event.work.run == run.id => match &event.work.task {
                Task::Sync(builder) => builder,
                _ => continue,
            },
            Event::CommandIssued(event) if event.work.run == run.id => {
                if matches!(event.work.task, Task::Scan(_)) && !waited_for.is_empty() {
                    return Some(format!(
                        "{} is out before {waited_for:?} were synced",
                        event.work.task
                    ));
                }
                continue;
            }
            Event::SyncFailed(event) if event.run == run.id => match event.failure.class {
                FailureClass::Permanent => &event.builder,
                _ => continue,
            },
            _ => continue,
        };
        waited_for.remove(done);
    }
    None
}
