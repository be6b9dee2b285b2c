//! The scripts that run on the machine, and running them.

use std::path::Path;
use std::time::Duration;

use super::{JobError, JobOutcome, JobState};
use crate::command::{Command, Output};
use crate::host::Host;
use crate::markers::run_between_markers;

macro_rules! script {
    ($name:literal) => {
        concat!(
            include_str!("scripts/common.sh"),
            "\n",
            include_str!(concat!("scripts/", $name, ".sh"))
        )
    };
}

pub(super) const START: &str = script!("start");
pub(super) const RUNNER: &str = script!("runner");
pub(super) const POLL: &str = script!("poll");
pub(super) const KILL: &str = script!("kill");
pub(super) const LIST: &str = script!("list");
pub(super) const REMOVE: &str = script!("remove");
pub(super) const LEFT: &str = script!("left");

/// How long a script may take that waits for nothing but a loaded machine.
pub(super) const SLACK: Duration = Duration::from_secs(60);

/// A path as the argument of a script.
pub(super) fn path_text(path: &Path) -> Result<String, JobError> {
    match path.to_str() {
        Some(text) if path.is_absolute() && !text.contains(['\n', '\0']) => Ok(text.to_owned()),
        _ => Err(JobError::Path(path.to_owned())),
    }
}

/// Runs a script, which has to succeed. `action` finishes the sentence "cannot …".
pub(super) async fn run(
    host: &dyn Host,
    action: &str,
    command: &Command,
) -> Result<Output, JobError> {
    let output = run_between_markers(host, command).await?;
    if output.status.success() {
        return Ok(output);
    }
    let said = output.stderr_text();
    Err(failure(
        host,
        action,
        &format!("{} ({})", said.trim(), output.status),
    ))
}

pub(super) fn failure(host: &dyn Host, action: &str, cause: &str) -> JobError {
    JobError::Machine {
        address: host.address().clone(),
        action: action.to_owned(),
        cause: cause.to_owned(),
    }
}

/// What `read_job` of common.sh found, as the scripts print it. `Ok(None)`: there is no such job.
pub(super) fn parse_state(state: &str, code: &str) -> Result<Option<JobState>, ()> {
    Ok(Some(match state {
        "missing" => return Ok(None),
        "unstarted" => JobState::Unstarted,
        "running" => JobState::Running,
        "vanished" => JobState::Ended(JobOutcome::Vanished),
        "ended" => JobState::Ended(JobOutcome::from_code(code.parse().map_err(|_| ())?)),
        _ => return Err(()),
    }))
}
