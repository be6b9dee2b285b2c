//! What is wrong with a store, of what lies in it and what was found in its files.

use std::collections::BTreeSet;

use gentoo_updater_portage::build_key::HexDigest;

use super::finding::Finding;
use super::inventory::{Digests, Entry, IndexState, Inventory, Said};
use super::measure::{Measured, Measures};
use crate::store::collect::{JUST_COME, UNFINISHED};

/// What follows.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    /// What is wrong, or has to be known, in order.
    pub(super) findings: Vec<Finding>,
    /// Binaries of which nothing can be said before they are read, or read again and asked whether
    /// they are whole.
    pub(super) open: BTreeSet<String>,
}

/// Judges a store at this time, in seconds since 1970.
pub(super) fn judge(inventory: &Inventory, measures: &Measures, now: u64) -> Judgement {
    let mut judgement = Judgement::default();
    judgement.binaries(inventory, measures, now);
    let findings = &mut judgement.findings;
    if inventory.index != IndexState::Whole
        && !(inventory.index == IndexState::Absent && inventory.binaries.is_empty())
    {
        findings.push(Finding::IndexUnusable {
            wrong: inventory.index_words.clone(),
        });
    }
    if inventory.packed_differs {
        findings.push(Finding::PackedIndexOutdated);
    }
    let missing = inventory.entries.keys();
    let missing = missing.filter(|path| !inventory.binaries.contains_key(*path));
    findings.extend(missing.map(|path| Finding::FileMissing { path: path.clone() }));
    for (path, records) in &inventory.records {
        if !inventory.binaries.contains_key(path) {
            findings.extend(records.iter().map(|said| Finding::RecordWithoutBinary {
                record: said.key.clone(),
                path: path.clone(),
            }));
        } else if records.len() > 1 {
            findings.push(Finding::RecordsShareBinary {
                path: path.clone(),
                records: records.iter().map(|said| said.key.clone()).collect(),
            });
        }
    }
    for (record, of_other_version) in &inventory.unreadable {
        findings.push(Finding::RecordUnreadable {
            record: record.clone(),
            of_other_version: *of_other_version,
        });
    }
    let unusable = inventory.unusable.iter();
    let unusable = unusable.filter(|(_, state)| is_older(state.modified(), UNFINISHED, now));
    findings.extend(unusable.map(|(path, _)| Finding::Unusable { path: path.clone() }));
    let quarantined = inventory.quarantined.iter().cloned();
    findings.extend(quarantined.map(|path| Finding::Quarantined { path }));
    findings.sort();
    judgement
}

fn is_older(modified: u64, seconds: u64, now: u64) -> bool {
    now.saturating_sub(modified) >= seconds
}

impl Judgement {
    fn binaries(&mut self, inventory: &Inventory, measures: &Measures, now: u64) {
        // One of another version may be the record of any of them.
        let is_sure = !inventory.unreadable.values().any(|of_others| *of_others);
        let (mut noted, mut useless) = (Vec::new(), BTreeSet::new());
        for (path, state) in &inventory.binaries {
            // Its file, its entry and its record are changed one after the other.
            if inventory.signing.contains(path) {
                let path = path.clone();
                self.findings.push(Finding::SigningUnfinished { path });
                continue;
            }
            let binary = Binary::of(inventory, path);
            let path = || path.clone();
            let (digests, is_whole) = match measures.get(path().as_str()) {
                Some(Measured::Read {
                    state: read,
                    digests,
                    is_whole,
                }) if read == state => (digests, *is_whole),
                // Read again: what kept it from being read may have passed.
                Some(Measured::Unreadable(cause)) => {
                    self.open.insert(path());
                    self.findings.push(Finding::CannotBeRead {
                        path: path(),
                        cause: cause.clone(),
                    });
                    continue;
                }
                _ => {
                    self.open.insert(path());
                    continue;
                }
            };
            let file = File {
                size: state.0,
                digests,
                is_whole,
            };
            let finding = match binary.verdict(&file) {
                Verdict::Good => None,
                Verdict::Spoiled { is_ours, wrong } => Some(Finding::Spoiled {
                    path: path(),
                    is_ours,
                    wrong,
                }),
                Verdict::Replaced => Some(Finding::Replaced {
                    path: path(),
                    records: binary.keys(),
                }),
                Verdict::IndexOutdated => Some(Finding::IndexOutdated { path: path() }),
                // Where there is no index that alone is told.
                Verdict::NotIndexed if inventory.index != IndexState::Whole => None,
                Verdict::NotIndexed => Some(Finding::NotIndexed { path: path() }),
                Verdict::Open => {
                    self.open.insert(path());
                    None
                }
            };
            if let Some(Finding::Spoiled { path, .. } | Finding::Replaced { path, .. }) = &finding {
                useless.insert(path.clone());
            }
            self.findings.extend(finding);
            // One that has just come may be what a builder is about to record.
            if let Some(note) = binary.note_of(&file)
                && is_sure
                && is_older(state.modified(), JUST_COME, now)
            {
                noted.push((path(), note.key.clone()));
            }
        }
        let served = inventory.served(&useless);
        for (path, key) in noted {
            self.findings.push(match served.contains(&key) {
                true => Finding::Duplicate { path, key },
                false => Finding::Orphan { path, key },
            });
        }
    }
}

/// What is said of a binary.
struct Binary<'a> {
    entries: &'a [Entry],
    records: &'a [Said],
    notes: &'a [Said],
}

/// What was found in its file.
struct File<'a> {
    size: u64,
    digests: &'a Digests,
    is_whole: Option<bool>,
}

enum Verdict {
    Good,
    Spoiled {
        is_ours: bool,
        wrong: String,
    },
    /// Somebody else has put a whole one in its place.
    Replaced,
    IndexOutdated,
    NotIndexed,
    /// It must be asked whether it is whole.
    Open,
}

impl<'a> Binary<'a> {
    fn of(inventory: &'a Inventory, path: &str) -> Self {
        let slice = |found: Option<&'a Vec<Said>>| found.map_or(&[][..], Vec::as_slice);
        Self {
            entries: inventory.entries.get(path).map_or(&[][..], Vec::as_slice),
            records: slice(inventory.records.get(path)),
            notes: slice(inventory.notes.get(path)),
        }
    }

    fn is_ours(&self) -> bool {
        !self.records.is_empty()
    }

    /// The keys of its records.
    fn keys(&self) -> Vec<HexDigest> {
        self.records.iter().map(|said| said.key.clone()).collect()
    }

    /// The note of its builder, where it is still what its builder put there, and no record names it.
    fn note_of(&self, file: &File<'_>) -> Option<&'a Said> {
        let notes = self.notes.iter();
        let mut notes =
            notes.filter(|note| self.records.is_empty() && file.differs(note).is_none());
        notes.next()
    }

    fn verdict(&self, file: &File<'_>) -> Verdict {
        let wrong = self.records.iter().filter_map(|said| file.differs(said));
        let wrong: Vec<&str> = wrong.collect();
        let by_index = self
            .entries
            .iter()
            .find_map(|entry| file.differs_from(entry));
        // Of several records one can be the right one.
        if !self.records.is_empty() && wrong.len() == self.records.len() {
            return match (by_index, file.is_whole) {
                (None, None) => Verdict::Open,
                // Where damage leaves a binary whole, in what tar fills up, the index knows better.
                (None, Some(true)) => Verdict::Replaced,
                _ => Verdict::Spoiled {
                    is_ours: true,
                    wrong: format!("its {} is not what its record says", wrong[0]),
                },
            };
        }
        let is_good = self.is_ours() || self.note_of(file).is_some();
        match (by_index, file.is_whole) {
            (None, _) if !self.entries.is_empty() => Verdict::Good,
            (None, _) if is_good => Verdict::NotIndexed,
            (Some(_), _) if is_good => Verdict::IndexOutdated,
            (_, None) => Verdict::Open,
            (None, Some(true)) => Verdict::NotIndexed,
            // It was replaced by whoever put it there.
            (Some(_), Some(true)) => Verdict::IndexOutdated,
            (by_index, Some(false)) => Verdict::Spoiled {
                is_ours: false,
                wrong: match by_index {
                    Some(what) => format!("its {what} is not what the index says"),
                    None => "it is no whole binary package".to_owned(),
                },
            },
        }
    }
}

impl File<'_> {
    fn differs(&self, said: &Said) -> Option<&'static str> {
        let sha256 = self.digests.get("sha256").map(String::as_str);
        if said.size != self.size {
            Some("size")
        } else if sha256 != Some(said.sha256.as_str()) {
            Some("content")
        } else {
            None
        }
    }

    fn differs_from(&self, entry: &Entry) -> Option<&'static str> {
        let is_said = |(name, digest): (&String, &String)| {
            self.digests
                .get(name)
                .is_some_and(|own| own.eq_ignore_ascii_case(digest))
        };
        // An entry that names neither says nothing that could be compared.
        if entry.size.is_none_or(|size| size != self.size) {
            Some("size")
        } else if entry.digests.is_empty() || !entry.digests.iter().all(is_said) {
            Some("content")
        } else {
            None
        }
    }
}

/// Which of several records of one binary is the right one, if that can be told: it alone is filed
/// under its own key, and says of the file what is so.
pub(super) fn right_record<'a>(
    inventory: &'a Inventory,
    measures: &Measures,
    path: &str,
) -> Option<&'a HexDigest> {
    let binary = Binary::of(inventory, path);
    let Some(Measured::Read { state, digests, .. }) = measures.get(path) else {
        return None;
    };
    let file = File {
        size: state.0,
        digests,
        is_whole: None,
    };
    let is_own = |said: &&Said| {
        let text = inventory.shared.get(&said.key);
        let record = text.and_then(|text| {
            serde_json::from_str::<gentoo_updater_runtime::store::Record>(text).ok()
        });
        let own = record.map(|record| record.key.digest());
        own.is_some_and(|own| own.as_str() == said.key.as_str()) && file.differs(said).is_none()
    };
    let mut own = binary.records.iter().filter(is_own);
    let first = own.next()?;
    own.next().is_none().then_some(&first.key)
}
