//! Work that kills whoever does it.

use std::collections::BTreeMap;

use gentoo_updater_fleet::message::{Task, WorkKey};
use gentoo_updater_fleet::name::{JobId, RunId};

use super::End;
use super::claims::retries;
use super::letters::{ATTEMPTS, DEATHS};
use crate::world::JobFate;

/// No attempt at deadly work kills more often than allowed, there are not more attempts than
/// allowed, and nobody says that it was done.
pub(super) fn deadly_work_that_goes_on(end: &End<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    let mut attempts: BTreeMap<(RunId, JobId), u32> = BTreeMap::new();
    for (WorkKey { run, task, attempt }, deaths) in &end.world.state().deaths {
        if *deaths > DEATHS {
            broken.push(format!("{task} (attempt {attempt}) killed {deaths} times"));
        }
        if let Task::Build(job) = task {
            *attempts.entry((*run, job.clone())).or_default() += 1;
        }
    }
    // The first failure of each machine is free.
    let most = ATTEMPTS + u32::try_from(end.world.builders.len()).unwrap_or(0);
    for ((run, job), attempts) in attempts {
        let work = WorkKey {
            run,
            task: Task::Build(job.clone()),
            attempt: 1,
        };
        let tries = 1 + u32::try_from(retries(end, &work).len()).unwrap_or(0);
        if attempts > most * tries {
            let job = job.short();
            broken.push(format!("{attempts} attempts at job {job} killed builders"));
        }
    }
    for run in end.fleet.runs.values() {
        let is_deadly = |job: &&JobId| end.world.packages.fate(job) == JobFate::Deadly;
        let built = run.built.keys().filter(is_deadly);
        broken.extend(built.map(|job| format!("job {} cannot be built", job.short())));
    }
    broken
}
