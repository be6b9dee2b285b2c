//! The SQLite file. Every statement of the embedded bus stands here, in `letters` and in
//! `snapshots`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gentoo_updater_fleet::config;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::schema::{OLDEST_VERSION, SCHEMA_VERSION, migrate, version};
use super::snapshots::trim;
use super::storage::Kept;
use crate::blocking::is_of_one_thread;
use crate::seam::BusError;

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
    retention: config::History,
}

/// The setting that says what is waited for (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
const SYNCHRONOUS: &str = "synchronous";
/// An event that was confirmed is on the disk, as a confirm of RabbitMQ means.
const CONFIRMED: &str = "full";

impl Journal {
    /// Opens the file to write, and creates it with its folder where it is not there. An older
    /// version becomes this one.
    pub(super) async fn open(path: &Path, retention: config::History) -> Result<Self, BusError> {
        Self::blocking(path, retention, SCHEMA_VERSION, move |path| {
            let mut connection = Connection::open(path)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, SYNCHRONOUS, CONFIRMED)?;
            connection.pragma_update(None, "foreign_keys", "on")?;
            let transaction = connection.transaction()?;
            migrate(&transaction)?;
            if version(&transaction)? == SCHEMA_VERSION {
                trim(&transaction, retention)?;
            }
            transaction.commit()?;
            Ok(connection)
        })
        .await
    }

    /// Opens the file of another process to read.
    pub(super) async fn open_to_read(path: &Path) -> Result<Self, BusError> {
        let retention = config::History::default();
        Self::blocking(path, retention, OLDEST_VERSION, |path| {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            Ok(connection)
        })
        .await
    }

    async fn blocking(
        path: &Path,
        retention: config::History,
        oldest_version: i64,
        open: impl FnOnce(&Path) -> rusqlite::Result<Connection> + Send + 'static,
    ) -> Result<Self, BusError> {
        let path = path.to_owned();
        let journal = crate::blocking::blocking(move || {
            let connection = open(&path).map_err(|error| unusable(&path, error))?;
            let found = version(&connection).map_err(|error| unusable(&path, error))?;
            if !(oldest_version..=SCHEMA_VERSION).contains(&found) {
                let detail =
                    format!("it has version {found}, this program reads version {SCHEMA_VERSION}");
                return Err(unusable(&path, detail));
            }
            Ok(Self {
                path,
                connection: Arc::new(Mutex::new(connection)),
                retention,
            })
        });
        journal.await.unwrap_or(Err(BusError::Closed))
    }

    /// How much of the history is kept.
    pub(super) fn retention(&self) -> config::History {
        self.retention
    }

    /// Reads from the file, or changes what may come back after a loss of power.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, BusError> {
        if is_of_one_thread() {
            // Whoever calls this in a loop lets the others have their turn.
            tokio::task::consume_budget().await;
            if let Ok(mut connection) = self.connection.try_lock() {
                return work(&mut connection).map_err(|error| unusable(&self.path, error));
            }
        }
        // Somebody waits for the disk.
        self.write(work).await
    }

    /// Runs one piece of work on the file that waits for the disk, to its end even when nobody waits
    /// for it.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, BusError> {
        let Self {
            path, connection, ..
        } = self.clone();
        let result = crate::blocking::blocking(move || {
            // A transaction that panicked was rolled back: the connection is whole.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection).map_err(|error| unusable(&path, error))
        });
        result.await.unwrap_or(Err(BusError::Closed))
    }

    /// Keeps an event and the wake-up that it is, then tells its offset to `then` before anybody
    /// can lose interest.
    pub(super) async fn append(
        &self,
        id: String,
        body: Vec<u8>,
        then: impl FnOnce(i64) + Send + 'static,
    ) -> Result<(), BusError> {
        self.write(move |connection| {
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
        self.write(move |connection| {
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

    /// The offset of the first event of this time or later; where there is none yet, the one that
    /// comes next or is before it.
    pub(super) async fn first_since(&self, time: Timestamp) -> Result<i64, BusError> {
        self.call(move |connection| {
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
        self.call(move |connection| {
            connection.pragma_update(None, SYNCHRONOUS, "normal")?;
            let deleted = delete(connection, statement, &numbers);
            connection.pragma_update(None, SYNCHRONOUS, CONFIRMED)?;
            deleted
        })
        .await
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
        self.call(move |connection| {
            let count: i64 = connection.query_row(query, [], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
        .await
    }
}

fn delete(
    connection: &mut Connection,
    statement: &'static str,
    numbers: &[i64],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for number in numbers {
        transaction.execute(statement, [number])?;
    }
    transaction.commit()
}

fn unusable(path: &Path, detail: impl ToString) -> BusError {
    BusError::Journal {
        path: path.display().to_string(),
        detail: detail.to_string(),
    }
}
