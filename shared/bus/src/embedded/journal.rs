//! The SQLite file: every statement of the embedded bus stands here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gentoo_updater_fleet::config::History;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::seam::BusError;

/// The version of the schema, kept in `PRAGMA user_version`.
const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE history (
        offset INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL,
        stored_at INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE wakeups (
        offset INTEGER PRIMARY KEY REFERENCES history (offset) ON DELETE CASCADE
    ) STRICT;
    CREATE TABLE commands (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        id TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE dead (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        cause TEXT NOT NULL,
        stored_at INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    PRAGMA user_version = 1;
";

/// A message that could not be used, with the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue that it was in.
    pub queue: String,
    /// Why it is here.
    pub cause: String,
    /// When it came here.
    pub at: Timestamp,
    /// The message as it was.
    pub body: Vec<u8>,
}

/// A message by its number in the journal.
pub(super) struct Stored {
    pub(super) number: i64,
    pub(super) body: Vec<u8>,
}

/// The open file. SQLite blocks, so every call runs on a thread for blocking work.
#[derive(Clone)]
pub(super) struct Journal {
    path: PathBuf,
    connection: Arc<Mutex<Connection>>,
}

impl Journal {
    /// Opens the file to write, and creates it with its folder where it is not there.
    pub(super) async fn open(path: &Path) -> Result<Self, BusError> {
        Self::blocking(path, |path| {
            let mut connection = Connection::open(path)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            // An event that was confirmed is on the disk, as a confirm of RabbitMQ means.
            connection.pragma_update(None, "synchronous", "full")?;
            connection.pragma_update(None, "foreign_keys", "on")?;
            let transaction = connection.transaction()?;
            if version(&transaction)? == 0 {
                transaction.execute_batch(SCHEMA)?;
            }
            let oldest = Timestamp::now().as_second() - i64::from(History::default().days) * 86_400;
            transaction.execute("DELETE FROM history WHERE stored_at < ?1", [oldest])?;
            transaction.commit()?;
            Ok(connection)
        })
        .await
    }

    /// Opens the file of another process to read.
    pub(super) async fn open_to_read(path: &Path) -> Result<Self, BusError> {
        Self::blocking(path, |path| {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            Ok(connection)
        })
        .await
    }

    async fn blocking(
        path: &Path,
        open: impl FnOnce(&Path) -> rusqlite::Result<Connection> + Send + 'static,
    ) -> Result<Self, BusError> {
        let path = path.to_owned();
        let journal = tokio::task::spawn_blocking(move || {
            let connection = open(&path).map_err(|error| unusable(&path, error))?;
            let found = version(&connection).map_err(|error| unusable(&path, error))?;
            if found != SCHEMA_VERSION {
                let detail =
                    format!("it has version {found}, this program reads version {SCHEMA_VERSION}");
                return Err(unusable(&path, detail));
            }
            Ok(Self {
                path,
                connection: Arc::new(Mutex::new(connection)),
            })
        });
        journal.await.map_err(|_| BusError::Closed)?
    }

    /// Runs one piece of work on the file. It runs to its end even when nobody waits for it.
    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, BusError> {
        let Self { path, connection } = self.clone();
        let result = tokio::task::spawn_blocking(move || {
            // A transaction that panicked was rolled back: the connection is whole.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection).map_err(|error| unusable(&path, error))
        });
        // Only a runtime that shuts down gives up blocking work.
        result.await.map_err(|_| BusError::Closed)?
    }

    /// Keeps an event and the wake-up that it is, then tells its offset to `then` before anybody
    /// can lose interest.
    pub(super) async fn append(
        &self,
        id: String,
        body: Vec<u8>,
        then: impl FnOnce(i64) + Send + 'static,
    ) -> Result<(), BusError> {
        self.call(move |connection| {
            let transaction = connection.transaction()?;
            transaction.execute(
                "INSERT INTO history (id, stored_at, body) VALUES (?1, ?2, ?3)",
                params![id, Timestamp::now().as_second(), body],
            )?;
            let offset = transaction.last_insert_rowid();
            transaction.execute("INSERT INTO wakeups (offset) VALUES (?1)", [offset])?;
            transaction.commit()?;
            then(offset);
            Ok(())
        })
        .await
    }

    /// Keeps a command, then tells its number to `then`.
    pub(super) async fn enqueue(
        &self,
        queue: String,
        id: String,
        body: Vec<u8>,
        then: impl FnOnce(i64) + Send + 'static,
    ) -> Result<(), BusError> {
        self.call(move |connection| {
            connection.execute(
                "INSERT INTO commands (queue, id, body) VALUES (?1, ?2, ?3)",
                params![queue, id, body],
            )?;
            then(connection.last_insert_rowid());
            Ok(())
        })
        .await
    }

    /// At most `limit` events from `offset` on.
    pub(super) async fn events(&self, offset: i64, limit: u32) -> Result<Vec<Stored>, BusError> {
        self.call(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT offset, body FROM history WHERE offset >= ?1 ORDER BY offset LIMIT ?2",
            )?;
            let rows = statement.query_map(params![offset, limit], |row| {
                Ok(Stored {
                    number: row.get(0)?,
                    body: row.get(1)?,
                })
            })?;
            rows.collect()
        })
        .await
    }

    /// The offset of the newest event.
    pub(super) async fn end(&self) -> Result<Option<i64>, BusError> {
        self.call(|connection| {
            connection.query_row("SELECT max(offset) FROM history", [], |row| row.get(0))
        })
        .await
    }

    /// One event, if it is still kept.
    pub(super) async fn event(&self, offset: i64) -> Result<Option<Vec<u8>>, BusError> {
        self.body("SELECT body FROM history WHERE offset = ?1", offset)
            .await
    }

    /// One command, if it is not settled.
    pub(super) async fn command(&self, number: i64) -> Result<Option<Vec<u8>>, BusError> {
        self.body("SELECT body FROM commands WHERE number = ?1", number)
            .await
    }

    async fn body(&self, query: &'static str, number: i64) -> Result<Option<Vec<u8>>, BusError> {
        self.call(move |connection| {
            connection
                .query_row(query, [number], |row| row.get(0))
                .optional()
        })
        .await
    }

    /// The commands and wake-ups that are not settled, oldest first.
    pub(super) async fn unsettled(&self) -> Result<(Vec<(String, i64)>, Vec<i64>), BusError> {
        self.call(|connection| {
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
        self.call(|connection| {
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

    /// Takes a command off its queue.
    pub(super) async fn settle_command(&self, number: i64) -> Result<(), BusError> {
        self.delete("DELETE FROM commands WHERE number = ?1", number)
            .await
    }

    /// Takes a wake-up off its queue. The event stays in the history.
    pub(super) async fn settle_wakeup(&self, offset: i64) -> Result<(), BusError> {
        self.delete("DELETE FROM wakeups WHERE offset = ?1", offset)
            .await
    }

    async fn delete(&self, statement: &'static str, number: i64) -> Result<(), BusError> {
        self.call(move |connection| connection.execute(statement, [number]).map(drop))
            .await
    }

    /// Moves a command to the dead letters.
    pub(super) async fn bury_command(&self, number: i64, cause: String) -> Result<(), BusError> {
        self.call(move |connection| {
            let transaction = connection.transaction()?;
            transaction.execute(
                "INSERT INTO dead (queue, cause, stored_at, body)
                 SELECT queue, ?2, ?3, body FROM commands WHERE number = ?1",
                params![number, cause, Timestamp::now().as_second()],
            )?;
            transaction.execute("DELETE FROM commands WHERE number = ?1", [number])?;
            transaction.commit()
        })
        .await
    }

    /// Moves a wake-up to the dead letters.
    pub(super) async fn bury_wakeup(
        &self,
        queue: &'static str,
        offset: i64,
        cause: String,
    ) -> Result<(), BusError> {
        self.call(move |connection| {
            let transaction = connection.transaction()?;
            transaction.execute(
                "INSERT INTO dead (queue, cause, stored_at, body)
                 SELECT ?4, ?2, ?3, body FROM history WHERE offset = ?1",
                params![offset, cause, Timestamp::now().as_second(), queue],
            )?;
            transaction.execute("DELETE FROM wakeups WHERE offset = ?1", [offset])?;
            transaction.commit()
        })
        .await
    }

    /// The dead letters, oldest first.
    pub(super) async fn dead_letters(&self) -> Result<Vec<DeadLetter>, BusError> {
        self.call(|connection| {
            let mut statement = connection
                .prepare("SELECT queue, cause, stored_at, body FROM dead ORDER BY number")?;
            let rows = statement.query_map([], |row| {
                let seconds: i64 = row.get(2)?;
                Ok(DeadLetter {
                    queue: row.get(0)?,
                    cause: row.get(1)?,
                    at: Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH),
                    body: row.get(3)?,
                })
            })?;
            rows.collect()
        })
        .await
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn unusable(path: &Path, detail: impl ToString) -> BusError {
    BusError::Journal {
        path: path.display().to_string(),
        detail: detail.to_string(),
    }
}
