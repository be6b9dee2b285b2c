//! The journal of another process, to look at.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use gentoo_updater_fleet::message::{Command, Envelope, Event};
use gentoo_updater_fleet::snapshot::Snapshot;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::history::{Growth, JournalHistory};
use super::journal::Journal;
use super::said::Said;
use super::storage::Storage;
use crate::seam::{Alive, Bus, BusError, Commands, Health, History, Position, QueueState, Wakeups};

/// How long a journal may take to appear: the process that holds its lock may just create it.
const APPEARS_WITHIN: Duration = Duration::from_secs(2);

/// The journal of another process. As a [`Bus`] it has a history with snapshots, and as an
/// `Inspect` it shows queues and dead letters. It changes nothing itself.
pub struct EmbeddedReader {
    pub(super) journal: Journal,
    closed: CancellationToken,
    /// Where it says something, if it may.
    said: Option<Said>,
}

impl EmbeddedReader {
    /// Opens the journal, whether or not another process works with it.
    ///
    /// # Errors
    /// [`BusError::Journal`] when it is not there or cannot be read.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, BusError> {
        let deadline = Instant::now() + APPEARS_WITHIN;
        loop {
            match Journal::open_to_read(path.as_ref()).await {
                Ok(journal) => {
                    return Ok(Self {
                        journal,
                        closed: CancellationToken::new(),
                        said: None,
                    });
                }
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// The same, which hands what it publishes to the process that works with the journal.
    ///
    /// # Errors
    /// As [`EmbeddedReader::open`].
    pub async fn open_to_say(path: impl AsRef<Path>) -> Result<Self, BusError> {
        let said = Some(Said::beside(path.as_ref()));
        let reader = Self::open(path).await?;
        Ok(Self { said, ..reader })
    }

    /// The queues that hold commands which are not settled, and how many.
    ///
    /// # Errors
    /// [`BusError::Journal`] when the journal cannot be read.
    pub async fn queue_lengths(&self) -> Result<BTreeMap<String, u64>, BusError> {
        self.journal.queue_lengths().await
    }
}

#[async_trait]
impl Bus for EmbeddedReader {
    async fn publish(&self, event: &Envelope<Event>) -> Result<(), BusError> {
        match &self.said {
            Some(said) => said.say(event).await,
            None => Err(BusError::ReadOnly),
        }
    }

    async fn issue(&self, _: &str, _: &Envelope<Command>) -> Result<(), BusError> {
        Err(BusError::ReadOnly)
    }

    async fn bury(&self, _: &str, _: &Envelope<Command>, _: String) -> Result<(), BusError> {
        Err(BusError::ReadOnly)
    }

    async fn commands(&self, _: &[String]) -> Result<Box<dyn Commands>, BusError> {
        Err(BusError::ReadOnly)
    }

    async fn history(&self, from: Position) -> Result<Box<dyn History>, BusError> {
        let journal = Storage::File(self.journal.clone());
        let (growth, closed) = (Growth::Polled, self.closed.clone());
        Ok(Box::new(JournalHistory::new(journal, growth, closed, from)))
    }

    async fn end(&self) -> Result<Option<u64>, BusError> {
        Ok(self.journal.end().await?.map(i64::unsigned_abs))
    }

    async fn wakeups(&self) -> Result<Box<dyn Wakeups>, BusError> {
        Err(BusError::ReadOnly)
    }

    async fn alive(&self) -> Result<Box<dyn Alive>, BusError> {
        Err(BusError::ReadOnly)
    }

    async fn keep_snapshot(&self, _: &Snapshot) -> Result<(), BusError> {
        Err(BusError::ReadOnly)
    }

    async fn newest_snapshot(&self) -> Result<Option<Snapshot>, BusError> {
        self.journal.newest_snapshot().await
    }

    async fn queue(&self, name: &str) -> Result<Option<QueueState>, BusError> {
        self.queue_state(name).await
    }

    fn health(&self) -> watch::Receiver<Health> {
        watch::Sender::default().subscribe()
    }

    async fn close(&self) {
        self.closed.cancel();
    }
}
