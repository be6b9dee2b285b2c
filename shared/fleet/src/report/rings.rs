//! The rings that were broken: what was built before something that its build needs.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::message::Task;
use crate::name::JobId;
use crate::state::Run;

/// A ring of packages of which one was built before something that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RingReport {
    /// The packages that need each other.
    pub packages: Vec<String>,
    /// The one that was built first.
    pub first: String,
    /// What it was built without: its builder took an older one that it has, or made one of its own
    /// ebuild.
    pub without: Vec<String>,
}

/// Those of this run whose first job was begun. Where only needs of running packages were cut, no
/// binary is other than it would be without the ring, and nothing is told.
pub(super) fn rings(run: &Run) -> Vec<RingReport> {
    let Some(jobs) = &run.jobs else {
        return Vec::new();
    };
    let name = |id: &JobId| jobs.get(id).map(|job| job.key.cpv.to_string());
    let names = |ids: &BTreeSet<JobId>| {
        let mut names: Vec<String> = ids.iter().filter_map(name).collect();
        names.sort();
        names
    };
    let is_begun =
        |id: &JobId| run.built.contains_key(id) || run.tasks.contains_key(&Task::Build(id.clone()));
    let told = run
        .rings
        .iter()
        .filter(|ring| !ring.lacks.is_empty() && is_begun(&ring.first));
    let rings = told.filter_map(|ring| {
        Some(RingReport {
            packages: names(&ring.jobs),
            first: name(&ring.first)?,
            without: names(&ring.lacks),
        })
    });
    rings.collect()
}
