//! What is needed, as the test knows it.

use std::collections::{BTreeMap, BTreeSet};

use super::runs::Run;
use super::world::{Binaries, Number, World, numbers};

/// A run with its further rounds.
type Update<'a> = Vec<&'a Run>;

impl World {
    /// The updates, the newest first.
    fn by_update(&self) -> Vec<Update<'_>> {
        let mut updates: BTreeMap<usize, Update<'_>> = BTreeMap::new();
        for run in &self.runs {
            updates.entry(run.first).or_default().push(run);
        }
        updates.into_values().rev().collect()
    }

    /// What a guest had before each of its updates that count, the newest first.
    pub(super) fn former_states(&self, guest: usize) -> Vec<Binaries> {
        let mut updates = self.by_update();
        updates.retain(|update| is_over(update) && has_updated(update, guest));
        let counted = updates.into_iter().take(self.updates);
        let answers = counted.flatten().filter_map(|run| run.answers.get(&guest));
        answers.cloned().collect()
    }

    /// What must not go.
    pub(super) fn needed(&self) -> BTreeSet<Number> {
        let mut needed = BTreeSet::new();
        for (number, guest) in self.guests.iter().enumerate() {
            needed.extend(numbers(&guest.has));
            let former = self.former_states(number);
            needed.extend(former.iter().flat_map(numbers));
        }
        let updates = self.by_update();
        let (over, open): (Vec<_>, Vec<_>) = updates.into_iter().partition(is_over);
        let counted = over.into_iter().filter(has_changed).take(self.updates);
        let runs = counted.chain(open).flatten();
        needed.extend(runs.flat_map(|run| run.products.clone()));
        needed
    }

    /// What may stay without being needed: what runs refer to that came after the oldest that counts, and
    /// what a guest may have that cannot be asked.
    pub(super) fn excused(&self) -> BTreeSet<Number> {
        let mut excused = BTreeSet::new();
        let mut left = self.updates;
        let mut left_of: BTreeMap<usize, usize> = BTreeMap::new();
        for update in self.by_update() {
            if left > 0 || !is_over(&update) {
                excused.extend(update.iter().flat_map(|run| run.products.clone()));
            }
            left -= usize::from(left > 0 && is_over(&update) && has_changed(&update));
            for guest in 0..self.guests.len() {
                let left = left_of.entry(guest).or_insert(self.updates);
                if *left > 0 || !is_over(&update) {
                    let answers = update.iter().filter_map(|run| run.answers.get(&guest));
                    excused.extend(answers.flat_map(numbers));
                }
                let counts = is_over(&update) && has_updated(&update, guest);
                *left -= usize::from(*left > 0 && counts);
            }
        }
        for (number, guest) in self.guests.iter().enumerate() {
            let asked = self
                .runs
                .iter()
                .filter(|run| run.answers.contains_key(&number));
            let last = asked.max_by_key(|run| run.asked).filter(|_| guest.is_off);
            let Some(last) = last else { continue };
            excused.extend(numbers(&last.answers[&number]));
            // Some events of its own beginning came between.
            let since = last.asked - last.guests.len();
            let runs = self.runs.iter();
            let runs = runs.filter(|run| run.ended.is_none_or(|ended| ended >= since));
            excused.extend(runs.flat_map(|run| run.products.clone()));
        }
        excused
    }

    /// What is needed is there.
    pub(super) fn check(&self, after: &str) {
        for number in self.needed() {
            assert!(
                self.store.contains_key(&number),
                "after {after} {number:?} is gone"
            );
        }
    }
}

fn is_over(update: &Update<'_>) -> bool {
    update.iter().all(|run| run.ended.is_some())
}

fn has_changed(update: &Update<'_>) -> bool {
    let changes = |run: &&Run| run.is_update && (run.has_built || !run.updated.is_empty());
    update.iter().any(changes)
}

fn has_updated(update: &Update<'_>, guest: usize) -> bool {
    update.iter().any(|run| run.updated.contains(&guest))
}
