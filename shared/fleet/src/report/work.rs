//! What came of each job, and of each builder.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::message::{Cruft, Failure, Finding, FindingKind, PackageChange, Task};
use crate::name::{BuilderName, GuestName};
use crate::state::{JobProgress, Run};

/// What came of one job.
#[derive(Debug, Clone, Serialize)]
pub struct JobReport {
    /// Package and version.
    pub cpv: String,
    /// The first digits of its id.
    pub job: String,
    /// `built`, `reused`, `failed`, `held back`, `building` or `waiting`.
    pub state: &'static str,
    /// Where it was built.
    pub builder: Option<BuilderName>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The guests that wanted it.
    pub wanted_by: Vec<GuestName>,
    /// The package whose failure holds it back.
    pub held_by: Option<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Where the log of its build is, as `machine:path`, when it was built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_path: Option<String>,
    /// What an administrator should know.
    pub findings: Vec<Finding>,
}

/// What came of one builder.
#[derive(Debug, Clone, Serialize)]
pub struct BuilderReport {
    /// What was removed again.
    pub removed: Vec<PackageChange>,
    /// What stays because something needs it by now.
    pub kept: Vec<Finding>,
    /// What it has in another version now.
    pub updated: Vec<PackageChange>,
    /// What it had before, and a build has removed since it was in the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<PackageChange>,
    /// What became of files that builds left beside packages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cruft: Option<Box<Cruft>>,
    /// Why it could not be cleaned.
    pub failure: Option<Failure>,
    /// Why its ebuild repositories could not be brought up to date.
    pub sync_failure: Option<Failure>,
    /// What an administrator should know of it.
    pub findings: Vec<Finding>,
}

/// The jobs of a run, by package.
pub(super) fn job_reports(run: &Run) -> Vec<JobReport> {
    let Some(jobs) = &run.jobs else {
        return Vec::new();
    };
    let progress = run.progress();
    let mut reports: Vec<JobReport> = jobs
        .values()
        .map(|job| {
            let built = run.built.get(&job.id);
            let task = Task::Build(job.id.clone());
            let claim = run.tasks.get(&task).and_then(|state| {
                state
                    .attempts
                    .values()
                    .rev()
                    .find_map(|attempt| attempt.claim.as_ref())
            });
            let (state, held_by) = match progress.get(&job.id) {
                Some(JobProgress::Built) if built.is_some_and(|b| b.reused) => ("reused", None),
                Some(JobProgress::Built) => ("built", None),
                Some(JobProgress::Failed) => ("failed", None),
                Some(JobProgress::HeldBack(by)) => {
                    ("held back", jobs.get(by).map(|job| job.key.cpv.to_string()))
                }
                Some(JobProgress::Ready) if claim.is_some() => ("building", None),
                Some(JobProgress::Ready | JobProgress::Waiting) | None => ("waiting", None),
            };
            JobReport {
                cpv: job.key.cpv.to_string(),
                job: job.id.short().to_owned(),
                state,
                builder: built
                    .map(|b| b.builder.clone())
                    .or_else(|| claim.and_then(|c| c.builder.clone())),
                duration_ms: built.filter(|b| !b.reused).map(|b| b.duration_ms),
                wanted_by: job.wanted_by.iter().cloned().collect(),
                held_by,
                failure: run.failure(&task).cloned(),
                log_path: built.and_then(|built| built.log_path.clone()),
                findings: built
                    .iter()
                    .flat_map(|built| &built.findings)
                    .filter(|finding| !is_of_builder(finding))
                    .cloned()
                    .collect(),
            }
        })
        .collect();
    reports.sort_by(|a, b| (&a.cpv, &a.job).cmp(&(&b.cpv, &b.job)));
    reports
}

/// The builders that worked for the run, and those that could not be synced for it.
pub fn builder_reports(run: &Run) -> BTreeMap<BuilderName, BuilderReport> {
    let sync_failure = |name: &BuilderName| run.failure(&Task::Sync(name.clone()));
    let mut names = run.builders();
    let to_sync = run.sync.builders.iter();
    names.extend(to_sync.filter(|name| sync_failure(name).is_some()));
    let report = |name: &BuilderName| {
        let cleaning = run.cleaned.get(name);
        let built = run.built.values().filter(|built| built.builder == *name);
        let findings = built.flat_map(|built| &built.findings);
        let of_itself: BTreeSet<&Finding> = findings.filter(|f| is_of_builder(f)).collect();
        BuilderReport {
            removed: cleaning.map(|c| c.removed.clone()).unwrap_or_default(),
            kept: cleaning.map(|c| c.kept.clone()).unwrap_or_default(),
            updated: cleaning.map(|c| c.updated.clone()).unwrap_or_default(),
            gone: cleaning.map(|c| c.gone.clone()).unwrap_or_default(),
            cruft: cleaning.and_then(|c| c.cruft.clone()),
            failure: run.failure(&Task::Clean(name.clone())).cloned(),
            sync_failure: sync_failure(name).cloned(),
            findings: of_itself.into_iter().cloned().collect(),
        }
    };
    let reports = names.into_iter().map(|name| (name.clone(), report(name)));
    reports.collect()
}

/// Whether what was found at a build is told of the builder, once, and not of each of its jobs.
fn is_of_builder(finding: &Finding) -> bool {
    finding.kind == FindingKind::RepositoryDiffers
}
