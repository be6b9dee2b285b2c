//! What mends a store.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_portage::build_key::HexDigest;
use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::inventory::{FileState, IndexState, Inventory};
use super::judge::right_record;
use super::measure::{Measured, Measures, SHA256};

/// What `repair.py` is told to do; it says what each means.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Plan {
    state: IndexState,
    forget: BTreeSet<String>,
    remove: Vec<(String, FileState, String, Vec<HexDigest>)>,
    quarantine: Vec<(String, FileState, String)>,
    restore: Vec<(String, FileState, HexDigest)>,
    records: Vec<(String, Option<String>)>,
    stays: Vec<(String, FileState)>,
    unusable: Vec<(String, FileState)>,
    fix: Vec<String>,
    expected: BTreeSet<String>,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repaired {
    /// How many spoiled binaries were removed.
    pub removed: u64,
    /// Where the spoiled binaries of others lie now.
    pub quarantined: Vec<String>,
    /// How many records were written anew.
    pub restored: u64,
    /// How many records were removed.
    pub records: u64,
    /// How many other files were removed.
    pub files: u64,
    /// What was left as it is, and why.
    pub left: Vec<(String, String)>,
}

impl Plan {
    /// What mends what was found. `fix` is the command that brings the index up to date. `None` where
    /// nothing can be mended.
    pub(super) fn of(
        findings: &[Finding],
        inventory: &Inventory,
        measures: &Measures,
        fix: Vec<String>,
    ) -> Option<Self> {
        let mut plan = Self {
            state: inventory.index,
            ..Self::default()
        };
        let mut index_changes = false;
        let mut orphans: BTreeMap<&HexDigest, Vec<(FileState, &String)>> = BTreeMap::new();
        for finding in findings {
            match finding {
                Finding::Spoiled { path, is_ours, .. } => {
                    let Some((state, sha256)) = read(inventory, measures, path) else {
                        continue;
                    };
                    plan.forget.insert(path.clone());
                    if *is_ours {
                        let records = inventory.records.get(path).into_iter().flatten();
                        let keys = records.map(|said| said.key.clone()).collect();
                        plan.remove.push((path.clone(), state, sha256, keys));
                    } else {
                        plan.quarantine.push((path.clone(), state, sha256));
                    }
                }
                // Portage keeps an entry that fits the file's size and time.
                Finding::IndexOutdated { path } | Finding::FileMissing { path } => {
                    plan.forget.insert(path.clone());
                    index_changes = true;
                }
                Finding::NotIndexed { .. }
                | Finding::IndexUnusable { .. }
                | Finding::PackedIndexOutdated => index_changes = true,
                Finding::RecordWithoutBinary { record, path } => {
                    plan.records
                        .push((format!("{record}.json"), Some(path.clone())));
                }
                Finding::RecordUnreadable {
                    record,
                    of_other_version: false,
                } => plan.records.push((record.clone(), None)),
                Finding::RecordsShareBinary { path, records } => {
                    let right = right_record(inventory, measures, path);
                    let wrong = records.iter().filter(|record| Some(*record) != right);
                    let wrong = wrong.map(|record| (format!("{record}.json"), Some(path.clone())));
                    plan.records.extend(wrong);
                    plan.stays(inventory, path);
                }
                Finding::Replaced { path, records } => {
                    let records = records.iter();
                    let records = records.map(|key| (format!("{key}.json"), Some(path.clone())));
                    plan.records.extend(records);
                    plan.stays(inventory, path);
                }
                Finding::Unusable { path } => {
                    let state = inventory.unusable.get(path);
                    plan.unusable
                        .extend(state.map(|state| (path.clone(), *state)));
                }
                Finding::Orphan { path, key } => {
                    let state = inventory.binaries.get(path);
                    let of_key = orphans.entry(key).or_default();
                    of_key.extend(state.map(|state| (*state, path)));
                }
                Finding::CannotBeRead { .. }
                | Finding::RecordUnreadable { .. }
                | Finding::SigningUnfinished { .. }
                | Finding::Duplicate { .. }
                | Finding::Quarantined { .. } => {}
            }
        }
        for (key, of_key) in orphans {
            // The others of this key are its duplicates from then on.
            let newest = of_key.into_iter().max_by_key(|(state, _)| state.1);
            let newest = newest.map(|(state, path)| (path.clone(), state, key.clone()));
            plan.restore.extend(newest);
        }
        if plan
            == (Self {
                state: plan.state,
                ..Self::default()
            })
            && !index_changes
        {
            return None;
        }
        if index_changes || !plan.forget.is_empty() {
            plan.fix = fix;
            let goes = |path: &String| {
                let removed = plan.remove.iter().any(|(gone, ..)| gone == path);
                removed || plan.quarantine.iter().any(|(gone, ..)| gone == path)
            };
            let stays = inventory.binaries.keys().filter(|path| !goes(path));
            plan.expected = stays.cloned().collect();
        }
        Some(plan)
    }

    /// Records of this binary go, and it stays.
    fn stays(&mut self, inventory: &Inventory, path: &str) {
        let state = inventory.binaries.get(path);
        let state = state.map(|state| (path.to_owned(), *state));
        self.stays.extend(state);
    }
}

/// What a binary was when it was read last, and the digest of that.
fn read(inventory: &Inventory, measures: &Measures, path: &str) -> Option<(FileState, String)> {
    let there = inventory.binaries.get(path)?;
    match measures.get(path)? {
        Measured::Read { state, digests, .. } if state == there => {
            Some((*state, digests.get(SHA256)?.clone()))
        }
        _ => None,
    }
}
