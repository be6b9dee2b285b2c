//! What is known of jobs: most events name only a job's id.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_portage::build_key::BuildKey;

use crate::message::{Event, Job, Task, WorkKey};
use crate::name::{GuestName, JobId, PlatformName, RunId};
use crate::state::Fleet;

/// A job of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownJob {
    /// The platform whose store it goes to.
    pub platform: PlatformName,
    /// What is built.
    pub key: BuildKey,
    /// The guests that install it.
    pub wanted_by: BTreeSet<GuestName>,
}

/// The jobs of the batches that were read so far.
#[derive(Debug, Clone, Default)]
pub struct KnownJobs(BTreeMap<(RunId, JobId), KnownJob>);

impl KnownJobs {
    /// The jobs of all runs that are known.
    pub fn of(fleet: &Fleet) -> Self {
        let mut known = Self::default();
        for (run, job) in fleet
            .runs
            .values()
            .filter_map(|run| Some((run.id, run.jobs.as_ref()?)))
            .flat_map(|(run, jobs)| jobs.values().map(move |job| (run, job)))
        {
            known.insert(run, job);
        }
        known
    }

    /// Keeps the jobs of a batch; other events say nothing of jobs that is not known by then. As
    /// in the state, the first batch of a run stands.
    pub fn learn(&mut self, event: &Event) {
        if let Event::BatchPlanned(planned) = event {
            for job in &planned.batch.jobs {
                self.insert(planned.run, job);
            }
        }
    }

    /// What is known of a job.
    pub fn get(&self, run: RunId, id: &JobId) -> Option<&KnownJob> {
        self.0.get(&(run, id.clone()))
    }

    /// The job that an event is about, where it is about one that is known.
    pub fn of_event(&self, event: &Event) -> Option<&KnownJob> {
        let (run, id) = job_of(event)?;
        self.get(run, id)
    }

    fn insert(&mut self, run: RunId, job: &Job) {
        let known = KnownJob {
            platform: job.platform.clone(),
            key: job.key.clone(),
            wanted_by: job.wanted_by.clone(),
        };
        self.0.entry((run, job.id.clone())).or_insert(known);
    }
}

/// The work that an event is about.
pub(super) fn work_of(event: &Event) -> Option<&WorkKey> {
    match event {
        Event::CommandIssued(e) => Some(&e.work),
        Event::WorkStarted(e) => Some(&e.work),
        Event::TaskAbandoned(e) => Some(&e.work),
        Event::RetryRequested(e) => Some(&e.work),
        _ => None,
    }
}

/// The job that an event is about.
pub(super) fn job_of(event: &Event) -> Option<(RunId, &JobId)> {
    match event {
        Event::PackageBuilt(e) => Some((e.run, &e.job)),
        Event::BuildFailed(e) => Some((e.run, &e.job)),
        event => match work_of(event)? {
            WorkKey {
                run,
                task: Task::Build(job),
                ..
            } => Some((*run, job)),
            _ => None,
        },
    }
}
