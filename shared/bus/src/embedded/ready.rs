//! What waits to be taken, in the memory of the process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Entries that wait, oldest first.
pub(super) struct Ready<T> {
    entries: Mutex<VecDeque<T>>,
    grown: Notify,
}

impl<T> Ready<T> {
    pub(super) fn new(entries: impl IntoIterator<Item = T>) -> Arc<Self> {
        let entries = Mutex::new(entries.into_iter().collect());
        Arc::new(Self {
            entries,
            grown: Notify::new(),
        })
    }

    /// Adds an entry behind all others.
    pub(super) fn push(&self, entry: T) {
        self.with(|entries| entries.push_back(entry));
        self.grown.notify_waiters();
    }

    /// Removes the entries that are wanted no more.
    pub(super) fn retain(&self, keep: impl FnMut(&T) -> bool) {
        self.with(|entries| entries.retain(keep));
    }

    /// How many entries fit.
    pub(super) fn count(&self, fits: impl Fn(&T) -> bool) -> usize {
        self.with(|entries| entries.iter().filter(|entry| fits(entry)).count())
    }

    /// Takes all entries that fit, for good.
    pub(super) fn drain(&self, fits: impl Fn(&T) -> bool) -> Vec<T> {
        self.with(|entries| {
            let all = std::mem::take(entries).into_iter();
            let (taken, left): (Vec<T>, Vec<T>) = all.partition(fits);
            entries.extend(left);
            taken
        })
    }

    /// Takes the first entry that fits, and waits for one where there is none. It comes back by
    /// itself when what is lent is dropped, so a cancelled caller loses nothing.
    pub(super) async fn take(self: &Arc<Self>, fits: impl Fn(&T) -> bool) -> Lent<T> {
        loop {
            let grown = self.grown.notified();
            tokio::pin!(grown);
            // From here on nothing is missed that is put in.
            grown.as_mut().enable();
            let taken = self.with(|entries| {
                let index = entries.iter().position(&fits)?;
                entries.remove(index)
            });
            if taken.is_some() {
                return Lent {
                    entry: taken,
                    ready: self.clone(),
                };
            }
            grown.await;
        }
    }

    fn with<R>(&self, work: impl FnOnce(&mut VecDeque<T>) -> R) -> R {
        work(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An entry that was taken and is not settled.
pub(super) struct Lent<T> {
    entry: Option<T>,
    ready: Arc<Ready<T>>,
}

impl<T> Lent<T> {
    /// The entry; `None` never happens before it is settled.
    pub(super) fn entry(&self) -> Option<&T> {
        self.entry.as_ref()
    }

    /// It does not come back.
    pub(super) fn settle(mut self) {
        self.entry = None;
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.ready.with(|entries| entries.push_front(entry));
            self.ready.grown.notify_waiters();
        }
    }
}
