//! Which states lie between what a guest had before an update and what the update brought, and which of
//! them is looked at next. Pure.
//!
//! A state is a beginning of an order: that many packages are as the update brought them, and all others
//! as they were. What needs something comes behind it. What only goes together, a library with a new
//! subslot and all that was built with it, or a program that does not go with the next version of
//! another one, is in a state as a whole or not at all (`together.rs`).

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_portage::cpv::Cpv;

use super::target::{Kept, Wanted, slot};
use super::together::groups;

/// The states between before and after, by how many packages are as the update brought them.
pub(crate) struct Halves<'a> {
    kept: &'a Kept,
    /// What the update brought and is known, each behind what it needs.
    ordered: Vec<&'a Cpv>,
    /// The numbers of packages that make a state, from none to all.
    cuts: Vec<usize>,
    /// The place in `cuts` of the largest state that is known to be well, and of the smallest that is not.
    well: usize,
    broken: usize,
}

impl<'a> Halves<'a> {
    /// Of an update before which all was well, and after which it was not.
    pub(crate) fn of(kept: &'a Kept) -> Self {
        let known = kept.ordered.iter();
        let ordered: Vec<&Cpv> = known.filter(|cpv| kept.after.contains_key(*cpv)).collect();
        let mut cuts = vec![0];
        let mut in_groups = Vec::new();
        for group in groups(kept, &ordered) {
            in_groups.extend(group);
            cuts.push(in_groups.len());
        }
        let ordered = in_groups;
        Self {
            kept,
            broken: cuts.len().saturating_sub(1),
            well: 0,
            ordered,
            cuts,
        }
    }

    /// How many packages the update brought.
    pub(crate) fn packages(&self) -> usize {
        self.ordered.len()
    }

    /// The place of the state with all of the update.
    pub(crate) fn last(&self) -> usize {
        self.cuts.len().saturating_sub(1)
    }

    /// The place of the state that halves what is left; none when one state is well and the very next one
    /// is not.
    pub(crate) fn next(&self) -> Option<usize> {
        let middle = self.well.midpoint(self.broken);
        (middle > self.well).then_some(middle)
    }

    /// What came of the look at a state.
    pub(crate) fn note(&mut self, place: usize, is_well: bool) {
        if is_well {
            self.well = self.well.max(place);
        } else {
            self.broken = self.broken.min(place);
        }
    }

    /// What the update brought of a state.
    pub(crate) fn updated(&self, place: usize) -> Vec<Cpv> {
        let number = self.cuts.get(place).copied().unwrap_or_default();
        self.ordered.iter().copied().take(number).cloned().collect()
    }

    /// What is between the largest state that is well and the smallest that is not.
    pub(crate) fn suspects(&self) -> Vec<Cpv> {
        let well = self.updated(self.well);
        let mut broken = self.updated(self.broken);
        broken.drain(..well.len());
        broken
    }

    /// What is installed in a state.
    pub(crate) fn wanted(&self, place: usize) -> Wanted {
        let updated: BTreeSet<Cpv> = self.updated(place).into_iter().collect();
        let kept = self.kept;
        let filled: BTreeSet<_> = updated
            .iter()
            .filter_map(|cpv| slot(&kept.needs_after, cpv))
            .collect();
        let is_replaced =
            |cpv: &Cpv| slot(&kept.needs_before, cpv).is_some_and(|slot| filled.contains(&slot));
        let (replaced, left): (Vec<_>, Vec<_>) =
            kept.before.iter().partition(|(cpv, _)| is_replaced(cpv));
        let new = kept.after.iter().filter(|(cpv, _)| updated.contains(*cpv));
        let installed: BTreeMap<_, _> = left
            .into_iter()
            .chain(new)
            .map(|(cpv, build)| (cpv.clone(), *build))
            .collect();
        let replaced = replaced.into_iter().map(|(cpv, _)| cpv);
        let absent = kept.brought.iter().chain(replaced);
        let absent = absent.filter(|cpv| !installed.contains_key(*cpv));
        Wanted {
            absent: absent.cloned().collect(),
            installed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cpv, update};
    use super::*;

    fn plain(number: usize) -> Kept {
        let names: Vec<String> = (0..number).map(|n| format!("a/p{n:02}")).collect();
        let packages: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), "0", "0", "", ""))
            .collect();
        update(&packages)
    }

    #[test]
    fn whichever_of_many_is_to_blame_is_found_by_halves() {
        for number in 1..=40_usize {
            let kept = plain(number);
            let most = usize::BITS - (number - 1).leading_zeros();
            for bad in 0..number {
                let mut halves = Halves::of(&kept);
                let mut steps = 0;
                while let Some(place) = halves.next() {
                    let is_well = !halves.updated(place).contains(&kept.ordered[bad]);
                    halves.note(place, is_well);
                    steps += 1;
                }
                assert_eq!(halves.suspects(), [kept.ordered[bad].clone()]);
                assert!(steps <= most, "{steps} steps for {number}");
            }
        }
    }

    #[test]
    fn a_state_has_of_each_package_the_old_or_the_new_one_and_never_both() {
        let kept = plain(3);
        let halves = Halves::of(&kept);
        let middle = halves.wanted(1);
        let names: Vec<String> = middle.installed.keys().map(Cpv::to_string).collect();
        assert_eq!(names, ["a/p00-2", "a/p01-1", "a/p02-1"]);
        let names: Vec<String> = middle.absent.iter().map(Cpv::to_string).collect();
        assert_eq!(names, ["a/p00-1", "a/p01-2", "a/p02-2"]);
        assert_eq!(halves.wanted(0), Wanted::before(&kept));
    }

    #[test]
    fn a_new_slot_beside_the_old_one_replaces_nothing() {
        let mut kept = update(&[("a/lang", "3.1", "3.1", "", "")]);
        let new = kept.ordered[0].clone();
        kept.needs_after
            .insert(new, (Some("3.2".to_owned()), String::new()));
        let after = Halves::of(&kept).wanted(1);
        let names: Vec<String> = after.installed.keys().map(Cpv::to_string).collect();
        assert_eq!(names, ["a/lang-1", "a/lang-2"]);
        assert!(after.absent.is_empty());
    }

    #[test]
    fn where_two_only_go_together_both_are_suspects() {
        let kept = update(&[
            ("a/lib", "0/1", "0/2", "", ""),
            ("a/tool", "0", "0", "a/lib:0/1=", "a/lib:0/2="),
        ]);
        let halves = Halves::of(&kept);
        assert_eq!(halves.next(), None);
        let names: Vec<String> = halves.suspects().iter().map(Cpv::to_string).collect();
        assert_eq!(names, ["a/lib-2", "a/tool-2"]);
        assert_eq!(cpv("a/lib-2"), halves.suspects()[0]);
    }
}
