//! Snapshots in the journal, and what of the history they make dispensable.

use gentoo_updater_fleet::config;
use gentoo_updater_fleet::snapshot::{STATE_VERSION, Snapshot};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::journal::Journal;
use crate::seam::BusError;

/// How many are kept: the one before the newest is there in case the newest is damaged.
pub(super) const KEPT: usize = 2;

impl Journal {
    /// Keeps a snapshot in place of older ones, and trims the history.
    pub(super) async fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), BusError> {
        let body = encoded(snapshot)?;
        let offset = snapshot.fleet.offset.unwrap_or(0);
        let offset = i64::try_from(offset).map_err(refused)?;
        let (version, retention) = (snapshot.state_version, self.retention());
        let work = move |transaction: &Transaction<'_>| {
            transaction.execute(
                "INSERT INTO snapshots (offset, state_version, body) VALUES (?1, ?2, ?3)",
                params![offset, version, body],
            )?;
            transaction.execute(
                "DELETE FROM snapshots WHERE number NOT IN
                 (SELECT number FROM snapshots ORDER BY number DESC LIMIT ?1)",
                [KEPT as i64],
            )?;
            trim(transaction, retention)
        };
        self.rewrite_history(work).await
    }

    /// The newest snapshot that this program can read.
    pub(super) async fn newest_snapshot(&self) -> Result<Option<Snapshot>, BusError> {
        self.read(|connection| {
            if !has_snapshots(connection)? {
                return Ok(None);
            }
            let mut statement =
                connection.prepare("SELECT body FROM snapshots ORDER BY number DESC")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let body: Vec<u8> = row.get(0)?;
                if let Some(snapshot) = readable(&body) {
                    return Ok(Some(snapshot));
                }
            }
            Ok(None)
        })
        .await
    }
}

/// A snapshot as it is kept.
fn encoded(snapshot: &Snapshot) -> Result<Vec<u8>, BusError> {
    snapshot.encode().map_err(refused)
}

fn refused(detail: impl ToString) -> BusError {
    BusError::MessageRefused {
        kind: "Snapshot".to_owned(),
        detail: detail.to_string(),
    }
}

/// A kept snapshot, if this program can read it.
fn readable(body: &[u8]) -> Option<Snapshot> {
    match Snapshot::decode(body) {
        Ok(snapshot) => Some(snapshot),
        Err(error) => {
            tracing::info!(%error, "a snapshot is passed over");
            None
        }
    }
}

/// Whether the file is of a version that has them: a reader takes older ones, too.
fn has_snapshots(connection: &Connection) -> rusqlite::Result<bool> {
    let query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'snapshots'";
    let found: Option<i64> = connection
        .query_row(query, [], |row| row.get(0))
        .optional()?;
    Ok(found.is_some())
}

/// Deletes events that are too old, and the oldest of more than may be kept: only such as are in
/// the newest snapshot, so that a start from it finds all that came later. Where there are
/// snapshots and none that this program can read, it needs every event. The file keeps its size:
/// SQLite uses the room again.
pub(super) fn trim(connection: &Connection, keep: config::History) -> rusqlite::Result<()> {
    let newest = "SELECT max(offset) FROM snapshots WHERE state_version = ?1";
    let newest: Option<i64> = connection.query_row(newest, [STATE_VERSION], |row| row.get(0))?;
    let is_any: bool =
        connection.query_row("SELECT EXISTS (SELECT 1 FROM snapshots)", [], |row| {
            row.get(0)
        })?;
    let last = match newest {
        Some(offset) => offset,
        None if is_any => return Ok(()),
        None => i64::MAX,
    };
    let oldest = Timestamp::now().as_second() - i64::from(keep.days) * 86_400;
    connection.execute(
        "DELETE FROM history WHERE stored_at < ?1 AND offset <= ?2",
        [oldest, last],
    )?;
    let bytes = i64::from(keep.megabytes) * 1_000_000;
    // To add up all events is long where there are many. Most files are not that large altogether.
    if used(connection)? <= bytes {
        return Ok(());
    }
    connection.execute(
        "DELETE FROM history WHERE offset <= ?2 AND offset <=
         (SELECT max(offset) FROM
          (SELECT offset, sum(length(body)) OVER (ORDER BY offset DESC) AS bytes FROM history)
          WHERE bytes > ?1)",
        [bytes, last],
    )?;
    Ok(())
}

/// The bytes of the file that something is in.
fn used(connection: &Connection) -> rusqlite::Result<i64> {
    let ask = |what: &str| connection.query_row(&format!("PRAGMA {what}"), [], |row| row.get(0));
    let (pages, free, size): (i64, i64, i64) = (
        ask("page_count")?,
        ask("freelist_count")?,
        ask("page_size")?,
    );
    Ok((pages - free) * size)
}
