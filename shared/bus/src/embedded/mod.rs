//! The bus of one process without a broker.
//!
//! History, unsettled commands and dead letters are in one SQLite file, the journal, so that
//! `status` works afterwards and an interrupted run goes on. What is confirmed is on the disk.
//! Simulations have the same bus with all of it in memory.

mod deliveries;
mod history;
mod inspect;
mod journal;
mod letters;
mod memory;
mod reader;
mod ready;
mod recent;
mod said;
mod schema;
mod snapshots;
mod storage;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use gentoo_updater_fleet::config;
use gentoo_updater_fleet::message::{Command, Envelope, Event};
use gentoo_updater_fleet::snapshot::Snapshot;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::deliveries::{JournalAlive, JournalCommands, JournalWakeups, WaitingWakeup};
use self::history::{Growth, JournalHistory};
use self::journal::Journal;
use self::memory::MemoryJournal;
use self::ready::Ready;
use self::storage::Storage;
use crate::meters::{Publishing, Sent};
use crate::news::News;
use crate::seam::{Alive, Bus, BusError, Commands, Health, History, Position, QueueState, Wakeups};
use crate::topology::ALIVE_EXPIRATION;

pub use self::reader::EmbeddedReader;
pub use self::said::Said;

/// How many signs of life a slow reader may be behind before it misses some.
const ALIVE_BACKLOG: usize = 256;

/// Why the embedded bus cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works with the journal.
    #[error("{path} is in use by another process")]
    InUse {
        /// The journal.
        path: PathBuf,
    },
    /// The folder or the lock file cannot be made.
    #[error("{path} cannot be locked: {cause}{}", remedy(cause))]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] BusError),
}

fn remedy(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => "; do it as root, or as the user whose folder that is",
        io::ErrorKind::ReadOnlyFilesystem => "; state_directory names another folder",
        _ => "",
    }
}

/// The bus of one process without a broker.
pub struct Embedded {
    journal: Storage,
    newest: Arc<News<i64>>,
    commands: Arc<Ready<(String, i64)>>,
    wakeups: Arc<Ready<WaitingWakeup>>,
    active_planner: Arc<tokio::sync::Mutex<()>>,
    alive: broadcast::Sender<Arc<Envelope<Event>>>,
    closed: CancellationToken,
    lock: Mutex<Option<File>>,
}

impl Embedded {
    /// Opens the journal at `path`, which this process then holds alone, and creates it with its
    /// folder where it is not there. The lock is `<path>.lock`.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when another process holds it.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_and_keep(path, config::History::default()).await
    }

    /// The same, with a history of another age and size. It is trimmed now and with each
    /// snapshot, and never past the newest of them.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub async fn open_and_keep(
        path: impl AsRef<Path>,
        keep: config::History,
    ) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let lock = lock(path)?;
        let journal = Journal::open(path, keep).await?;
        let newest = journal.end().await?.unwrap_or(0);
        let (commands, wakeups) = journal.unsettled().await?;
        let mut bus = Self::empty(Storage::File(journal));
        bus.newest = Arc::new(News::new(newest));
        bus.commands = Ready::new(commands);
        bus.wakeups = Ready::new(wakeups.into_iter().map(WaitingWakeup::Event));
        bus.lock = Mutex::new(Some(lock));
        Ok(bus)
    }

    /// A bus whose messages are in memory and gone with it: for simulations. It starts no thread,
    /// and what happens in it depends on no clock but tokio's, so that on a runtime of one thread
    /// everything happens in the same order each time.
    pub fn in_memory() -> Self {
        Self::empty(Storage::Memory(MemoryJournal::default()))
    }

    fn empty(journal: Storage) -> Self {
        Self {
            journal,
            newest: Arc::default(),
            commands: Ready::new([]),
            wakeups: Ready::new([]),
            active_planner: Arc::default(),
            alive: broadcast::Sender::new(ALIVE_BACKLOG),
            closed: CancellationToken::new(),
            lock: Mutex::new(None),
        }
    }

    /// Lets the next process have the journal. The lock belongs to all copies of its file, and a child
    /// of this process has one until its program begins: to close this one would not be enough.
    fn release(&self) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = lock.take().map(|file| file.unlock()) {
            tracing::warn!(%error, "the journal cannot be unlocked before this process ends");
        }
    }

    /// The queues that hold commands which are not settled, and how many.
    ///
    /// # Errors
    /// [`BusError::Journal`] when the journal cannot be read.
    pub async fn queue_lengths(&self) -> Result<BTreeMap<String, u64>, BusError> {
        self.journal.queue_lengths().await
    }

    fn check_open(&self) -> Result<(), BusError> {
        if self.closed.is_cancelled() {
            Err(BusError::Closed)
        } else {
            Ok(())
        }
    }

    /// Signs of life are not kept: they go to who listens, and to the planner's queue, from
    /// which they expire.
    fn say_alive(&self, event: &Envelope<Event>) {
        let event = Arc::new(event.clone());
        // An error means that nobody listens.
        let _ = self.alive.send(event.clone());
        let now = Instant::now();
        self.wakeups.retain(|waiting| waiting.is_kept(now));
        self.wakeups
            .push(WaitingWakeup::Alive(event, now + ALIVE_EXPIRATION));
    }
}

/// Whoever waits for a bus that is gone learns that it is closed.
impl Drop for Embedded {
    fn drop(&mut self) {
        self.closed.cancel();
        self.release();
    }
}

/// Whether a process works with the journal at `path`. Nobody is kept from it by this look, which a try to
/// lock it would do for a moment.
///
/// # Errors
/// When the kernel does not tell.
pub fn is_held(path: impl AsRef<Path>) -> io::Result<bool> {
    let lock = match std::fs::metadata(lock_of(path.as_ref())) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let inode = lock.ino().to_string();
    let held = std::fs::read_to_string("/proc/locks")?;
    // `1: FLOCK  ADVISORY  WRITE 715 fe:00:1180 0 EOF`; of the three numbers of a file the last is its inode,
    // and the device of some file systems has another number here than stat(2) tells.
    Ok(held.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next() == Some("FLOCK")
            && words.nth(3).and_then(|file| file.rsplit(':').next()) == Some(&inode)
    }))
}

fn lock_of(journal: &Path) -> PathBuf {
    let mut path = journal.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

fn lock(journal: &Path) -> Result<File, OpenError> {
    let path = lock_of(journal);
    let opened = match journal.parent() {
        Some(folder) => std::fs::create_dir_all(folder),
        None => Ok(()),
    }
    .and_then(|()| File::options().create(true).append(true).open(&path));
    let file = opened.map_err(|cause| OpenError::Lock {
        path: path.clone(),
        cause,
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            path: journal.to_owned(),
        }),
        Err(TryLockError::Error(cause)) => Err(OpenError::Lock { path, cause }),
    }
}

#[async_trait]
impl Bus for Embedded {
    async fn publish(&self, event: &Envelope<Event>) -> Result<(), BusError> {
        self.check_open()?;
        let measured = Publishing::begin(Sent::of(event));
        if event.message.is_alive() {
            self.say_alive(event);
            measured.confirmed();
            return Ok(());
        }
        let (newest, wakeups) = (self.newest.clone(), self.wakeups.clone());
        let stored = move |offset| {
            newest.change(|newest| *newest = offset);
            wakeups.push(WaitingWakeup::Event(offset));
        };
        self.journal.append(event, stored).await?;
        measured.confirmed();
        Ok(())
    }

    async fn issue(&self, queue: &str, command: &Envelope<Command>) -> Result<(), BusError> {
        self.check_open()?;
        let measured = Publishing::begin(Sent::Command);
        let (commands, name) = (self.commands.clone(), queue.to_owned());
        let stored = move |number| commands.push((name, number));
        self.journal.enqueue(queue, command, stored).await?;
        measured.confirmed();
        Ok(())
    }

    async fn bury(
        &self,
        queue: &str,
        command: &Envelope<Command>,
        cause: String,
    ) -> Result<(), BusError> {
        self.check_open()?;
        tracing::warn!(queue, cause, "a command becomes a dead letter");
        self.journal.bury(queue, command, cause).await
    }

    async fn commands(&self, queues: &[String]) -> Result<Box<dyn Commands>, BusError> {
        self.check_open()?;
        Ok(Box::new(JournalCommands {
            journal: self.journal.clone(),
            ready: self.commands.clone(),
            queues: queues.to_vec(),
            closed: self.closed.clone(),
        }))
    }

    async fn history(&self, from: Position) -> Result<Box<dyn History>, BusError> {
        self.check_open()?;
        let (journal, closed) = (self.journal.clone(), self.closed.clone());
        let growth = Growth::Watched(self.newest.clone());
        Ok(Box::new(JournalHistory::new(journal, growth, closed, from)))
    }

    async fn end(&self) -> Result<Option<u64>, BusError> {
        self.check_open()?;
        Ok(self.journal.end().await?.map(i64::unsigned_abs))
    }

    async fn wakeups(&self) -> Result<Box<dyn Wakeups>, BusError> {
        self.check_open()?;
        Ok(Box::new(JournalWakeups {
            journal: self.journal.clone(),
            ready: self.wakeups.clone(),
            single: self.active_planner.clone(),
            active: None,
            closed: self.closed.clone(),
        }))
    }

    async fn alive(&self) -> Result<Box<dyn Alive>, BusError> {
        self.check_open()?;
        let (events, closed) = (self.alive.subscribe(), self.closed.clone());
        Ok(Box::new(JournalAlive { events, closed }))
    }

    async fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), BusError> {
        self.check_open()?;
        self.journal.keep_snapshot(snapshot).await
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
        // What was handed over and waits for the disk belongs to this process.
        if let Err(error) = self.journal.settle().await {
            tracing::warn!(%error, "the journal may lack what was said last");
        }
        // Whoever still holds this bus can do nothing with it, so the next process may begin.
        self.release();
    }
}
