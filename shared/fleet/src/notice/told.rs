//! What was told.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DEAD_LETTERS, Notice, Occasion, Subject, is_silent, key_of, of_run, others};
use crate::name::RunId;
use crate::state::Fleet;

/// What was told to one recipient. It does not grow with the history: the state does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The keys of the notices that were told.
    keys: BTreeSet<String>,
    /// The keys of those that are being told, and when each was found.
    found: BTreeMap<String, Timestamp>,
    /// How many dead letters are known to whom it is told.
    dead_letters: u64,
}

impl Told {
    /// All that could be told now, as told: nothing is said of what was before somebody listened.
    pub fn all_of(fleet: &Fleet, dead_letters: u64) -> Self {
        let known = fleet.runs.keys().filter_map(|run| of_run(fleet, *run));
        let others = others(fleet).map(|notice| notice.key);
        let mut told = Self {
            keys: known.map(|notice| notice.key).chain(others).collect(),
            found: BTreeMap::new(),
            dead_letters,
        };
        told.keys
            .extend(told.forgotten(fleet).into_iter().map(key_of));
        told.forget(fleet);
        told
    }

    /// What is to be told, and is in the state.
    pub fn due(&self, fleet: &Fleet, dead_letters: u64) -> Vec<Notice> {
        let untold = |key: &String| !self.keys.contains(key);
        let runs = fleet.runs.keys().filter(|run| untold(&key_of(**run)));
        let runs = runs.filter_map(|run| of_run(fleet, *run));
        let others = others(fleet).filter(|notice| untold(&notice.key));
        let letters = (dead_letters > self.dead_letters).then(|| Notice {
            key: DEAD_LETTERS.to_owned(),
            occasion: Occasion::NeedsAttention,
            subject: Subject::DeadLetters(dead_letters),
        });
        runs.chain(others).chain(letters).collect()
    }

    /// The runs that are over, were not told, and that the state has forgotten: the history tells of them.
    pub fn forgotten(&self, fleet: &Fleet) -> Vec<RunId> {
        let forgotten = fleet
            .over
            .iter()
            .filter(|run| !fleet.runs.contains_key(run));
        let untold = forgotten.filter(|run| !self.keys.contains(&key_of(**run)));
        untold.copied().collect()
    }

    /// When a notice was found: now, unless it was before. To be kept before it is told, so that it is the same
    /// in every try.
    pub fn find(&mut self, notice: &Notice, now: Timestamp) -> Timestamp {
        *self.found.entry(notice.key.clone()).or_insert(now)
    }

    /// Notes that a notice was told, or is not to be.
    pub fn tell(&mut self, notice: &Notice) {
        self.found.remove(&notice.key);
        match &notice.subject {
            Subject::DeadLetters(number) => self.dead_letters = *number,
            _ => {
                self.keys.insert(notice.key.clone());
            }
        }
    }

    /// Notes that nothing is told of a run.
    pub fn pass_over(&mut self, run: RunId) {
        self.keys.insert(key_of(run));
    }

    /// Notes that there are so few dead letters, so that further ones are told.
    pub fn lower(&mut self, dead_letters: u64) {
        self.dead_letters = self.dead_letters.min(dead_letters);
    }

    /// Forgets what is not so any more, so that it is told when it is so again, and so that this does not grow.
    pub fn forget(&mut self, fleet: &Fleet) {
        let over = fleet.over.iter().copied();
        let runs = fleet.runs.keys().copied().chain(over).map(key_of);
        let current: BTreeSet<String> = runs.chain(others(fleet).map(|it| it.key)).collect();
        self.keys.retain(|key| current.contains(key));
        // Of these the history need not be asked when the state has forgotten them.
        let silent = fleet.runs.values().filter(|run| is_silent(run));
        self.keys.extend(silent.map(|run| key_of(run.id)));
        self.found
            .retain(|key, _| current.contains(key) || key == DEAD_LETTERS);
    }
}
