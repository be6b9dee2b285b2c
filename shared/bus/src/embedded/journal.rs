//! The SQLite file. Every statement of the embedded bus stands here, in `letters` and in
//! `snapshots`.
//!
//! One connection reads, in place, and another one writes. With a write-ahead log neither waits for
//! the other (<https://www.sqlite.org/wal.html>).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gentoo_updater_fleet::config;
use gentoo_updater_fleet::message::{DecodeError, Envelope, Event};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Params, Transaction, params};

use super::recent::Recent;
use super::schema::{OLDEST_VERSION, SCHEMA_VERSION, migrate, version};
use super::snapshots::trim;
use super::storage::Kept;
use super::writer::{Durability, WriteError, Writer};
use crate::seam::{BusError, HistoryItem};
use crate::unusable::Unusable;

/// The open file. SQLite blocks, so all that waits for the disk runs on a thread for it.
#[derive(Clone)]
pub(super) struct Journal {
    path: PathBuf,
    reader: Arc<Mutex<Connection>>,
    /// Absent where the file is another process's.
    writer: Option<Writer>,
    recent: Recent,
    retention: config::History,
}

/// The setting of how much of the file a connection keeps in memory, in KiB where it is negative
/// (<https://www.sqlite.org/pragma.html#pragma_cache_size>). The kernel has all of it, too.
const CACHE_SIZE: &str = "cache_size";
const CACHE_KIB: i64 = 64;

/// How many bytes of events are read at once; the last of them may go beyond. Decoded they are some times
/// that.
const READ_BYTES: usize = 256 * 1024;

/// For how long whoever has the file for a moment, such as a backup, is waited for.
const BUSY: Duration = Duration::from_secs(10);

impl Journal {
    /// Opens the file to write, and creates it with its folder where it is not there. An older
    /// version becomes this one.
    pub(super) async fn open(path: &Path, retention: config::History) -> Result<Self, BusError> {
        let opened = Self::blocking(path, retention, SCHEMA_VERSION, move |path| {
            let mut connection = Connection::open(path)?;
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, CACHE_SIZE, -CACHE_KIB)?;
            connection.pragma_update(None, "foreign_keys", "on")?;
            let transaction = connection.transaction()?;
            migrate(&transaction)?;
            if version(&transaction)? == SCHEMA_VERSION {
                trim(&transaction, retention)?;
            }
            transaction.commit()?;
            Ok((reader(path)?, Some(connection)))
        });
        opened.await
    }

    /// Opens the file of another process to read.
    pub(super) async fn open_to_read(path: &Path) -> Result<Self, BusError> {
        let retention = config::History::default();
        Self::blocking(path, retention, OLDEST_VERSION, |path| {
            Ok((reader(path)?, None))
        })
        .await
    }

    async fn blocking(
        path: &Path,
        retention: config::History,
        oldest_version: i64,
        open: impl FnOnce(&Path) -> rusqlite::Result<(Connection, Option<Connection>)> + Send + 'static,
    ) -> Result<Self, BusError> {
        let path = path.to_owned();
        let journal = crate::blocking::blocking(move || {
            let (reader, writer) = open(&path).map_err(|error| unusable(&path, error))?;
            let found = version(&reader).map_err(|error| unusable(&path, error))?;
            if !(oldest_version..=SCHEMA_VERSION).contains(&found) {
                let detail =
                    format!("it has version {found}, this program reads version {SCHEMA_VERSION}");
                return Err(unusable(&path, detail));
            }
            Ok(Self {
                path,
                reader: Arc::new(Mutex::new(reader)),
                writer: writer.map(Writer::new),
                recent: Recent::default(),
                retention,
            })
        });
        journal.await.unwrap_or(Err(BusError::Closed))
    }

    /// How much of the history is kept.
    pub(super) fn retention(&self) -> config::History {
        self.retention
    }

    /// Reads from the file.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, BusError> {
        let Self { path, reader, .. } = self.clone();
        let result = crate::blocking::quick(move || {
            // What panicked has changed nothing: the connection is whole.
            let connection = reader.lock().unwrap_or_else(PoisonError::into_inner);
            work(&connection).map_err(|error| unusable(&path, error))
        });
        result.await.unwrap_or(Err(BusError::Closed))
    }

    /// Changes the file, and waits until it is on the disk. It is done even when nobody waits for it
    /// any more. `work` may be called more than once.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, BusError> {
        self.write_and(Durability::Power, work, |_| {}).await
    }

    /// Waits until everything is written that was handed over.
    pub(super) async fn settle(&self) -> Result<(), BusError> {
        self.write_and(Durability::Process, |_| Ok(()), |()| {})
            .await
    }

    /// The same for what may delete events.
    pub(super) async fn rewrite_history<T: Send + 'static>(
        &self,
        work: impl FnMut(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, BusError> {
        let recent = self.recent.clone();
        self.write_and(Durability::Power, work, move |_| recent.clear())
            .await
    }

    /// The same, and tells `then` what came of it before anybody can lose interest.
    async fn write_and<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnMut(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, BusError> {
        let writer = self.writer.as_ref().ok_or(BusError::ReadOnly)?;
        let written = writer.write(durability, work, then).await;
        written.map_err(|error| match error {
            WriteError::Sqlite(error) => unusable(&self.path, error),
            WriteError::Panicked => unusable(&self.path, "a change of it panicked"),
            WriteError::Gone => BusError::Closed,
        })
    }

    /// Keeps an event and the wake-up that it is, then tells its offset to `then` before anybody
    /// can lose interest.
    pub(super) async fn append(
        &self,
        event: &Envelope<Event>,
        then: impl FnOnce(i64) + Send + 'static,
    ) -> Result<(), BusError> {
        let (id, body) = (event.id.to_string(), event.encode()?);
        let (recent, bytes, event) = (self.recent.clone(), body.len(), event.clone());
        let work = move |transaction: &Transaction<'_>| {
            let statement = "INSERT INTO history (id, stored_at, body) VALUES (?1, ?2, ?3)";
            let stored_at = Timestamp::now().as_second();
            execute(transaction, statement, params![id, stored_at, body])?;
            let offset = transaction.last_insert_rowid();
            let statement = "INSERT INTO wakeups (offset) VALUES (?1)";
            execute(transaction, statement, [offset])?;
            Ok(offset)
        };
        let appended = move |offset: &i64| {
            recent.put(*offset, bytes, event);
            then(*offset);
        };
        let appended = self.write_and(Durability::Power, work, appended);
        appended.await.map(drop)
    }

    /// Keeps a command, then tells its number to `then`.
    pub(super) async fn enqueue(
        &self,
        queue: String,
        id: String,
        body: Vec<u8>,
        then: impl FnOnce(i64) + Send + 'static,
    ) -> Result<(), BusError> {
        let work = move |transaction: &Transaction<'_>| {
            let statement = "INSERT INTO commands (queue, id, body) VALUES (?1, ?2, ?3)";
            execute(transaction, statement, params![queue, id, body])?;
            Ok(transaction.last_insert_rowid())
        };
        let enqueued = self.write_and(Durability::Power, work, |number| then(*number));
        enqueued.await.map(drop)
    }

    /// At most `limit` events from `offset` on, and fewer where they are large ([`READ_BYTES`]); at least one
    /// where there is one.
    pub(super) async fn events(
        &self,
        offset: i64,
        limit: u32,
    ) -> Result<Vec<HistoryItem>, BusError> {
        if let Some(recent) = self.recent.events(offset, limit) {
            return Ok(recent);
        }
        let stored = self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT offset, body FROM history WHERE offset >= ?1 ORDER BY offset LIMIT ?2",
            )?;
            let mut rows = statement.query(params![offset, limit])?;
            let (mut read, mut bytes) = (Vec::new(), 0);
            while bytes < READ_BYTES
                && let Some(row) = rows.next()?
            {
                let (offset, body): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
                bytes += body.len();
                read.push((offset, body));
            }
            Ok(read)
        });
        let items = stored.await?.into_iter().map(|(offset, body)| HistoryItem {
            offset: offset.unsigned_abs(),
            event: Envelope::decode(&body).map_err(Unusable::from),
        });
        Ok(items.collect())
    }

    /// The offset of the first event of this time or later; where there is none yet, the one that
    /// comes next or is before it.
    pub(super) async fn first_since(&self, time: Timestamp) -> Result<i64, BusError> {
        self.read(move |connection| {
            connection.query_row(
                "SELECT coalesce(min(offset), (SELECT coalesce(max(offset), 0) + 1 FROM history))
                 FROM history WHERE stored_at >= ?1",
                [time.as_second()],
                |row| row.get(0),
            )
        })
        .await
    }

    /// The offset of the newest event.
    pub(super) async fn end(&self) -> Result<Option<i64>, BusError> {
        self.read(|connection| {
            connection.query_row("SELECT max(offset) FROM history", [], |row| row.get(0))
        })
        .await
    }

    /// One event, if it is still kept.
    pub(super) async fn event(
        &self,
        offset: i64,
    ) -> Result<Option<Result<Envelope<Event>, DecodeError>>, BusError> {
        if let Some(recent) = self.recent.event(offset) {
            return Ok(Some(Ok(recent)));
        }
        let query = "SELECT body FROM history WHERE offset = ?1";
        let body = self.body(query, offset).await?;
        Ok(body.as_deref().map(Envelope::decode))
    }

    /// One command, if it is not settled.
    pub(super) async fn command(&self, number: i64) -> Result<Option<Vec<u8>>, BusError> {
        self.body("SELECT body FROM commands WHERE number = ?1", number)
            .await
    }

    async fn body(&self, query: &'static str, number: i64) -> Result<Option<Vec<u8>>, BusError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(query)?;
            statement.query_row([number], |row| row.get(0)).optional()
        })
        .await
    }

    /// The commands and wake-ups that are not settled, oldest first.
    pub(super) async fn unsettled(&self) -> Result<(Vec<(String, i64)>, Vec<i64>), BusError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare("SELECT queue, number FROM commands ORDER BY number")?;
            let commands = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let commands = commands.collect::<rusqlite::Result<_>>()?;
            let mut statement = connection.prepare("SELECT offset FROM wakeups ORDER BY offset")?;
            let wakeups = statement.query_map([], |row| row.get(0))?;
            Ok((commands, wakeups.collect::<rusqlite::Result<_>>()?))
        })
        .await
    }

    /// The queues that hold unsettled commands, and how many.
    pub(super) async fn queue_lengths(&self) -> Result<BTreeMap<String, u64>, BusError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare("SELECT queue, count(*) FROM commands GROUP BY queue")?;
            let rows = statement.query_map([], |row| {
                let count: i64 = row.get(1)?;
                Ok((row.get(0)?, count.unsigned_abs()))
            })?;
            rows.collect()
        })
        .await
    }

    /// Takes commands off their queues. Those that a loss of power brings back are delivered
    /// again, as everything may be.
    pub(super) async fn delete_commands(&self, numbers: Vec<i64>) -> Result<(), BusError> {
        self.delete_all("DELETE FROM commands WHERE number = ?1", numbers)
            .await
    }

    /// Takes wake-ups off their queue, as commands are taken. The events stay in the history.
    pub(super) async fn delete_wakeups(&self, offsets: Vec<i64>) -> Result<(), BusError> {
        self.delete_all("DELETE FROM wakeups WHERE offset = ?1", offsets)
            .await
    }

    async fn delete_all(&self, statement: &'static str, numbers: Vec<i64>) -> Result<(), BusError> {
        let work = move |transaction: &Transaction<'_>| {
            for number in &numbers {
                execute(transaction, statement, [number])?;
            }
            Ok(())
        };
        self.write_and(Durability::Process, work, |()| {}).await
    }

    /// Deletes all dead letters, and says how many there were.
    pub(super) async fn purge_dead(&self) -> Result<u64, BusError> {
        self.write(|connection| Ok(connection.execute("DELETE FROM dead", [])? as u64))
            .await
    }

    /// How much is kept of what is no queue of commands.
    pub(super) async fn count(&self, kept: Kept) -> Result<u64, BusError> {
        let query = match kept {
            Kept::Wakeups => "SELECT count(*) FROM wakeups",
            Kept::Dead => "SELECT count(*) FROM dead",
            Kept::History => "SELECT count(*) FROM history",
            Kept::Snapshots => "SELECT count(*) FROM snapshots",
        };
        self.read(move |connection| {
            let count: i64 = connection.query_row(query, [], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
        .await
    }
}

/// Opens the file to read. A file that another process is just making is of no version yet.
fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, CACHE_SIZE, -CACHE_KIB)?;
    Ok(connection)
}

/// Executes a statement that comes often: it is prepared once.
fn execute(
    connection: &Connection,
    statement: &'static str,
    parameters: impl Params,
) -> rusqlite::Result<usize> {
    connection.prepare_cached(statement)?.execute(parameters)
}

fn unusable(path: &Path, detail: impl ToString) -> BusError {
    BusError::Journal {
        path: path.display().to_string(),
        detail: detail.to_string(),
    }
}
