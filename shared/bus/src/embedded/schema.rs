//! The tables of the journal, and how an older one becomes one of this version.

use rusqlite::Connection;

/// The version of the schema, kept in `PRAGMA user_version`.
pub(super) const SCHEMA_VERSION: i64 = 2;
/// The oldest version that can be read, and that becomes this one when it is opened to write.
pub(super) const OLDEST_VERSION: i64 = 1;

const VERSION_1: &str = "
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

/// Snapshots; a dead letter knows the event that it was or the id of its command, so that it can
/// go back; and an event is found by its time.
const VERSION_2: &str = "
    CREATE TABLE snapshots (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        offset INTEGER NOT NULL,
        state_version INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    ALTER TABLE dead ADD COLUMN offset INTEGER;
    ALTER TABLE dead ADD COLUMN id TEXT NOT NULL DEFAULT '';
    CREATE INDEX history_by_time ON history (stored_at);
    PRAGMA user_version = 2;
";

pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings a new or an older file to this version. One that is newer stays as it is.
pub(super) fn migrate(connection: &Connection) -> rusqlite::Result<()> {
    if version(connection)? == 0 {
        connection.execute_batch(VERSION_1)?;
    }
    if version(connection)? == 1 {
        connection.execute_batch(VERSION_2)?;
    }
    Ok(())
}
