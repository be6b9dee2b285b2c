//! A journal in memory, for simulations: no file, no thread, no text. It is there for as long as
//! its bus, and keeps the whole history for as long.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gentoo_updater_fleet::message::{Command, Envelope, Event};
use gentoo_updater_fleet::snapshot::{STATE_VERSION, Snapshot};
use jiff::Timestamp;

use super::letters::{Returned, Settled};
use super::snapshots::KEPT;
use super::storage::Kept;
use crate::seam::{BusError, DeadLetter, HistoryItem, LetterId};
use crate::topology::PLAN;

/// The journal. Clones share it.
#[derive(Clone, Default)]
pub(super) struct MemoryJournal(Arc<Mutex<Contents>>);

#[derive(Default)]
struct Contents {
    /// The event at offset n is at n - 1.
    history: Vec<Stored>,
    /// The offsets of the events that are wake-ups and not settled.
    wakeups: BTreeSet<i64>,
    commands: BTreeMap<i64, (String, Arc<Envelope<Command>>)>,
    issued: i64,
    dead: Vec<Buried>,
    /// Oldest first.
    snapshots: VecDeque<Arc<Snapshot>>,
}

struct Stored {
    at: Timestamp,
    event: Arc<Envelope<Event>>,
}

struct Buried {
    letter: DeadLetter,
    message: Message,
}

/// What a dead letter is.
enum Message {
    Command(Arc<Envelope<Command>>),
    /// The offset of an event.
    Wakeup(i64),
}

impl MemoryJournal {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an event and the wake-up that it is, and says its offset.
    pub(super) fn append(&self, event: &Envelope<Event>) -> i64 {
        let mut contents = self.contents();
        contents.history.push(Stored {
            at: Timestamp::now(),
            event: Arc::new(event.clone()),
        });
        let offset = offset_of(contents.history.len());
        contents.wakeups.insert(offset);
        offset
    }

    /// Keeps a command, and says its number.
    pub(super) fn enqueue(&self, queue: &str, command: &Envelope<Command>) -> i64 {
        self.contents().put(queue, Arc::new(command.clone()))
    }

    /// At most `limit` events from `offset` on.
    pub(super) fn events(&self, offset: i64, limit: u32) -> Vec<HistoryItem> {
        let contents = self.contents();
        let before = usize::try_from(offset.saturating_sub(1)).unwrap_or(usize::MAX);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let events = contents.history.iter().enumerate().skip(before).take(limit);
        events
            .map(|(index, stored)| HistoryItem {
                offset: offset_of(index + 1).unsigned_abs(),
                event: Ok(stored.event.as_ref().clone()),
            })
            .collect()
    }

    /// The offset of the first event of this time or later, or the one that comes next.
    pub(super) fn first_since(&self, time: Timestamp) -> i64 {
        // As exact as a file: whole seconds.
        let is_before = |stored: &Stored| stored.at.as_second() < time.as_second();
        offset_of(self.contents().history.partition_point(is_before) + 1)
    }

    /// The offset of the newest event.
    pub(super) fn end(&self) -> Option<i64> {
        let length = self.contents().history.len();
        (length > 0).then(|| offset_of(length))
    }

    /// One event.
    pub(super) fn event(&self, offset: i64) -> Option<Envelope<Event>> {
        let contents = self.contents();
        contents.event(offset).map(|event| event.as_ref().clone())
    }

    /// One command, if it is not settled.
    pub(super) fn command(&self, number: i64) -> Option<Envelope<Command>> {
        let contents = self.contents();
        let found = contents.commands.get(&number);
        found.map(|(_, command)| command.as_ref().clone())
    }

    /// The queues that hold unsettled commands, and how many.
    pub(super) fn queue_lengths(&self) -> BTreeMap<String, u64> {
        let mut lengths = BTreeMap::new();
        for (queue, _) in self.contents().commands.values() {
            *lengths.entry(queue.clone()).or_default() += 1;
        }
        lengths
    }

    /// How much is kept.
    pub(super) fn count(&self, kept: Kept) -> u64 {
        let contents = self.contents();
        let count = match kept {
            Kept::Wakeups => contents.wakeups.len(),
            Kept::Dead => contents.dead.len(),
            Kept::History => contents.history.len(),
            Kept::Snapshots => contents.snapshots.len(),
        };
        count as u64
    }

    /// Takes commands off their queues.
    pub(super) fn delete_commands(&self, numbers: &[i64]) {
        let mut contents = self.contents();
        for number in numbers {
            contents.commands.remove(number);
        }
    }

    /// Takes wake-ups off their queue.
    pub(super) fn delete_wakeups(&self, offsets: &[i64]) {
        let mut contents = self.contents();
        for offset in offsets {
            contents.wakeups.remove(offset);
        }
    }

    /// Moves a command to the dead letters.
    pub(super) fn bury_command(&self, number: i64, cause: String) -> Result<(), BusError> {
        let mut contents = self.contents();
        match contents.commands.remove(&number) {
            Some((queue, command)) => contents.bury(queue, command, cause),
            None => Ok(()),
        }
    }

    /// Moves a wake-up to the dead letters.
    pub(super) fn bury_wakeup(&self, offset: i64, cause: String) -> Result<(), BusError> {
        let mut contents = self.contents();
        contents.wakeups.remove(&offset);
        if let Some(event) = contents.event(offset) {
            let letter = letter(PLAN.to_owned(), cause, event.encode()?);
            let message = Message::Wakeup(offset);
            contents.dead.push(Buried { letter, message });
        }
        Ok(())
    }

    /// Keeps a dead letter that lies in no queue.
    pub(super) fn bury(
        &self,
        queue: &str,
        command: &Envelope<Command>,
        cause: String,
    ) -> Result<(), BusError> {
        let command = Arc::new(command.clone());
        self.contents().bury(queue.to_owned(), command, cause)
    }

    /// The dead letters, oldest first.
    pub(super) fn dead_letters(&self, most: usize) -> Vec<DeadLetter> {
        let contents = self.contents();
        let letters = contents.dead.iter().take(most);
        letters.map(|buried| buried.letter.clone()).collect()
    }

    /// Deletes letters.
    pub(super) fn drop_dead(&self, wanted: &BTreeSet<LetterId>) -> Settled {
        Settled {
            done: done(&self.contents().take_dead(wanted)),
            ..Settled::default()
        }
    }

    /// Puts letters back.
    pub(super) fn retry_dead(&self, wanted: &BTreeSet<LetterId>) -> Settled {
        let mut contents = self.contents();
        let taken = contents.take_dead(wanted);
        let done = done(&taken);
        let put_back = |Buried { letter, message }| match message {
            Message::Command(command) => {
                let number = contents.put(&letter.queue, command);
                Returned::Command(letter.queue, number)
            }
            Message::Wakeup(offset) => {
                contents.wakeups.insert(offset);
                Returned::Wakeup(offset)
            }
        };
        let returned = taken.into_iter().map(put_back).collect();
        Settled {
            done,
            returned,
            ..Settled::default()
        }
    }

    /// Deletes all dead letters, and says how many there were.
    pub(super) fn purge_dead(&self) -> u64 {
        std::mem::take(&mut self.contents().dead).len() as u64
    }

    /// Keeps a snapshot in place of older ones.
    pub(super) fn keep_snapshot(&self, snapshot: &Snapshot) {
        let snapshot = Arc::new(snapshot.clone());
        let mut contents = self.contents();
        contents.snapshots.push_back(snapshot);
        while contents.snapshots.len() > KEPT {
            contents.snapshots.pop_front();
        }
    }

    /// The newest snapshot that this program can read.
    pub(super) fn newest_snapshot(&self) -> Option<Snapshot> {
        let contents = self.contents();
        let mut newest_first = contents.snapshots.iter().rev();
        let found = newest_first.find(|snapshot| snapshot.state_version == STATE_VERSION);
        found.map(|snapshot| snapshot.as_ref().clone())
    }
}

impl Contents {
    fn event(&self, offset: i64) -> Option<Arc<Envelope<Event>>> {
        let index = usize::try_from(offset.checked_sub(1)?).ok()?;
        self.history.get(index).map(|stored| stored.event.clone())
    }

    fn put(&mut self, queue: &str, command: Arc<Envelope<Command>>) -> i64 {
        self.issued += 1;
        let entry = (queue.to_owned(), command);
        self.commands.insert(self.issued, entry);
        self.issued
    }

    fn bury(
        &mut self,
        queue: String,
        command: Arc<Envelope<Command>>,
        cause: String,
    ) -> Result<(), BusError> {
        self.dead.push(Buried {
            letter: letter(queue, cause, command.encode()?),
            message: Message::Command(command),
        });
        Ok(())
    }

    fn take_dead(&mut self, wanted: &BTreeSet<LetterId>) -> Vec<Buried> {
        let dead = std::mem::take(&mut self.dead).into_iter();
        let (taken, left) = dead.partition(|buried| wanted.contains(&buried.letter.id));
        self.dead = left;
        taken
    }
}

/// The ids of letters; equal letters have one.
fn done(taken: &[Buried]) -> Vec<LetterId> {
    let mut done: Vec<LetterId> = Vec::new();
    for Buried { letter, .. } in taken {
        if !done.contains(&letter.id) {
            done.push(letter.id.clone());
        }
    }
    done
}

fn letter(queue: String, cause: String, body: Vec<u8>) -> DeadLetter {
    // As exact as a file: whole seconds.
    let at = Timestamp::now().as_second();
    DeadLetter::new(queue, cause, at, body)
}

fn offset_of(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
