//! What is compiled when.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_fleet::message::Job;
use gentoo_updater_fleet::name::JobId;

use super::End;

type Jobs = BTreeMap<JobId, Job>;

/// Nothing is compiled before what its build needs. Only in a ring somebody has to be the first.
pub(super) fn early_compilations(end: &End<'_>) -> Vec<String> {
    let state = end.world.state();
    let mut broken = Vec::new();
    for compilation in &state.compilations {
        let run = end.fleet.runs.get(&compilation.run);
        let Some(jobs) = run.and_then(|run| run.jobs.as_ref()) else {
            continue;
        };
        let Some(job) = jobs.get(&compilation.job) else {
            continue;
        };
        for need in &job.build_needs {
            let stored = state.stored_at.get(need);
            let is_there = stored.is_some_and(|stored| *stored <= compilation.begun);
            if !is_there && !needs(jobs, need, &job.id) {
                broken.push(format!(
                    "{} is compiled before job {}, which its build needs",
                    job.key.cpv,
                    need.short()
                ));
            }
        }
    }
    broken
}

/// Whether a job needs another, however far away.
fn needs(jobs: &Jobs, job: &JobId, other: &JobId) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![job]);
    while let Some(id) = open.pop() {
        if id == other {
            return true;
        }
        if let Some(job) = jobs.get(id)
            && seen.insert(id)
        {
            open.extend(job.build_needs.iter().chain(&job.runtime_needs));
        }
    }
    false
}
