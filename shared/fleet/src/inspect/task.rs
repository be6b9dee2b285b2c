//! Tasks in the words of an operator: packages and machines, not ids.

use std::fmt;

use serde::Serialize;

use super::jobs::{KnownJob, KnownJobs};
use crate::message::{Task, WorkKey};
use crate::name::{GuestName, JobId, RunId};

/// One attempt at a task, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskView {
    /// `sync`, `scan`, `search`, `build`, `install`, `clean` or `collect`.
    pub kind: &'static str,
    /// The guest, the builder or the platform; for a build its package and version, where the job is known.
    pub subject: Option<String>,
    /// The job, for a build.
    pub job: Option<JobId>,
    /// The guests that it is done for. Empty for a build that only other builds need.
    pub guests: Vec<GuestName>,
    /// The run.
    pub run: RunId,
    /// Counts from 1.
    pub attempt: u32,
}

impl TaskView {
    /// This work, with what is known of its job.
    pub fn of(work: &WorkKey, jobs: &KnownJobs) -> Self {
        let known = match &work.task {
            Task::Build(id) => jobs.get(work.run, id),
            _ => None,
        };
        let (subject, guests) = match &work.task {
            Task::Scan(guest) | Task::Install(guest) => {
                (Some(guest.to_string()), vec![guest.clone()])
            }
            Task::Sync(builder) | Task::Clean(builder) => (Some(builder.to_string()), Vec::new()),
            Task::Search(platform) | Task::Collect(platform) => {
                (Some(platform.to_string()), Vec::new())
            }
            Task::Build(_) => {
                let guests = |job: &KnownJob| job.wanted_by.iter().cloned().collect();
                let package = known.map(|job| job.key.cpv.to_string());
                (package, known.map(guests).unwrap_or_default())
            }
        };
        let job = match &work.task {
            Task::Build(id) => Some(id.clone()),
            _ => None,
        };
        Self {
            kind: work.task.kind(),
            subject,
            job,
            guests,
            run: work.run,
            attempt: work.attempt,
        }
    }
}

impl fmt::Display for TaskView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, job) = (self.subject.as_deref(), self.job.as_ref());
        match (self.kind, subject, job) {
            ("scan", Some(guest), _) => write!(f, "scan of {guest}")?,
            ("install", Some(guest), _) => write!(f, "install on {guest}")?,
            ("sync", Some(builder), _) => write!(f, "sync of {builder}")?,
            ("search", Some(platform), _) => write!(f, "search of the store of {platform}")?,
            ("collect", Some(platform), _) => {
                write!(f, "collection of the store of {platform}")?;
            }
            ("clean", Some(builder), _) => write!(f, "cleaning of {builder}")?,
            (_, Some(package), _) => {
                write!(f, "build {package}")?;
                let guests: Vec<&str> = self.guests.iter().map(GuestName::as_str).collect();
                match guests.as_slice() {
                    [] => f.write_str(" for builds only")?,
                    guests => write!(f, " for {}", guests.join(" "))?,
                }
            }
            (_, None, Some(job)) => write!(f, "build job {}", job.short())?,
            (kind, None, None) => f.write_str(kind)?,
        }
        if self.attempt > 1 {
            write!(f, " (attempt {})", self.attempt)?;
        }
        Ok(())
    }
}
