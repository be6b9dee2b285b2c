//! Who writes the journal.
//!
//! To wait for the disk takes longer than all else that is done to a message. So what comes while
//! the disk is waited for is written together: one transaction, and one wait, for all of it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

/// What is written together at most.
const GROUP: usize = 256;

/// The setting that says what is waited for (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
const SYNCHRONOUS: &str = "synchronous";

/// What a loss of power does to a change that was written. An end of the process does nothing to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// It may take it back.
    Process,
    /// Nothing: it is on the disk, as a confirm of RabbitMQ means.
    Power,
}

/// Why something was not written.
#[derive(Debug)]
pub(super) enum WriteError {
    /// The file cannot be written.
    Sqlite(rusqlite::Error),
    /// What was to be written is a defect of this program. Nothing of it was.
    Panicked,
    /// Nobody writes any more: the runtime is ending.
    Gone,
}

/// What is to be written, and with what. What was handed over is written even when nobody waits for
/// it any more.
#[derive(Clone)]
pub(super) struct Writer(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    file: Mutex<File>,
}

#[derive(Default)]
struct Waiting {
    changes: VecDeque<Box<dyn Write>>,
    /// Whether somebody writes, and takes what comes meanwhile.
    is_served: bool,
}

struct File {
    connection: Connection,
    /// What it waits for, once that is set.
    durability: Option<Durability>,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Self {
        Self(Arc::new(Shared {
            waiting: Mutex::default(),
            file: Mutex::new(File {
                connection,
                durability: None,
            }),
        }))
    }

    /// Changes the file, as a whole or not at all. What is handed over first is written first.
    ///
    /// `work` is called again where a change that was to be written with it could not be. `then`
    /// is called when it is written, before anybody can lose interest.
    pub(super) async fn write<T, W, D>(
        &self,
        durability: Durability,
        work: W,
        then: D,
    ) -> Result<T, WriteError>
    where
        T: Send + 'static,
        W: FnMut(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
        D: FnOnce(&T) + Send + 'static,
    {
        let (reply, written) = oneshot::channel();
        let change = Change {
            durability,
            work,
            done: None,
            then,
            reply,
        };
        if self.0.put(Box::new(change)) {
            let service = Service::of(&self.0);
            // Whether it is done says the reply.
            drop(tokio::task::spawn_blocking(move || service.run()));
        }
        written.await.unwrap_or(Err(WriteError::Gone))
    }
}

/// A change of any kind.
trait Write: Send {
    fn durability(&self) -> Durability;
    fn work(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()>;
    fn tell(self: Box<Self>, written: Result<(), WriteError>);
}

struct Change<T, W, D> {
    durability: Durability,
    work: W,
    /// What `work` gave.
    done: Option<T>,
    then: D,
    reply: oneshot::Sender<Result<T, WriteError>>,
}

impl<T, W, D> Write for Change<T, W, D>
where
    T: Send,
    W: FnMut(&Transaction<'_>) -> rusqlite::Result<T> + Send,
    D: FnOnce(&T) + Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn work(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        self.done = Some((self.work)(transaction)?);
        Ok(())
    }

    fn tell(self: Box<Self>, written: Result<(), WriteError>) {
        let Self {
            done, then, reply, ..
        } = *self;
        let told = match (written, done) {
            (Ok(()), Some(done)) => {
                // Whoever comes after it is told in any case.
                match catch_unwind(AssertUnwindSafe(|| then(&done))) {
                    Ok(()) => Ok(done),
                    Err(_) => Err(WriteError::Panicked),
                }
            }
            (Err(error), _) => Err(error),
            // Nothing is written before its work is done.
            (Ok(()), None) => Err(WriteError::Panicked),
        };
        // Whoever handed it over may have lost interest.
        let _ = reply.send(told);
    }
}

impl Shared {
    /// Whether somebody has to be found who writes.
    fn put(&self, change: Box<dyn Write>) -> bool {
        let mut waiting = held(&self.waiting);
        waiting.changes.push_back(change);
        !std::mem::replace(&mut waiting.is_served, true)
    }

    /// What is written next, together. After nothing, whoever asked is to end.
    fn take(&self) -> Vec<Box<dyn Write>> {
        let mut waiting = held(&self.waiting);
        let count = waiting.changes.len().min(GROUP);
        waiting.is_served = count > 0;
        waiting.changes.drain(..count).collect()
    }

    /// Writes until nothing waits.
    fn serve(&self) {
        let mut file = held(&self.file);
        loop {
            let mut group = self.take();
            if group.is_empty() {
                return;
            }
            let Err(error) = file.try_to_write(&mut group) else {
                group.into_iter().for_each(|change| change.tell(Ok(())));
                continue;
            };
            match <[_; 1]>::try_from(group) {
                Ok([change]) => change.tell(Err(error)),
                // One of them cannot be written: whichever it is, the others may.
                Err(group) => {
                    for mut change in group {
                        let written = file.try_to_write(std::slice::from_mut(&mut change));
                        change.tell(written);
                    }
                }
            }
        }
    }
}

/// Somebody who is about to write. Where nobody can be found who does, all who wait are told so.
struct Service(Option<Arc<Shared>>);

impl Service {
    fn of(shared: &Arc<Shared>) -> Self {
        Self(Some(Arc::clone(shared)))
    }

    fn run(mut self) {
        if let Some(shared) = self.0.take() {
            shared.serve();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            *held(&shared.waiting) = Waiting::default();
        }
    }
}

impl File {
    /// Writes all of them, or none, also where one of them panics: the transaction is rolled back.
    fn try_to_write(&mut self, group: &mut [Box<dyn Write>]) -> Result<(), WriteError> {
        match catch_unwind(AssertUnwindSafe(|| self.write(group))) {
            Ok(written) => written.map_err(WriteError::Sqlite),
            Err(_) => Err(WriteError::Panicked),
        }
    }

    /// Writes all of them, or none.
    fn write(&mut self, group: &mut [Box<dyn Write>]) -> rusqlite::Result<()> {
        let wanted = group.iter().map(|change| change.durability()).max();
        if self.durability != wanted {
            // Until it is known to be set.
            self.durability = None;
            let mode = match wanted {
                Some(Durability::Process) => "normal",
                Some(Durability::Power) | None => "full",
            };
            self.connection.pragma_update(None, SYNCHRONOUS, mode)?;
            self.durability = wanted;
        }
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        for change in group {
            change.work(&transaction)?;
        }
        transaction.commit()
    }
}

/// What is behind a lock. Whoever panicked with it left it whole: a transaction was rolled back.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::time::timeout;

    use super::*;

    /// A file with one table.
    fn writer() -> Writer {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE kept (number INTEGER PRIMARY KEY)")
            .unwrap();
        Writer::new(connection)
    }

    async fn keep(writer: &Writer, number: i64) -> Result<i64, WriteError> {
        let work = move |transaction: &Transaction<'_>| {
            transaction.execute("INSERT INTO kept VALUES (?1)", [number])?;
            Ok(number)
        };
        let written = writer.write(Durability::Power, work, |_| {});
        timeout(Duration::from_secs(30), written).await.unwrap()
    }

    fn kept(writer: &Writer) -> Vec<i64> {
        let file = held(&writer.0.file);
        let mut rows = file.connection.prepare("SELECT number FROM kept").unwrap();
        let numbers = rows.query_map([], |row| row.get(0)).unwrap();
        numbers.map(Result::unwrap).collect()
    }

    /// All of them wait when the first is written.
    async fn together<T>(writer: &Writer, writes: Vec<impl Future<Output = T>>) -> Vec<T> {
        let file = Arc::clone(&writer.0);
        let (is_held, hold) = oneshot::channel();
        let (count, shared) = (writes.len(), Arc::clone(&writer.0));
        let holder = std::thread::spawn(move || {
            let _file = held(&file.file);
            is_held.send(()).unwrap();
            while held(&shared.waiting).changes.len() < count {
                std::thread::yield_now();
            }
        });
        hold.await.unwrap();
        let told = join_all(writes).await;
        holder.join().unwrap();
        told
    }

    #[tokio::test]
    async fn what_comes_meanwhile_is_written_in_one_transaction_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.sqlite");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode = wal; CREATE TABLE kept (number INTEGER PRIMARY KEY)",
            )
            .unwrap();
        let writer = Writer::new(connection);
        // What others see of the file while something is being written.
        let others = Arc::new(Mutex::new(Connection::open(&path).unwrap()));
        let committed = move || -> rusqlite::Result<i64> {
            held(&others).query_row("SELECT count(*) FROM kept", [], |row| row.get(0))
        };
        let keep = |number: i64| {
            let (committed, writer) = (committed.clone(), &writer);
            let work = move |transaction: &Transaction<'_>| {
                transaction.execute("INSERT INTO kept VALUES (?1)", [number])?;
                Ok((number, committed()?))
            };
            async move { writer.write(Durability::Power, work, |_| {}).await.unwrap() }
        };
        let told = together(&writer, (1..=40).map(keep).collect()).await;
        let in_one = (1..=40).map(|number| (number, 0));
        assert_eq!(told, in_one.collect::<Vec<_>>());
        assert_eq!(kept(&writer), (1..=40).collect::<Vec<_>>());
        // And what comes alone is written alone.
        assert_eq!(keep(41).await, (41, 40));
        assert_eq!(keep(42).await, (42, 41));
    }

    #[tokio::test]
    async fn a_change_that_cannot_be_written_keeps_none_of_the_others_from_it() {
        let writer = writer();
        let numbers = [1, 2, 1, 3];
        let told = together(&writer, numbers.map(|n| keep(&writer, n)).into()).await;
        assert!(matches!(
            told[..],
            [Ok(1), Ok(2), Err(WriteError::Sqlite(_)), Ok(3)]
        ));
        assert_eq!(kept(&writer), [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_change_that_panics_keeps_none_of_the_others_from_it_and_is_taken_back() {
        let writer = writer();
        let keep_or_panic = |number: i64| {
            let work = move |transaction: &Transaction<'_>| {
                transaction.execute("INSERT INTO kept VALUES (?1)", [number])?;
                assert!(number != 2, "out of cheese");
                Ok(number)
            };
            let then = |number: &i64| assert!(*number != 3, "nobody to be told");
            let written = writer.write(Durability::Power, work, then);
            async { timeout(Duration::from_secs(30), written).await.unwrap() }
        };
        let told = together(&writer, [1, 2, 3, 4].map(keep_or_panic).into()).await;
        assert!(matches!(
            told[..],
            [
                Ok(1),
                Err(WriteError::Panicked),
                Err(WriteError::Panicked),
                Ok(4)
            ]
        ));
        assert_eq!(kept(&writer), [1, 3, 4]);
    }

    /// What is waited for while a change is being written (0 nothing, 1 the end of it, 2 the disk).
    async fn synchronous(writer: &Writer, durability: Durability) -> i64 {
        let ask = |transaction: &Transaction<'_>| {
            transaction.pragma_query_value(None, SYNCHRONOUS, |row| row.get(0))
        };
        writer.write(durability, ask, |_| {}).await.unwrap()
    }

    #[tokio::test]
    async fn the_disk_is_waited_for_where_one_of_a_group_is_to_outlive_a_loss_of_power() {
        let writer = writer();
        for (durability, expected) in [
            (Durability::Process, 1),
            (Durability::Power, 2),
            (Durability::Process, 1),
        ] {
            assert_eq!(synchronous(&writer, durability).await, expected);
        }
        let mixed = [Durability::Process, Durability::Power, Durability::Process];
        let mixed = mixed.map(|durability| synchronous(&writer, durability));
        assert_eq!(together(&writer, mixed.into()).await, [2, 2, 2]);
    }

    #[tokio::test]
    async fn who_waits_is_told_where_nobody_can_be_found_who_writes() {
        let writer = writer();
        let change = |number| keep(&writer, number);
        let (first, second) = (change(1), change(2));
        tokio::pin!(first, second);
        // As if somebody had been found who then never came to it.
        held(&writer.0.waiting).is_served = true;
        assert!(futures_util::poll!(&mut first).is_pending());
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(Service::of(&writer.0));
        assert!(matches!(first.await, Err(WriteError::Gone)));
        assert!(matches!(second.await, Err(WriteError::Gone)));
        assert_eq!(keep(&writer, 3).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_change_is_written_and_told_of_when_nobody_waits_for_it_any_more() {
        let writer = writer();
        let (told, hears) = oneshot::channel();
        let work =
            |transaction: &Transaction<'_>| transaction.execute("INSERT INTO kept VALUES (1)", []);
        let mut written = Box::pin(writer.write(Durability::Process, work, move |rows| {
            told.send(*rows).unwrap();
        }));
        // It is handed over with the first look at it.
        assert!(futures_util::poll!(&mut written).is_pending());
        drop(written);
        let hears = timeout(Duration::from_secs(30), hears).await;
        assert_eq!(hears.unwrap().unwrap(), 1);
        assert_eq!(kept(&writer), [1]);
    }
}
