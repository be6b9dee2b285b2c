//! The loop that every worker runs: take a command, claim it, work, publish the result.
//!
//! No delivery is held while a worker works. A command is claimed by an event
//! (`WorkStarted`); the first claim of an attempt in the order of the history wins, and then the
//! command is settled. Claim and result are on the worker's own disk from then on, so that a
//! restart of worker or broker loses nothing.

mod claim;
mod deadly;
mod directory;
mod heartbeat;
mod job;
pub mod meters;
mod pause;
mod readiness;
mod serve;
mod stale;
mod store;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gentoo_updater_fleet::message::{BuilderMachine, Command, Durations, Event, Failure, Role};
use gentoo_updater_fleet::name::{BuilderName, WorkerId};

use crate::clock::{Clock, Speaker};
use crate::pulse::Pulse;
use crate::seam::BusError;

pub use directory::{MemoryDirectory, StateDirectory};
pub use serve::serve;
pub use stale::{KEPT, remove_stale};

/// Does the work of one role.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Does what the command says and tells how it ended.
    ///
    /// It is called again with the same command after a restart of the worker, so it attaches
    /// to work that still goes on instead of beginning it again.
    async fn handle(&self, command: &Command) -> Event;

    /// Whether its machine is fit for work. The worker asks before its first command and after
    /// every failure that speaks against the machine, and takes no commands until the answer is
    /// good. It asks again and again, so this is to be quick, and to end.
    ///
    /// # Errors
    /// What is wrong with the machine, with the remedy. Who works for many machines at once is
    /// always ready.
    async fn ready(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// What is known of the machine that it compiles on, for builders. The worker tells it when it
    /// registers, and registers anew when [`Self::ready`] has found out something else.
    fn machine(&self) -> Option<BuilderMachine> {
        None
    }

    /// How long packages took to be built on its machine before, as far as [`Self::ready`] has found
    /// out, for builders. The worker tells what of it the history does not know.
    fn durations(&self) -> Arc<Durations> {
        Arc::default()
    }

    /// How many commands its machine can work on at once, as far as is known by now; it may be
    /// another number after each [`Handler::ready`]. The worker takes no more than that, and no more
    /// than its slots.
    fn at_once(&self) -> u16 {
        u16::MAX
    }

    /// How many of these slots a command takes, as far as is known by now. The worker takes nothing
    /// further while all are taken.
    fn slots_for(&self, _command: &Command) -> u16 {
        1
    }

    /// The event that says that the command could not be done.
    fn failed(&self, command: &Command, failure: Failure) -> Event;
}

/// What tells one worker from another.
#[derive(Debug, Clone)]
pub struct WorkerSpec {
    /// Its id, the same after every restart.
    pub id: WorkerId,
    /// What tells it the time.
    pub clock: Arc<dyn Clock>,
    /// Its role.
    pub role: Role,
    /// The queues that it serves.
    pub queues: Vec<String>,
    /// How many commands it works on at once; at least one, and fewer where its handler says so.
    pub slots: u16,
    /// Where it keeps claims and results; its own, and kept over restarts.
    pub state_directory: StateDirectory,
    /// How often it says that it lives.
    pub heartbeat: Duration,
    /// How long work may go on after the stop.
    pub grace: Duration,
    /// Whether claims are read back from the history. A guest's own agent has no access to the
    /// history, and its queue has no other reader.
    pub read_back: bool,
    /// The builder that it works on, for builders. Failures of the machine are this worker's own
    /// then: it pauses, and leaves the next attempt to others. A worker for many guests goes on,
    /// for a guest that is off says nothing about it.
    pub builder: Option<BuilderName>,
    /// Where its loop says that it turns, when it is asked.
    pub pulse: Pulse,
}

impl WorkerSpec {
    /// How many commands it takes at once, as far as is known by now.
    fn slots(&self, handler: &dyn Handler) -> u16 {
        self.slots.min(handler.at_once()).max(1)
    }

    /// Makes this worker's messages.
    fn speaker(&self) -> Speaker {
        Speaker::new(self.id.clone(), self.clock.clone())
    }
}

/// Why a worker ended.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The bus cannot go on.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// Another process works under this id on this machine.
    #[error(
        "another process works as {id} here ({path} is locked); give this one an --instance NAME of its \
         own"
    )]
    InUse {
        /// The id.
        id: WorkerId,
        /// The lock file.
        path: PathBuf,
    },
    /// Claims and results cannot be kept.
    #[error("{path}: {source}")]
    State {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
