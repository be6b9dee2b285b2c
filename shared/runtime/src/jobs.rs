//! What changes a machine: detached, under the machine's lock, with a log that stays.

use std::path::Path;
use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass, Job};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::trace;
use gentoo_updater_hosts::job::{
    self, DEFAULT_PATIENCE, DEFAULT_SPOOL, JobError, JobId, JobOutcome, JobSpec, JobState,
    LockMode, LockName,
};
use gentoo_updater_hosts::{Command, Host};
use gentoo_updater_portage::outcome;

use crate::machines::failure_of_host;

/// Where the logs of detached programs are kept.
pub const LOGS: &str = "/var/log/gentoo-updater";

/// Where builds work; all of a run's folder is the run's.
pub const WORK: &str = "/var/tmp/gentoo-updater";

/// Where builders keep the compressed logs of builds, below a store.
pub const STORED_LOGS: &str = ".gentoo-updater/logs";

/// The lock that every program holds that runs emerge against the machine itself, so that no two
/// of them change it at once. What builds in a view of the machine shares it with its like: the
/// machine must not change below an open view.
const MACHINE_LOCK: &str = "portage";

/// How much of the end of a log is read to explain a failure.
const LOG_BYTES: usize = 256 * 1024;

/// What a detached program is called.
#[derive(Debug, Clone)]
pub struct Description {
    /// Names the program on its machine. Whoever starts one of the same name attaches to it.
    pub id: String,
    /// The name of its log below the folder of the run.
    pub log: String,
    /// The run that it belongs to.
    pub run: RunId,
    /// How long a machine is waited for that does not answer any more.
    patience: Duration,
}

/// How a detached program ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its exit code, or that there is none.
    pub outcome: JobOutcome,
    /// The end of its log.
    pub log: String,
    /// Where the whole log is on that machine.
    pub log_path: String,
}

impl Description {
    /// A program of this id and log.
    pub fn new(id: impl Into<String>, log: impl Into<String>, run: RunId) -> Self {
        Self {
            id: id.into(),
            log: log.into(),
            run,
            patience: DEFAULT_PATIENCE,
        }
    }

    /// The program that builds a job.
    pub fn of_build(run: RunId, job: &Job) -> Self {
        let (pf, short) = (job.key.cpv.pf(), job.id.short());
        Self::new(
            format!("build-{run}-{short}"),
            format!("{pf}-{short}.log"),
            run,
        )
    }

    /// The same, which is waited for so long when its machine does not answer any more.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Where its log is on the machine.
    pub fn log_path(&self) -> String {
        format!("{LOGS}/{}/{}", self.run, self.log)
    }

    fn id(&self) -> Result<JobId, Failure> {
        self.id.parse().map_err(|error| {
            let message = format!("{} cannot name a program: {error}", self.id);
            Failure::new(FailureClass::Permanent, "NameInvalid", message)
        })
    }
}

/// Starts a program that changes the machine, or attaches to the one of this name, and waits for its
/// end, from now on for as long as the command may take; then it is killed with everything below it.
///
/// # Errors
/// When the machine cannot be asked. The program then goes on, and the next attempt attaches.
pub async fn run(
    host: &dyn Host,
    description: &Description,
    command: Command,
) -> Result<Ended, Failure> {
    hold(host, description, command, LockMode::Exclusive).await
}

/// As [`run`], for a program that needs the machine to stay as it is and changes nothing of it: any
/// number of those run at once, and none beside one that changes the machine.
///
/// # Errors
/// As [`run`].
pub async fn run_beside_others(
    host: &dyn Host,
    description: &Description,
    command: Command,
) -> Result<Ended, Failure> {
    hold(host, description, command, LockMode::Shared).await
}

async fn hold(
    host: &dyn Host,
    description: &Description,
    command: Command,
    mode: LockMode,
) -> Result<Ended, Failure> {
    let lock: LockName = MACHINE_LOCK.parse().map_err(|error| {
        Failure::new(
            FailureClass::Permanent,
            "NameInvalid",
            format!("{MACHINE_LOCK}: {error}"),
        )
    })?;
    let log_path = description.log_path();
    let command = command.env(trace::VARIABLE, trace::parent(description.run));
    let spec = JobSpec::new(description.id()?, command).log(&log_path);
    let spec = match mode {
        LockMode::Exclusive => spec.lock(lock),
        LockMode::Shared => spec.shared_lock(lock),
    };
    let limit = spec.command.timeout;
    let mut tail = Tail::default();
    let mut handle = job::start_or_attach(host, &spec)
        .await
        .map_err(|error| failure_of_job(&error))?
        .patience(description.patience);
    let other = handle.clone();
    let waited = tokio::time::timeout(limit, handle.wait(|bytes| tail.push(bytes))).await;
    let Ok(outcome) = waited else {
        other.kill().await.map_err(|error| failure_of_job(&error))?;
        forget(host, description).await?;
        return Err(timed_out(limit, &tail.into_text(), host, &log_path));
    };
    let outcome = outcome.map_err(|error| failure_of_job(&error))?;
    Ok(Ended {
        outcome,
        log: tail.into_text(),
        log_path,
    })
}

fn timed_out(limit: Duration, log: &str, host: &dyn Host, log_path: &str) -> Failure {
    let message = format!(
        "it did not end within {} s and was killed; if it needs longer, raise the limit in \
         [policy]",
        limit.as_secs()
    );
    Failure::new(FailureClass::Permanent, "TimedOut", message).with_log(
        outcome::last_lines(log, 25),
        format!("{}:{log_path}", host.address()),
    )
}

/// Whether a program of this name was started on the machine, ended or not.
///
/// # Errors
/// When the machine cannot be asked.
pub async fn is_known(host: &dyn Host, description: &Description) -> Result<bool, Failure> {
    let id = description.id()?;
    let known = list(host).await?;
    Ok(known
        .iter()
        .any(|job| job.id == id && job.state != JobState::Unstarted))
}

/// Forgets a program that has ended, so that the next of this name is started anew. Its log stays.
///
/// # Errors
/// When the machine cannot be asked.
pub async fn forget(host: &dyn Host, description: &Description) -> Result<(), Failure> {
    let id = description.id()?;
    job::remove(host, Path::new(DEFAULT_SPOOL), &id)
        .await
        .map_err(|error| failure_of_job(&error))
}

/// As [`forget`], and leaves one that runs as it is, for others to attach to.
///
/// # Errors
/// When the machine cannot be asked.
pub async fn forget_ended(host: &dyn Host, description: &Description) -> Result<(), Failure> {
    let id = description.id()?;
    let known = list(host).await?;
    match known.iter().find(|job| job.id == id) {
        Some(job) if job.state != JobState::Running => forget(host, description).await,
        _ => Ok(()),
    }
}

pub(crate) async fn list(host: &dyn Host) -> Result<Vec<job::JobSummary>, Failure> {
    job::list(host, Path::new(DEFAULT_SPOOL))
        .await
        .map_err(|error| failure_of_job(&error))
}

pub(crate) fn failure_of_job(error: &JobError) -> Failure {
    match error {
        JobError::Host(error) => failure_of_host(error),
        _ => Failure::new(FailureClass::Machine, "JobUnmanageable", error.to_string()),
    }
}

/// The last bytes of a log.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        if self.0.len() > 2 * LOG_BYTES {
            let surplus = self.0.len() - LOG_BYTES;
            self.0.drain(..surplus);
        }
    }

    fn into_text(self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}
