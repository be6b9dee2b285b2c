//! What came of the collection of stores.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::outline::{Entry, Mark};
use crate::message::{Deleted, Failure, StoreCollected, Task};
use crate::name::{GuestName, PlatformName};
use crate::state::Run;
use crate::words::{counted, size};

/// How many names a line has at most.
const MOST_NAMES: usize = 5;

/// What came of the collection of one store.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StoreReport {
    /// What was deleted.
    pub deleted: Deleted,
    /// By how many bytes it is larger than it may be all the same.
    pub too_large_by: u64,
    /// Guests that counted with what was known of them.
    pub by_memory: BTreeSet<GuestName>,
    /// Guests because of which nothing was deleted: nobody knows what they have, and why.
    pub unknown: BTreeMap<GuestName, Failure>,
    /// Why it was not collected, or not to the end.
    pub failure: Option<Failure>,
}

/// The stores that a run has collected, or could not.
pub fn stores(run: &Run) -> BTreeMap<PlatformName, StoreReport> {
    let report = |platform: &&PlatformName| {
        let collected = run.collected.get(*platform);
        let failure = run.failure(&Task::Collect((*platform).clone()));
        (collected.is_some() || failure.is_some()).then(|| StoreReport::of(collected, failure))
    };
    let stores = run.stores().into_iter();
    stores
        .filter_map(|platform| Some((platform.clone(), report(&platform)?)))
        .collect()
}

impl StoreReport {
    fn of(collected: Option<&StoreCollected>, failure: Option<&Failure>) -> Self {
        let failure = failure.cloned();
        match collected {
            Some(collected) => Self {
                deleted: collected.deleted,
                too_large_by: collected.too_large_by,
                by_memory: collected.by_memory.clone(),
                unknown: collected.unknown.clone(),
                failure,
            },
            None => Self {
                failure,
                ..Self::default()
            },
        }
    }

    pub(super) fn entry(&self, name: &PlatformName) -> Entry {
        let Deleted {
            binaries,
            files,
            bytes,
        } = self.deleted;
        if let Some(failure) = &self.failure {
            let words = format!("{name}: nothing deleted");
            return Entry::item(Mark::Failure, words, Entry::failure(failure));
        }
        if let Some((guest, failure)) = self.unknown.first_key_value() {
            let words = format!(
                "{name}: nothing deleted, because nobody knows what {} has installed",
                names(self.unknown.keys())
            );
            let remedy = Entry::plain(format!(
                "ask with `gentoo-updater scan {guest}` when it is there, or leave it out: \
                 `gentoo-updater store gc --without {guest}`"
            ));
            let entries = Entry::failure(failure).into_iter().chain([remedy]);
            return Entry::item(Mark::Failure, words, entries.collect());
        }
        let unusable = match files {
            0 => String::new(),
            files => format!(" and {} that nobody can use", counted(files, "file")),
        };
        let words = match binaries + files {
            0 => format!("{name}: nothing to delete"),
            _ => format!(
                "{name}: {} deleted that nobody needs{unusable}, {}",
                counted(binaries, "binary file"),
                size(bytes)
            ),
        };
        let mut entries = Vec::new();
        if self.too_large_by > 0 {
            entries.push(Entry::finding(format!(
                "it is {} larger than policy.keep_binaries_gigabytes says: the rest is needed, has just \
                 come, or is of others",
                size(self.too_large_by)
            )));
        }
        if !self.by_memory.is_empty() {
            entries.push(Entry::plain(format!(
                "{} could not be asked, and counted with what a run knew: {}",
                counted(self.by_memory.len(), "guest"),
                names(self.by_memory.iter())
            )));
        }
        Entry::item(Mark::Plain, words, entries)
    }
}

fn names<'a>(guests: impl ExactSizeIterator<Item = &'a GuestName>) -> String {
    let more = guests.len().saturating_sub(MOST_NAMES);
    let first: Vec<&str> = guests.take(MOST_NAMES).map(GuestName::as_str).collect();
    let first = first.join(", ");
    match more {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
