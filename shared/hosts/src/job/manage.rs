//! Ending, listing and removing jobs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::script::{self, failure, parse_state, path_text};
use super::{JobError, JobId, JobSummary};
use crate::command::Command;
use crate::host::Host;

/// How long the processes of a job have between SIGTERM and SIGKILL, in seconds.
const GRACE_SECONDS: u64 = 10;

/// How long it may take to remove the folders of builds.
const LEFT_LIMIT: Duration = Duration::from_secs(900);

/// Ends a job with all its processes: its session, its descendants and their sessions get SIGTERM,
/// and what lives on SIGKILL after 10 seconds. When this returns the job has ended, and
/// [`JobHandle::wait`](super::JobHandle::wait) tells how. A job that does not run, or is not there,
/// is left as it is.
///
/// A daemon that the job started and that left its session and its parent is not part of it.
///
/// # Errors
/// [`JobError::Machine`] when processes live on, [`JobError::Host`] when the machine cannot be
/// reached.
pub async fn kill(host: &dyn Host, spool: &Path, id: &JobId) -> Result<(), JobError> {
    let folder = path_text(&spool.join(id.as_str()))?;
    let command = Command::shell(
        "kill-job",
        script::KILL,
        [folder, GRACE_SECONDS.to_string()],
    )
    .timeout(Duration::from_secs(GRACE_SECONDS) + script::SLACK);
    script::run(host, &format!("kill the job {id}"), &command).await?;
    Ok(())
}

/// Removes the folder of a job that does not run; its log too, unless it was put elsewhere. A job
/// that is not there is removed already.
///
/// # Errors
/// [`JobError::StillRunning`]; [`JobError::Host`] when the machine cannot be reached.
pub async fn remove(host: &dyn Host, spool: &Path, id: &JobId) -> Result<(), JobError> {
    let parameters = [path_text(spool)?, id.to_string()];
    let command = Command::shell("remove-job", script::REMOVE, parameters).timeout(script::SLACK);
    let action = format!("remove the job {id}");
    let output = script::run(host, &action, &command).await?;
    match output.stdout.as_slice() {
        b"removed\n" => Ok(()),
        b"running\n" => Err(JobError::StillRunning {
            address: host.address().clone(),
            id: id.clone(),
        }),
        _ => Err(failure(
            host,
            &action,
            &format!("unexpected: {}", output.stdout_text()),
        )),
    }
}

/// What became of what was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It is gone.
    Removed,
    /// A job runs that may need it; nothing was touched.
    InUse,
}

/// Removes files and folders that jobs have left whose ids have this word in them, unless one of
/// those runs; none is started meanwhile. Paths lead to nothing that is mounted there, and are
/// absolute. What is not there is removed already. Control groups go where no process is left in
/// them. What an end in the middle leaves has the name of the path with `.left` behind it, and is
/// removed under either name.
///
/// # Errors
/// [`JobError::Path`], [`JobError::Host`] when the machine cannot be reached, [`JobError::Machine`]
/// when something cannot be removed.
pub async fn remove_left(
    host: &dyn Host,
    spool: &Path,
    word: &str,
    paths: &[PathBuf],
) -> Result<Left, JobError> {
    let mut parameters = vec![path_text(spool)?, word.to_owned()];
    for path in paths {
        parameters.push(path_text(path)?);
    }
    let command = Command::shell("left", script::LEFT, parameters).timeout(LEFT_LIMIT);
    let action = format!("remove what jobs of {word} have left");
    let output = script::run(host, &action, &command).await?;
    match output.stdout.as_slice() {
        b"removed\n" => Ok(Left::Removed),
        b"running\n" => Ok(Left::InUse),
        _ => Err(failure(
            host,
            &action,
            &format!("unexpected: {}", output.stdout_text()),
        )),
    }
}

/// The jobs in a spool, in the order of their ids. A spool that is not there has none.
///
/// # Errors
/// [`JobError::Host`] when the machine cannot be reached; [`JobError::Machine`] when something
/// lies in the spool that is no job.
pub async fn list(host: &dyn Host, spool: &Path) -> Result<Vec<JobSummary>, JobError> {
    let command =
        Command::shell("list-jobs", script::LIST, [path_text(spool)?]).timeout(script::SLACK);
    let output = script::run(host, "list the jobs", &command).await?;
    let mut jobs = Vec::new();
    for line in output.stdout_text().lines() {
        let mut words = line.split(' ');
        let (id, state, code) = (words.next(), words.next(), words.next());
        let id = id.and_then(|id| id.parse().ok());
        let state = parse_state(state.unwrap_or_default(), code.unwrap_or_default());
        match (id, state) {
            (Some(id), Ok(Some(state))) => jobs.push(JobSummary { id, state }),
            // Removed between the two looks.
            (Some(_), Ok(None)) => {}
            _ => {
                return Err(failure(
                    host,
                    "list the jobs",
                    &format!("unexpected: {line}"),
                ));
            }
        }
    }
    jobs.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(jobs)
}
