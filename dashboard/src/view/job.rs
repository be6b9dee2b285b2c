//! One job of a run.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_fleet::inspect::{PlanProgress, job_progress};
use gentoo_updater_fleet::message::{Job, PackageBuilt, Task};
use gentoo_updater_fleet::name::{GuestName, JobId, PlatformName, RunId};
use gentoo_updater_fleet::state::Run;
use serde::Serialize;

use super::attempts::{AttemptView, attempts};
use super::run::ToldFailure;

/// One job, with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobDocument {
    /// The run.
    pub run: RunId,
    /// Its id.
    pub job: JobId,
    /// Category and package.
    pub package: String,
    /// Package and version.
    pub cpv: String,
    /// Slot and subslot.
    pub slot: String,
    /// The ebuild repository.
    pub repository: String,
    /// The platform whose store it goes to.
    pub platform: PlatformName,
    /// The USE flags of its key, and whether each is on.
    pub use_flags: BTreeMap<String, bool>,
    /// The guests that install it. Empty where only other jobs need it.
    pub wanted_by: BTreeSet<GuestName>,
    /// What it waits for, by itself or through others.
    pub waits_for: Vec<JobLink>,
    /// What its build needs.
    pub build_needs: Vec<JobLink>,
    /// What it needs when it runs.
    pub runtime_needs: Vec<JobLink>,
    /// What needs it.
    pub needed_by: Vec<JobLink>,
    /// How far it is.
    pub progress: PlanProgress,
    /// The job whose failure holds it back.
    pub held_by: Option<JobLink>,
    /// The attempts at it, the first one first.
    pub attempts: Vec<AttemptView>,
    /// The binary, when it is there.
    pub built: Option<PackageBuilt>,
    /// Why it failed for good, and what to do.
    pub failure: Option<ToldFailure>,
}

/// Another job of the same run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct JobLink {
    /// Package and version.
    pub cpv: String,
    /// The first digits of its id.
    pub job: String,
    /// Whether its binary is there.
    pub built: bool,
}

impl JobDocument {
    /// The job of a run whose id begins with `text`, which has at least as many digits as are shown.
    pub fn of(run: &Run, text: &str) -> Option<Self> {
        let job = find(run, text)?;
        let jobs = run.jobs.as_ref()?;
        let links = |ids: &mut dyn Iterator<Item = &JobId>| -> Vec<JobLink> {
            let known = ids.filter_map(|id| jobs.get(id));
            let mut links: Vec<JobLink> = known.map(|job| link(run, job)).collect();
            links.sort();
            links
        };
        let needs_it = |other: &&Job| {
            other.build_needs.contains(&job.id) || other.runtime_needs.contains(&job.id)
        };
        let mut needed_by = jobs.values().filter(needs_it).map(|other| &other.id);
        let progress = run.progress();
        let progress = job_progress(run, &job.id, progress.get(&job.id));
        let task = Task::Build(job.id.clone());
        let held_by = match &progress {
            PlanProgress::HeldBack { by } => jobs.get(by).map(|job| link(run, job)),
            _ => None,
        };
        let key = &job.key;
        let flags = key.use_flags.iter();
        Some(Self {
            run: run.id,
            job: job.id.clone(),
            package: key.cpv.category_package.to_string(),
            cpv: key.cpv.to_string(),
            slot: key.slot.to_string(),
            repository: key.repository.to_string(),
            platform: job.platform.clone(),
            use_flags: flags.map(|(flag, on)| (flag.to_string(), *on)).collect(),
            wanted_by: job.wanted_by.clone(),
            waits_for: links(&mut run.waits_for(&job.id).into_iter()),
            build_needs: links(&mut job.build_needs.iter()),
            runtime_needs: links(&mut job.runtime_needs.iter()),
            needed_by: links(&mut needed_by),
            progress,
            held_by,
            attempts: attempts(run, &task),
            built: run.built.get(&job.id).cloned(),
            failure: run
                .failure(&task)
                .map(|failure| ToldFailure::of_job(run, job, failure)),
        })
    }
}

/// The job of a run whose id begins with `text`.
pub(crate) fn find<'a>(run: &'a Run, text: &str) -> Option<&'a Job> {
    let is_one = text.len() >= 12 && text.chars().all(|c| c.is_ascii_hexdigit());
    let jobs = run.jobs.as_ref().filter(|_| is_one)?;
    jobs.values().find(|job| job.id.as_str().starts_with(text))
}

fn link(run: &Run, job: &Job) -> JobLink {
    JobLink {
        cpv: job.key.cpv.to_string(),
        job: job.id.short().to_owned(),
        built: run.built.contains_key(&job.id),
    }
}
