//! Removes from a machine what runs, builds and jobs have left there, and nobody will come back for.
//!
//! Somebody may come back for a week: a worker that was away goes on with its claim. What belongs to
//! a job that runs stays, whoever wants it; the look for that and the removal are one step, in which
//! nobody can start a job ([`job::remove_left`]).

mod decide;

use std::path::PathBuf;

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::job::{self, DEFAULT_SPOOL, JobError, Left};
use gentoo_updater_hosts::{Command, ExitStatus, Host};

use crate::jobs::{LOGS, WORK, failure_of_job};
use crate::machines::ask;
use crate::vdb::RUNS;
use decide::{Seen, decide};

const LOOK: &str = include_str!("look.sh");

/// Where control groups are, of either version.
const GROUPS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/memory"];

/// Where something is left.
#[derive(Debug, Clone)]
struct Places {
    work: PathBuf,
    runs: PathBuf,
    logs: PathBuf,
    spool: PathBuf,
    groups: Vec<PathBuf>,
}

impl Places {
    fn of_machine() -> Self {
        Self {
            work: WORK.into(),
            runs: RUNS.into(),
            logs: LOGS.into(),
            spool: DEFAULT_SPOOL.into(),
            groups: GROUPS.map(PathBuf::from).into(),
        }
    }
}

/// Removes what is stale. `over` is a run that needs nothing more of this machine's builds: its
/// builds that still run are ended, and all their work goes at once.
///
/// # Errors
/// When the machine cannot be asked, or something cannot be removed.
pub async fn machine(host: &dyn Host, over: Option<RunId>) -> Result<(), Failure> {
    one(host, over, &Places::of_machine()).await
}

async fn one(host: &dyn Host, over: Option<RunId>, places: &Places) -> Result<(), Failure> {
    let seen = look(host, places).await?;
    let jobs = job::list(host, &places.spool).await;
    let jobs = jobs.map_err(|error| failure_of_job(&error))?;
    let sweep = decide(&seen, &jobs, over, places);
    for id in &sweep.kill {
        tracing::info!(job = %id, "a build that nobody wants any more is ended");
        let killed = job::kill(host, &places.spool, id).await;
        killed.map_err(|error| failure_of_job(&error))?;
    }
    for (owner, paths) in &sweep.left {
        let left = job::remove_left(host, &places.spool, owner, paths).await;
        match left.map_err(|error| failure_of_job(&error))? {
            Left::Removed => tracing::debug!(owner, ?paths, "what was left is removed"),
            Left::InUse => tracing::info!(owner, "its jobs run, so what they left stays"),
        }
    }
    for id in &sweep.jobs {
        match job::remove(host, &places.spool, id).await {
            // Somebody has started it anew.
            Ok(()) | Err(JobError::StillRunning { .. }) => {}
            Err(error) => return Err(failure_of_job(&error)),
        }
    }
    Ok(())
}

async fn look(host: &dyn Host, places: &Places) -> Result<Seen, Failure> {
    let folders = [&places.work, &places.runs, &places.logs, &places.spool];
    let folders = folders.into_iter().chain(&places.groups);
    let folders = folders.map(|folder| folder.display().to_string());
    let output = ask(host, &Command::shell("look", LOOK, folders)).await?;
    let said = output.stderr_text();
    let unreadable = |said: &str| {
        let message = format!("what runs have left cannot be listed: {}", said.trim());
        Failure::new(FailureClass::Machine, "LeftUnreadable", message)
    };
    if output.status != ExitStatus::Code(0) {
        return Err(unreadable(&said));
    }
    Seen::read(&output.stdout_text()).map_err(|error| unreadable(&error.to_string()))
}

#[cfg(test)]
mod tests;
