//! Detached jobs: commands that survive the connection that started them.
//!
//! A command over ssh dies, or worse, stops in the middle, when its connection drops. A job is
//! started under a session of its own on the machine, with its output in a file, and whoever knows
//! its id attaches to it later: to follow the log, to learn how it ended, to end it. A job is
//! started at most once: a second start of the same id attaches.
//!
//! On the machine a job is a folder `SPOOL/ID/`:
//!
//! | file | |
//! |---|---|
//! | `command` | the shell text of the command |
//! | `runner` | the script that runs it and waits for it |
//! | `pid` | number, start time (proc_pid_stat(5), field 22) and boot id of the runner |
//! | `running` | locked while the runner lives |
//! | `log` | standard output and error of the command, or a link to where they go |
//! | `status` | the exit status, written last, by rename |
//!
//! The machine needs a POSIX shell and util-linux (`setsid`, `flock`); `scripts/` holds what runs
//! there. The folder is private to the user that starts jobs.

mod follow;
mod manage;
mod name;
mod script;
mod start;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use manage::{Left, kill, list, remove, remove_left};
pub use name::{JobId, LockName, NameError};
pub use start::start_or_attach;

use crate::address::HostAddress;
use crate::command::{Command, signal_name};
use crate::error::HostError;
use crate::host::Host;

/// Where jobs are kept on a machine unless a [`JobSpec`] says otherwise.
pub const DEFAULT_SPOOL: &str = "/var/lib/gentoo-updater/jobs";

/// How long [`JobHandle::wait`] tries to reach a machine that does not answer.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// A job to start.
#[derive(Debug, Clone)]
pub struct JobSpec {
    /// Its identity on the machine.
    pub id: JobId,
    /// What to run: program, arguments and environment. A job reads nothing and has no timeout, so
    /// `stdin` must be `None` and `timeout` does not matter. It runs in `/`.
    pub command: Command,
    /// A lock of the machine to hold while it runs; where another job holds it, this one waits.
    /// Locks lie beside the spool, in `SPOOL/../locks/`.
    pub lock: Option<LockName>,
    /// Who else may hold that lock meanwhile.
    pub lock_mode: LockMode,
    /// The folder of jobs on the machine, an absolute path.
    pub spool: PathBuf,
    /// Where the output goes, an absolute path; without it, into the job's folder. An existing file
    /// is appended to, and following starts at its beginning.
    pub log: Option<PathBuf>,
}

impl JobSpec {
    /// A job in the [`DEFAULT_SPOOL`], without a lock, with its log in its folder.
    #[must_use]
    pub fn new(id: JobId, command: Command) -> Self {
        Self {
            id,
            command,
            lock: None,
            lock_mode: LockMode::Exclusive,
            spool: PathBuf::from(DEFAULT_SPOOL),
            log: None,
        }
    }

    /// Sets the lock, which nobody else holds while the job does.
    #[must_use]
    pub fn lock(mut self, lock: LockName) -> Self {
        self.lock = Some(lock);
        self.lock_mode = LockMode::Exclusive;
        self
    }

    /// Sets the lock, which others may hold in the same way while the job does.
    #[must_use]
    pub fn shared_lock(mut self, lock: LockName) -> Self {
        self.lock = Some(lock);
        self.lock_mode = LockMode::Shared;
        self
    }

    /// Sets the spool.
    #[must_use]
    pub fn spool(mut self, spool: impl Into<PathBuf>) -> Self {
        self.spool = spool.into();
        self
    }

    /// Sets the path of the log.
    #[must_use]
    pub fn log(mut self, log: impl Into<PathBuf>) -> Self {
        self.log = Some(log.into());
        self
    }
}

/// Who may hold a lock at once.
///
/// Those who wait for a lock get it in the order in which they came, so that a row of jobs that share
/// it does not keep one from it that needs it alone: what comes later waits behind that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// One alone.
    Exclusive,
    /// Any number of those who share it.
    Shared,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobOutcome {
    /// The command exited with this code.
    Exited(i32),
    /// A signal ended the command; its name without `SIG`. A command that exits with 128 + the
    /// number of a signal, as shells do for their children, cannot be told from that.
    Killed(String),
    /// There is no process and no status: the machine was restarted, or the job was killed together
    /// with its runner. How far the command came is not known.
    Vanished,
}

impl JobOutcome {
    /// Whether the command exited with 0.
    #[must_use]
    pub fn success(&self) -> bool {
        *self == Self::Exited(0)
    }

    fn from_code(code: i32) -> Self {
        match code {
            129..=192 => Self::Killed(signal_name(code - 128)),
            _ => Self::Exited(code),
        }
    }
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// Its folder is there and its runner was never started: a start was cut off. Starting it
    /// again starts it.
    Unstarted,
    /// It runs, or waits for its lock.
    Running,
    /// It is over.
    Ended(JobOutcome),
}

/// One job of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSummary {
    /// Its identity.
    pub id: JobId,
    /// Where it stands.
    pub state: JobState,
}

/// Whether [`start_or_attach`] started the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// This call started it.
    Started,
    /// It was there already, running or ended. Where the connection was lost in the middle of a
    /// start, this may be the job that the same call started.
    Attached,
}

/// Why something with a job did not work.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The way to the machine failed. The job, if it runs, is not touched by that.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The job is not on the machine, or was never started.
    #[error("there is no job {id} on {address}")]
    Missing {
        /// The machine.
        address: HostAddress,
        /// The job.
        id: JobId,
    },
    /// The job runs, so its folder is needed.
    #[error("the job {id} on {address} is still running")]
    StillRunning {
        /// The machine.
        address: HostAddress,
        /// The job.
        id: JobId,
    },
    /// The machine could not do its part: no room on the disk, `setsid` or `flock` missing, no
    /// right to write the spool.
    #[error("cannot {action} on {address}: {cause}")]
    Machine {
        /// The machine.
        address: HostAddress,
        /// What was tried, with the id of the job.
        action: String,
        /// What the machine said.
        cause: String,
    },
    /// The spool or the log is not an absolute path in UTF-8 without line ends.
    #[error("{} cannot be a path on another machine: it must be absolute UTF-8 text", .0.display())]
    Path(PathBuf),
}

impl JobError {
    /// Whether the same again, later, may succeed without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Host(error) if error.is_transient())
    }
}

/// A job on a machine, which can be followed, waited for, ended and removed.
#[derive(Clone)]
pub struct JobHandle<'a> {
    host: &'a dyn Host,
    id: JobId,
    spool: PathBuf,
    started: Started,
    offset: u64,
    patience: Duration,
}

impl<'a> JobHandle<'a> {
    /// A job that somebody started before; whether it is there shows when it is waited for.
    #[must_use]
    pub fn attach(host: &'a dyn Host, spool: &Path, id: JobId) -> Self {
        Self {
            host,
            id,
            spool: spool.to_owned(),
            started: Started::Attached,
            offset: 0,
            patience: DEFAULT_PATIENCE,
        }
    }

    /// Whether the call that gave this handle started the job.
    #[must_use]
    pub fn started(&self) -> Started {
        self.started
    }

    /// The identity of the job.
    #[must_use]
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// Follows the log from this byte on instead of from its beginning.
    #[must_use]
    pub fn from_offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// How many bytes of the log were followed so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How long [`wait`](Self::wait) tries to reach a machine that does not answer.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Ends the job; see [`kill`]. A clone of the handle does so while another waits.
    ///
    /// # Errors
    /// See [`kill`].
    pub async fn kill(&self) -> Result<(), JobError> {
        kill(self.host, &self.spool, &self.id).await
    }

    /// Removes the folder of the ended job; see [`remove`].
    ///
    /// # Errors
    /// See [`remove`].
    pub async fn remove(&self) -> Result<(), JobError> {
        remove(self.host, &self.spool, &self.id).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_above_128_is_the_signal_that_a_shell_means_by_it() {
        assert_eq!(JobOutcome::from_code(0), JobOutcome::Exited(0));
        assert_eq!(JobOutcome::from_code(128), JobOutcome::Exited(128));
        assert_eq!(
            JobOutcome::from_code(137),
            JobOutcome::Killed("KILL".to_owned())
        );
        assert_eq!(JobOutcome::from_code(255), JobOutcome::Exited(255));
    }
}
