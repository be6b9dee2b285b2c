//! What is building where.

use std::collections::BTreeMap;

use gentoo_updater_fleet::inspect::{PlanProgress, Signs, WorkerView, workers};
use gentoo_updater_fleet::message::{Failure, Role, Task};
use gentoo_updater_fleet::name::{BuilderName, RunId};
use gentoo_updater_fleet::report::{PauseReport, paused};
use gentoo_updater_fleet::state::Fleet;
use jiff::Timestamp;
use serde::Serialize;

use super::overview::progress;

/// The builders with what they build, and all other workers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BuildsDocument {
    /// The workers, those that live first, as in `workers --json`.
    pub workers: Vec<WorkerView>,
    /// Whom operators have paused, also those who are not among the workers.
    pub pauses: Vec<PauseReport>,
    /// What is built, by the builder.
    pub builds: BTreeMap<BuilderName, Vec<Build>>,
    /// The builders that get no work for now, and why.
    pub unusable: BTreeMap<BuilderName, Failure>,
    /// How many builds each works on at once at most, where it says so.
    pub slots: BTreeMap<BuilderName, Option<u16>>,
}

/// A build that goes on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Build {
    /// The run.
    pub run: RunId,
    /// The first digits of its job's id.
    pub job: String,
    /// Package and version.
    pub cpv: String,
    /// Which attempt.
    pub attempt: u32,
    /// Since when, by the worker's clock.
    pub since: Timestamp,
    /// How long the newest build of the package took, in milliseconds.
    pub expected_ms: Option<u64>,
}

impl BuildsDocument {
    /// What goes on, by the history and by the signs of life that were heard.
    pub fn of(fleet: &Fleet, signs: &Signs) -> Self {
        let builders = fleet.workers.values().filter(|it| it.role == Role::Builder);
        let machines = builders.clone().filter_map(|it| it.machine.as_ref());
        let unfit = builders.filter_map(|it| it.paused.as_ref());
        Self {
            workers: workers(fleet, signs),
            pauses: paused(fleet),
            builds: builds(fleet),
            unusable: unfit
                .filter_map(|(builder, failure)| Some((builder.clone()?, failure.clone())))
                .collect(),
            slots: machines.map(|it| (it.builder.clone(), it.slots)).collect(),
        }
    }
}

fn builds(fleet: &Fleet) -> BTreeMap<BuilderName, Vec<Build>> {
    let mut builds: BTreeMap<BuilderName, Vec<Build>> = BTreeMap::new();
    for run in fleet.unfinished() {
        let jobs = run.jobs.iter().flat_map(|jobs| jobs.values());
        for (job, progress) in jobs.zip(progress(run)) {
            if !matches!(progress, PlanProgress::Claimed { .. }) {
                continue;
            }
            let task = Task::Build(job.id.clone());
            let newest = run.tasks.get(&task).and_then(|state| state.newest());
            let claim = newest.and_then(|(number, it)| Some((number, it.claim.as_ref()?)));
            if let Some((attempt, claim)) = claim
                && let Some(builder) = &claim.builder
            {
                let package = &job.key.cpv.category_package;
                builds.entry(builder.clone()).or_default().push(Build {
                    run: run.id,
                    job: job.id.short().to_owned(),
                    cpv: job.key.cpv.to_string(),
                    attempt,
                    since: claim.at,
                    expected_ms: fleet.durations.get(package).copied(),
                });
            }
        }
    }
    for builds in builds.values_mut() {
        builds.sort_by_key(|build| build.since);
    }
    builds
}
