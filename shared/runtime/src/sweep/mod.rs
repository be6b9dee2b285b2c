//! Removes from a machine what runs, builds and jobs have left there, and nobody will come back for.
//!
//! Somebody may come back for a week: a worker that was away goes on with its claim. What belongs to
//! a job that runs stays, whoever wants it; the look for that and the removal are one step, in which
//! nobody can start a job ([`job::remove_left`]).

mod decide;

use std::path::PathBuf;

use gentoo_updater_fleet::message::Failure;
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
/// builds that still run are ended, and all their work goes at once; its notes stay, which the cleaning
/// goes by.
///
/// That something cannot be listed or removed is said in the log, and nothing fails for it.
///
/// # Errors
/// When the machine cannot be reached, or a build that nobody wants cannot be ended.
pub async fn machine(host: &dyn Host, over: Option<RunId>) -> Result<(), Failure> {
    one(host, over, &Places::of_machine()).await
}

async fn one(host: &dyn Host, over: Option<RunId>, places: &Places) -> Result<(), Failure> {
    let Some(seen) = look(host, places).await? else {
        return Ok(());
    };
    let Some(jobs) = unless_stuck(job::list(host, &places.spool).await)? else {
        return Ok(());
    };
    let sweep = decide(&seen, &jobs, over, places);
    for id in &sweep.kill {
        tracing::info!(job = %id, "a build that nobody wants any more is ended");
        let killed = job::kill(host, &places.spool, id).await;
        killed.map_err(|error| failure_of_job(&error))?;
    }
    for (owner, paths) in &sweep.left {
        match unless_stuck(job::remove_left(host, &places.spool, owner, paths).await)? {
            Some(Left::Removed) => tracing::debug!(owner, ?paths, "what was left is removed"),
            Some(Left::InUse) => tracing::info!(owner, "its jobs run, so what they left stays"),
            None => {}
        }
    }
    for id in &sweep.jobs {
        match job::remove(host, &places.spool, id).await {
            // Somebody has started it anew.
            Err(JobError::StillRunning { .. }) => {}
            removed => drop(unless_stuck(removed)?),
        }
    }
    Ok(())
}

/// What was done, if it could be: what is left on a machine that can be reached is nobody's need.
fn unless_stuck<T>(done: Result<T, JobError>) -> Result<Option<T>, Failure> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error @ JobError::Host(_)) => Err(failure_of_job(&error)),
        Err(error) => {
            tracing::warn!("what runs have left stays: {error}");
            Ok(None)
        }
    }
}

/// What lies there; nothing where that cannot be told.
async fn look(host: &dyn Host, places: &Places) -> Result<Option<Seen>, Failure> {
    let folders = [&places.work, &places.runs, &places.logs, &places.spool];
    let folders = folders.into_iter().chain(&places.groups);
    let folders = folders.map(|folder| folder.display().to_string());
    let output = ask(host, &Command::shell("look", LOOK, folders)).await?;
    let said = output.stderr_text();
    let seen = match output.status {
        ExitStatus::Code(0) => Seen::read(&output.stdout_text()).map_err(|it| it.to_string()),
        _ => Err(said.trim().to_owned()),
    };
    let seen = seen.inspect_err(|said| tracing::warn!("what runs have left stays: {said}"));
    Ok(seen.ok())
}

#[cfg(test)]
mod tests;
