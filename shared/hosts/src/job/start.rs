//! Starting a job once.

use std::path::PathBuf;
use std::time::Duration;

use super::script::{self, failure, path_text};
use super::{JobError, JobHandle, JobSpec, LockMode, Started};
use crate::command::Command;
use crate::error::HostError;
use crate::host::Host;
use crate::quote;

/// How often a start is tried again that a lost connection left in doubt.
const RETRIES: u32 = 4;

/// Starts the job, or attaches to it where its id is there already, running or ended. Of any number
/// of starters at once one starts it.
///
/// # Errors
/// [`JobError`]; after a transient one the job may have been started, and the same call again
/// attaches to it.
pub async fn start_or_attach<'a>(
    host: &'a dyn Host,
    spec: &JobSpec,
) -> Result<JobHandle<'a>, JobError> {
    let invalid = |cause| HostError::InvalidCommand {
        command: spec.command.to_string(),
        cause,
    };
    spec.command.validate().map_err(invalid)?;
    if spec.command.stdin.is_some() {
        return Err(invalid("a job cannot read").into());
    }
    let text = format!("{}\n", quote::exec_line(&spec.command));
    let log = spec.log.as_deref().map(path_text).transpose()?;
    let command = Command::shell(
        "start-job",
        script::START,
        [
            path_text(&spec.spool)?,
            spec.id.to_string(),
            lock_path(spec)?,
            log.unwrap_or_default(),
            script::RUNNER.to_owned(),
            text.len().to_string(),
            match spec.lock_mode {
                LockMode::Exclusive => "exclusive".to_owned(),
                LockMode::Shared => "shared".to_owned(),
            },
        ],
    )
    .stdin(text)
    .timeout(script::SLACK);

    let action = format!("start the job {}", spec.id);
    let mut tries = 0;
    let output = loop {
        match script::run(host, &action, &command).await {
            // Whether it started is not known, and to ask is to start: harmless, as it attaches.
            Err(JobError::Host(HostError::ConnectionLost { address, cause }))
                if tries < RETRIES =>
            {
                tracing::warn!(
                    host.address = %address, job.id = %spec.id, cause,
                    "the connection was lost while a job was started; asking again"
                );
                tokio::time::sleep(Duration::from_millis(500) * 2_u32.pow(tries)).await;
                tries += 1;
            }
            result => break result?,
        }
    };
    let started = match output.stdout.as_slice() {
        b"started\n" => Started::Started,
        b"attached\n" => Started::Attached,
        _ => {
            return Err(failure(
                host,
                &action,
                &format!("unexpected: {}", output.stdout_text()),
            ));
        }
    };
    Ok(JobHandle {
        started,
        ..JobHandle::attach(host, &spec.spool, spec.id.clone())
    })
}

fn lock_path(spec: &JobSpec) -> Result<String, JobError> {
    let Some(lock) = &spec.lock else {
        return Ok(String::new());
    };
    let beside = spec
        .spool
        .parent()
        .ok_or_else(|| JobError::Path(PathBuf::from(&spec.spool)))?;
    path_text(&beside.join("locks").join(lock.as_str()))
}
