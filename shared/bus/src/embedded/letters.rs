//! The dead letters of the journal.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::journal::Journal;
use crate::seam::{BusError, DeadLetter, LetterId, NoWayBack};
use crate::topology::PLAN;

/// Where a letter went back to.
pub(super) enum Returned {
    /// To a queue of commands, as this number.
    Command(String, i64),
    /// To the planner, about the event at this offset.
    Wakeup(i64),
}

/// What became of the letters that were asked for.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) done: Vec<LetterId>,
    pub(super) returned: Vec<Returned>,
    pub(super) stayed: Vec<NoWayBack>,
}

impl Journal {
    /// Moves a command to the dead letters.
    pub(super) async fn bury_command(&self, number: i64, cause: String) -> Result<(), BusError> {
        self.write(move |transaction| {
            transaction.execute(
                "INSERT INTO dead (queue, cause, stored_at, body, id)
                 SELECT queue, ?2, ?3, body, id FROM commands WHERE number = ?1",
                params![number, cause, Timestamp::now().as_second()],
            )?;
            transaction.execute("DELETE FROM commands WHERE number = ?1", [number])?;
            Ok(())
        })
        .await
    }

    /// Moves a wake-up to the dead letters.
    pub(super) async fn bury_wakeup(&self, offset: i64, cause: String) -> Result<(), BusError> {
        self.write(move |transaction| {
            transaction.execute(
                "INSERT INTO dead (queue, cause, stored_at, body, id, offset)
                 SELECT ?4, ?2, ?3, body, id, offset FROM history WHERE offset = ?1",
                params![offset, cause, Timestamp::now().as_second(), PLAN],
            )?;
            transaction.execute("DELETE FROM wakeups WHERE offset = ?1", [offset])?;
            Ok(())
        })
        .await
    }

    /// Keeps a dead letter that lies in no queue.
    pub(super) async fn bury(
        &self,
        queue: String,
        id: String,
        cause: String,
        body: Vec<u8>,
    ) -> Result<(), BusError> {
        self.write(move |connection| {
            let stored_at = Timestamp::now().as_second();
            let statement = "INSERT INTO dead (queue, cause, stored_at, body, id)
                 VALUES (?1, ?2, ?3, ?4, ?5)";
            connection
                .execute(statement, params![queue, cause, stored_at, body, id])
                .map(drop)
        })
        .await
    }

    /// The dead letters, oldest first.
    pub(super) async fn dead_letters(&self, most: usize) -> Result<Vec<DeadLetter>, BusError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.read(move |connection| {
            let letters = letters(connection, most)?;
            Ok(letters.into_iter().map(|(_, letter)| letter).collect())
        })
        .await
    }

    /// Deletes letters.
    pub(super) async fn drop_dead(&self, wanted: BTreeSet<LetterId>) -> Result<Settled, BusError> {
        self.settle_dead(wanted, |_, _, _| Ok(None)).await
    }

    /// Puts letters back. A wake-up whose event has been trimmed is about nothing, and stays.
    pub(super) async fn retry_dead(&self, wanted: BTreeSet<LetterId>) -> Result<Settled, BusError> {
        self.settle_dead(wanted, |transaction, number, letter| {
            if letter.queue == PLAN {
                return put_back_wakeup(transaction, number).map(Some);
            }
            transaction.execute(
                "INSERT INTO commands (queue, id, body) SELECT queue, id, body FROM dead
                 WHERE number = ?1",
                [number],
            )?;
            let number = transaction.last_insert_rowid();
            Ok(Some(Returned::Command(letter.queue.clone(), number)))
        })
        .await
    }

    /// Takes letters off, all that have a way, or none where the journal cannot be written.
    async fn settle_dead(
        &self,
        wanted: BTreeSet<LetterId>,
        put_back: impl Fn(&Transaction<'_>, i64, &DeadLetter) -> rusqlite::Result<Option<Returned>>
        + Send
        + 'static,
    ) -> Result<Settled, BusError> {
        self.write(move |transaction| {
            let mut settled = Settled::default();
            for (number, letter) in letters(transaction, i64::MAX)? {
                if !wanted.contains(&letter.id) {
                    continue;
                }
                match put_back(transaction, number, &letter) {
                    Ok(returned) => settled.returned.extend(returned),
                    Err(rusqlite::Error::QueryReturnedNoRows) => {
                        settled.stayed.push(NoWayBack {
                            letter: letter.id,
                            queue: letter.queue,
                            cause: "the event is no longer in the history".to_owned(),
                        });
                        continue;
                    }
                    Err(error) => return Err(error),
                }
                transaction.execute("DELETE FROM dead WHERE number = ?1", [number])?;
                if !settled.done.contains(&letter.id) {
                    settled.done.push(letter.id);
                }
            }
            Ok(settled)
        })
        .await
    }
}

/// Fails with no rows where the event is gone. A letter of the first version of the journal does
/// not know its event, which is found by what it says.
fn put_back_wakeup(transaction: &Transaction<'_>, number: i64) -> rusqlite::Result<Returned> {
    let offset = transaction.query_row(
        "SELECT history.offset FROM history JOIN dead
         ON history.offset = dead.offset OR dead.offset IS NULL AND history.body = dead.body
         WHERE dead.number = ?1 LIMIT 1",
        [number],
        |row| row.get(0),
    )?;
    transaction.execute(
        "INSERT OR IGNORE INTO wakeups (offset) VALUES (?1)",
        [offset],
    )?;
    Ok(Returned::Wakeup(offset))
}

fn letters(connection: &Connection, most: i64) -> rusqlite::Result<Vec<(i64, DeadLetter)>> {
    let mut statement = connection.prepare(
        "SELECT number, queue, cause, stored_at, body FROM dead ORDER BY number LIMIT ?1",
    )?;
    let rows = statement.query_map([most], |row| {
        let (queue, cause, body): (String, String, Vec<u8>) =
            (row.get(1)?, row.get(2)?, row.get(4)?);
        let letter = DeadLetter::new(queue, cause, row.get(3)?, body);
        Ok((row.get(0)?, letter))
    })?;
    rows.collect()
}

impl DeadLetter {
    /// One of the embedded bus, which came here in this second of the Unix time.
    pub(super) fn new(queue: String, cause: String, at: i64, body: Vec<u8>) -> Self {
        let at = Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH);
        Self {
            id: LetterId::of(&queue, &cause, at, &body),
            queue,
            cause,
            at,
            deliveries: None,
            user: None,
            buried_by: None,
            body,
        }
    }
}
