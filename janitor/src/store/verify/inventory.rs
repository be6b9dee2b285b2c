//! What lies in a store, and what its index and its records say of that.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gentoo_updater_portage::build_key::HexDigest;
use serde::{Deserialize, Serialize};

use crate::store::catalog;

/// Where spoiled binaries of others lie.
pub(super) const QUARANTINE: &str = ".gentoo-updater/quarantine/";

/// Size in bytes, nanoseconds since 1970, and inode: a file that has the same ones was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct FileState(
    pub(in crate::store) u64,
    pub(in crate::store) i64,
    pub(in crate::store) u64,
);

impl FileState {
    /// Seconds since 1970.
    pub(in crate::store) fn modified(self) -> u64 {
        u64::try_from(self.1 / 1_000_000_000).unwrap_or(0)
    }
}

/// Digests of a file, by the names that Python's hashlib has for their algorithms.
pub(in crate::store) type Digests = BTreeMap<String, String>;

/// What the index says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) size: Option<u64>,
    pub(super) digests: Digests,
}

/// What a record or a note says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The key that the file serves.
    pub(super) key: HexDigest,
    pub(super) size: u64,
    pub(super) sha256: HexDigest,
}

/// Whether the index can be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IndexState {
    Whole,
    #[default]
    Absent,
    CutOff,
    Unreadable,
}

/// What lies in a store, by the paths below it.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// The files that are named as binary packages.
    pub(super) binaries: BTreeMap<String, FileState>,
    /// The files that nobody can use.
    pub(super) unusable: BTreeMap<String, FileState>,
    /// The files that were taken out of use.
    pub(super) quarantined: BTreeSet<String>,
    pub(super) index: IndexState,
    /// What is wrong with the index.
    pub(super) index_words: String,
    pub(super) entries: BTreeMap<String, Vec<Entry>>,
    /// Whether `Packages.gz` says something else than `Packages`.
    pub(super) packed_differs: bool,
    pub(super) records: BTreeMap<String, Vec<Said>>,
    /// The texts of records that name one file.
    pub(super) shared: HashMap<HexDigest, String>,
    /// The names of records that cannot be read, and whether they are of another version.
    pub(super) unreadable: BTreeMap<String, bool>,
    /// The binaries whose signing has not ended.
    pub(super) signing: BTreeSet<String>,
    /// What builders wrote of files that no record names.
    pub(super) notes: HashMap<String, Vec<Said>>,
}

/// A line of what `survey.py` prints.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    File(String, FileState),
    Index(IndexState, String),
    Entry(String, Option<u64>, Digests),
    Packed(bool),
    Record(HexDigest, String, u64, HexDigest),
    Shared(HexDigest, String),
    Unreadable(String, bool),
    Note(HexDigest, String, u64, HexDigest),
    Signing(String),
    End,
}

/// The text is not what the program that looks into a store prints.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoInventory {
    #[error("what lies in the store cannot be read: {error}: {line:?}")]
    Line {
        error: serde_json::Error,
        line: String,
    },
    #[error("what lies in the store was not told to its end")]
    CutOff,
}

impl Inventory {
    /// Reads what `survey.py` printed.
    ///
    /// # Errors
    /// [`NoInventory`]. What was cut off is one: what is missing in it would count as gone.
    pub(super) fn read(text: &str) -> Result<Self, NoInventory> {
        let mut inventory = Self::default();
        let mut is_whole = false;
        for line in text.lines() {
            let read = serde_json::from_str(line).map_err(|error| NoInventory::Line {
                error,
                line: line.chars().take(200).collect(),
            })?;
            is_whole = matches!(read, Line::End);
            inventory.take(read);
        }
        is_whole.then_some(inventory).ok_or(NoInventory::CutOff)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::File(path, state) => {
                if path.starts_with(QUARANTINE) {
                    self.quarantined.insert(path);
                } else if catalog::is_junk(&path) {
                    self.unusable.insert(path, state);
                } else if catalog::is_binary(&path) {
                    self.binaries.insert(path, state);
                }
            }
            Line::Index(state, words) => (self.index, self.index_words) = (state, words),
            Line::Entry(path, size, digests) => {
                let entries = self.entries.entry(path).or_default();
                entries.push(Entry { size, digests });
            }
            Line::Packed(differs) => self.packed_differs = differs,
            Line::Record(key, path, size, sha256) => {
                let records = self.records.entry(path).or_default();
                records.push(Said { key, size, sha256 });
            }
            Line::Shared(key, text) => drop(self.shared.insert(key, text)),
            Line::Unreadable(name, is_others) => drop(self.unreadable.insert(name, is_others)),
            Line::Note(key, path, size, sha256) => {
                let notes = self.notes.entry(path).or_default();
                notes.push(Said { key, size, sha256 });
            }
            Line::Signing(path) => drop(self.signing.insert(path)),
            Line::End => {}
        }
    }

    /// The keys that have a binary which is there, and none of these.
    pub(super) fn served(&self, useless: &BTreeSet<String>) -> BTreeSet<&HexDigest> {
        let is_good = |path: &String| self.binaries.contains_key(path) && !useless.contains(path);
        let good = self.records.iter().filter(|(path, _)| is_good(path));
        good.flat_map(|(_, said)| said.iter().map(|said| &said.key))
            .collect()
    }

    /// The binaries of which every entry of the index says another size than they have.
    pub(super) fn other_sizes(&self) -> impl Iterator<Item = &String> {
        let others = self.entries.iter().filter(|(path, entries)| {
            let size = self.binaries.get(*path).map(|state| state.0);
            let is_other = |entry: &Entry| entry.size.is_some() && entry.size != size;
            size.is_some() && entries.iter().all(is_other)
        });
        others.map(|(path, _)| path)
    }
}
