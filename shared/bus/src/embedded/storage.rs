//! Where the embedded bus keeps its messages: in a file, or in memory.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_fleet::message::{Command, DecodeError, Envelope, Event};
use gentoo_updater_fleet::snapshot::Snapshot;
use jiff::Timestamp;

use super::journal::Journal;
use super::letters::Settled;
use super::memory::MemoryJournal;
use crate::meters::DEAD_LETTERS;
use crate::seam::{BusError, DeadLetter, HistoryItem, LetterId};

/// Where the messages are. What is kept in memory takes no time: nobody waits for it, so nothing
/// else happens meanwhile.
#[derive(Clone)]
pub(super) enum Storage {
    /// In the SQLite file.
    File(Journal),
    /// In memory.
    Memory(MemoryJournal),
}

/// What is kept and is no queue of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// The wake-ups that are not settled.
    Wakeups,
    /// The dead letters.
    Dead,
    /// The events.
    History,
    /// The snapshots.
    Snapshots,
}

impl Storage {
    /// Waits until everything is kept that was handed over.
    pub(super) async fn settle(&self) -> Result<(), BusError> {
        match self {
            Self::File(file) => file.settle().await,
            Self::Memory(_) => Ok(()),
        }
    }

    /// Keeps an event and the wake-up that it is, then tells its offset to `then` before anybody
    /// can lose interest.
    pub(super) async fn append(
        &self,
        event: &Envelope<Event>,
        then: impl FnOnce(i64) + Send + 'static,
    ) -> Result<(), BusError> {
        match self {
            Self::File(file) => file.append(event, then).await,
            Self::Memory(memory) => {
                then(memory.append(event));
                Ok(())
            }
        }
    }

    /// Keeps a command, then tells its number to `then`.
    pub(super) async fn enqueue(
        &self,
        queue: &str,
        command: &Envelope<Command>,
        then: impl FnOnce(i64) + Send + 'static,
    ) -> Result<(), BusError> {
        match self {
            Self::File(file) => {
                let (id, body) = (command.id.to_string(), command.encode()?);
                file.enqueue(queue.to_owned(), id, body, then).await
            }
            Self::Memory(memory) => {
                then(memory.enqueue(queue, command));
                Ok(())
            }
        }
    }

    /// At most `limit` events from `offset` on.
    pub(super) async fn events(
        &self,
        offset: i64,
        limit: u32,
    ) -> Result<Vec<HistoryItem>, BusError> {
        match self {
            Self::File(file) => file.events(offset, limit).await,
            Self::Memory(memory) => Ok(memory.events(offset, limit)),
        }
    }

    /// The offset of the first event of this time or later; where there is none yet, the one that
    /// comes next or is before it.
    pub(super) async fn first_since(&self, time: Timestamp) -> Result<i64, BusError> {
        match self {
            Self::File(file) => file.first_since(time).await,
            Self::Memory(memory) => Ok(memory.first_since(time)),
        }
    }

    /// The offset of the newest event.
    pub(super) async fn end(&self) -> Result<Option<i64>, BusError> {
        match self {
            Self::File(file) => file.end().await,
            Self::Memory(memory) => Ok(memory.end()),
        }
    }

    /// One event, if it is still kept.
    pub(super) async fn event(
        &self,
        offset: i64,
    ) -> Result<Option<Result<Envelope<Event>, DecodeError>>, BusError> {
        match self {
            Self::File(file) => file.event(offset).await,
            Self::Memory(memory) => Ok(memory.event(offset).map(Ok)),
        }
    }

    /// One command, if it is not settled.
    pub(super) async fn command(
        &self,
        number: i64,
    ) -> Result<Option<Result<Envelope<Command>, DecodeError>>, BusError> {
        match self {
            Self::File(file) => Ok(file.command(number).await?.as_deref().map(Envelope::decode)),
            Self::Memory(memory) => Ok(memory.command(number).map(Ok)),
        }
    }

    /// The queues that hold unsettled commands, and how many.
    pub(super) async fn queue_lengths(&self) -> Result<BTreeMap<String, u64>, BusError> {
        match self {
            Self::File(file) => file.queue_lengths().await,
            Self::Memory(memory) => Ok(memory.queue_lengths()),
        }
    }

    /// How much is kept of what is no queue of commands.
    pub(super) async fn count(&self, kept: Kept) -> Result<u64, BusError> {
        match self {
            Self::File(file) => file.count(kept).await,
            Self::Memory(memory) => Ok(memory.count(kept)),
        }
    }

    /// Takes commands off their queues.
    pub(super) async fn delete_commands(&self, numbers: Vec<i64>) -> Result<(), BusError> {
        match self {
            Self::File(file) => file.delete_commands(numbers).await,
            Self::Memory(memory) => {
                memory.delete_commands(&numbers);
                Ok(())
            }
        }
    }

    /// Takes wake-ups off their queue. The events stay in the history.
    pub(super) async fn delete_wakeups(&self, offsets: Vec<i64>) -> Result<(), BusError> {
        match self {
            Self::File(file) => file.delete_wakeups(offsets).await,
            Self::Memory(memory) => {
                memory.delete_wakeups(&offsets);
                Ok(())
            }
        }
    }

    /// Moves a command to the dead letters.
    pub(super) async fn bury_command(&self, number: i64, cause: String) -> Result<(), BusError> {
        match self {
            Self::File(file) => file.bury_command(number, cause).await?,
            Self::Memory(memory) => memory.bury_command(number, cause)?,
        }
        DEAD_LETTERS.count([]);
        Ok(())
    }

    /// Moves a wake-up to the dead letters.
    pub(super) async fn bury_wakeup(&self, offset: i64, cause: String) -> Result<(), BusError> {
        match self {
            Self::File(file) => file.bury_wakeup(offset, cause).await?,
            Self::Memory(memory) => memory.bury_wakeup(offset, cause)?,
        }
        DEAD_LETTERS.count([]);
        Ok(())
    }

    /// Keeps a dead letter that lies in no queue.
    pub(super) async fn bury(
        &self,
        queue: &str,
        command: &Envelope<Command>,
        cause: String,
    ) -> Result<(), BusError> {
        match self {
            Self::File(file) => {
                let (id, body) = (command.id.to_string(), command.encode()?);
                file.bury(queue.to_owned(), id, cause, body).await?;
            }
            Self::Memory(memory) => memory.bury(queue, command, cause)?,
        }
        DEAD_LETTERS.count([]);
        Ok(())
    }

    /// The dead letters, oldest first.
    pub(super) async fn dead_letters(&self, most: usize) -> Result<Vec<DeadLetter>, BusError> {
        match self {
            Self::File(file) => file.dead_letters(most).await,
            Self::Memory(memory) => Ok(memory.dead_letters(most)),
        }
    }

    /// Deletes letters.
    pub(super) async fn drop_dead(&self, wanted: BTreeSet<LetterId>) -> Result<Settled, BusError> {
        match self {
            Self::File(file) => file.drop_dead(wanted).await,
            Self::Memory(memory) => Ok(memory.drop_dead(&wanted)),
        }
    }

    /// Puts letters back. A wake-up whose event has been trimmed is about nothing, and stays.
    pub(super) async fn retry_dead(&self, wanted: BTreeSet<LetterId>) -> Result<Settled, BusError> {
        match self {
            Self::File(file) => file.retry_dead(wanted).await,
            Self::Memory(memory) => Ok(memory.retry_dead(&wanted)),
        }
    }

    /// Deletes all dead letters, and says how many there were.
    pub(super) async fn purge_dead(&self) -> Result<u64, BusError> {
        match self {
            Self::File(file) => file.purge_dead().await,
            Self::Memory(memory) => Ok(memory.purge_dead()),
        }
    }

    /// Keeps a snapshot in place of older ones. A file trims its history then.
    pub(super) async fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), BusError> {
        match self {
            Self::File(file) => file.keep_snapshot(snapshot).await,
            Self::Memory(memory) => {
                memory.keep_snapshot(snapshot);
                Ok(())
            }
        }
    }

    /// The newest snapshot that this program can read.
    pub(super) async fn newest_snapshot(&self) -> Result<Option<Snapshot>, BusError> {
        match self {
            Self::File(file) => file.newest_snapshot().await,
            Self::Memory(memory) => Ok(memory.newest_snapshot()),
        }
    }
}
