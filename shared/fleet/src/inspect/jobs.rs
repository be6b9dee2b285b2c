//! What is known of jobs: most events name only a job's id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gentoo_updater_portage::build_key::BuildKey;

use crate::message::{Event, GuestScanned, Job, Purpose, Task, WorkKey};
use crate::name::{GuestName, JobId, PlatformName, RunId};
use crate::state::Fleet;

/// A job of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownJob {
    /// The platform whose store it goes to.
    pub platform: PlatformName,
    /// What is built.
    pub key: Arc<BuildKey>,
    /// The guests that install it.
    pub wanted_by: BTreeSet<GuestName>,
}

/// The jobs of the batches that were read so far.
#[derive(Debug, Clone, Default)]
pub struct KnownJobs {
    jobs: BTreeMap<(RunId, JobId), KnownJob>,
    /// What was said of the runs of which no batch was read so far.
    before: BTreeMap<RunId, BeforeBatch>,
}

/// What guests want of a batch that is to come.
#[derive(Debug, Clone, Default)]
struct BeforeBatch {
    platforms: BTreeMap<GuestName, PlatformName>,
    wants: BTreeMap<GuestName, BTreeSet<JobId>>,
}

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

    /// The jobs that this work builds, of the runs that are known. A fleet has thousands of others.
    pub fn of_work<'a>(fleet: &Fleet, work: impl IntoIterator<Item = &'a WorkKey>) -> Self {
        let mut known = Self::default();
        for work in work {
            let run = fleet.runs.get(&work.run);
            let jobs = run.and_then(|run| run.jobs.as_ref());
            if let (Some(jobs), Task::Build(id)) = (jobs, &work.task)
                && let Some(job) = jobs.get(id)
            {
                known.insert(work.run, job);
            }
        }
        known
    }

    /// Keeps the jobs of a batch, and before it what guests want of it; other events say nothing of
    /// jobs that is not known by then. As in the state, the first batch of a run and the first answer of a
    /// guest stand.
    pub fn learn(&mut self, event: &Event) {
        match event {
            Event::RunRequested(requested) => {
                let platforms = requested.guests.clone();
                self.before.entry(requested.run).or_default().platforms = platforms;
            }
            Event::GuestScanned(scanned) => {
                if let Some(before) = self.before.get_mut(&scanned.run) {
                    before.learn(scanned);
                }
            }
            Event::BatchPlanned(planned) => {
                for job in &planned.batch.jobs {
                    self.insert(planned.run, job);
                }
                let before = self.before.remove(&planned.run).unwrap_or_default();
                for (guest, wants) in before.wants {
                    let is_in_it = planned.batch.guests.contains_key(&guest);
                    for id in wants.into_iter().filter(|_| is_in_it) {
                        if let Some(job) = self.jobs.get_mut(&(planned.run, id)) {
                            job.wanted_by.insert(guest.clone());
                        }
                    }
                }
            }
            Event::RunFinished(finished) => {
                self.before.remove(&finished.run);
            }
            _ => {}
        }
    }

    /// What is known of a job.
    pub fn get(&self, run: RunId, id: &JobId) -> Option<&KnownJob> {
        self.jobs.get(&(run, id.clone()))
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
        self.jobs.entry((run, job.id.clone())).or_insert(known);
    }
}

impl BeforeBatch {
    fn learn(&mut self, scanned: &GuestScanned) {
        let Some(platform) = self.platforms.get(&scanned.guest) else {
            return;
        };
        let wanted = scanned
            .updates
            .iter()
            .filter(|row| row.purpose == Purpose::Runtime);
        let wants = || wanted.map(|row| JobId::of(platform, &row.key)).collect();
        self.wants
            .entry(scanned.guest.clone())
            .or_insert_with(wants);
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
