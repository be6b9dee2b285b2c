//! What of an update only goes together, and in which order the rest can go one by one. Pure.
//!
//! A package comes behind what it needs. A package whose present version does not go with the next version
//! of another one comes before that, or with it. Where that goes round in a circle all of it goes at once.

use std::collections::BTreeSet;

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::cpv::Cpv;

use super::target::{Kept, slot};

/// The update in groups that go as a whole, each behind those that it needs; as far as that leaves a
/// choice, in its own order.
pub(super) fn groups<'a>(kept: &Kept, ordered: &[&'a Cpv]) -> Vec<Vec<&'a Cpv>> {
    let edges = edges(kept, ordered);
    let needs: Vec<BTreeSet<usize>> = (0..ordered.len())
        .map(|place| reach(place, &edges))
        .collect();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for place in 0..ordered.len() {
        let is_one = |group: &&mut Vec<usize>| {
            let first = group.first().copied().unwrap_or_default();
            let of =
                |place: usize, other: usize| needs.get(place).is_some_and(|it| it.contains(&other));
            of(first, place) && of(place, first)
        };
        match groups.iter_mut().find(is_one) {
            Some(group) => group.push(place),
            None => groups.push(vec![place]),
        }
    }
    let mut placed = BTreeSet::new();
    let mut sorted = Vec::new();
    while !groups.is_empty() {
        let is_next = |group: &Vec<usize>| {
            let mut all = group.iter().filter_map(|place| needs.get(*place)).flatten();
            all.all(|needed| placed.contains(needed) || group.contains(needed))
        };
        // There is one: a circle of groups would be a group.
        let next = groups.iter().position(is_next).unwrap_or_default();
        let group = groups.remove(next);
        placed.extend(group.iter().copied());
        sorted.push(group);
    }
    let names = |group: Vec<usize>| {
        let names = group.into_iter().filter_map(|place| ordered.get(place));
        names.copied().collect()
    };
    sorted.into_iter().map(names).collect()
}

/// For each place, the places that must not come behind it.
fn edges(kept: &Kept, ordered: &[&Cpv]) -> Vec<BTreeSet<usize>> {
    let mut edges = vec![BTreeSet::new(); ordered.len()];
    for (place, new) in ordered.iter().enumerate() {
        let filled = slot(&kept.needs_after, new);
        let mut before = kept.needs_before.iter();
        let old = before.find(|(old, _)| slot(&kept.needs_before, old) == filled);
        let needs = kept.needs_after.get(*new).map_or("", |(_, needs)| needs);
        for (other, needed) in ordered
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != place)
        {
            if words_on(needs, needed).next().is_some() {
                add(&mut edges, place, other);
            }
            let goes_with = |word: &str| goes_with(word, kept, needed);
            if old.is_some_and(|(_, (_, needs))| !words_on(needs, needed).all(goes_with)) {
                add(&mut edges, other, place);
            }
        }
    }
    edges
}

fn add(edges: &mut [BTreeSet<usize>], place: usize, needed: usize) {
    if let Some(needs) = edges.get_mut(place) {
        needs.insert(needed);
    }
}

/// The words of a dependency that speak of this package, whatever version they want.
fn words_on<'a>(needs: &'a str, cpv: &Cpv) -> impl Iterator<Item = &'a str> {
    let name = cpv.category_package.to_string();
    needs.split_whitespace().filter(move |word| {
        let word = word.trim_start_matches(['!', '<', '>', '=', '~']);
        word.strip_prefix(&name).is_some_and(|rest| {
            let mut rest = rest.chars();
            match rest.next() {
                None | Some(':' | '[') => true,
                Some('-') => rest.next().is_some_and(|next| next.is_ascii_digit()),
                Some(_) => false,
            }
        })
    })
}

/// Whether what was built with this dependency goes with this version of the package.
fn goes_with(word: &str, kept: &Kept, new: &Cpv) -> bool {
    let blocks = word.starts_with('!');
    let word = word.trim_start_matches('!');
    // Which flags it has is another matter.
    let word = word.split_once('[').map_or(word, |(word, _)| word);
    let (atom, bound) = word
        .split_once(':')
        .map_or((word, None), |(atom, slot)| (atom, Some(slot)));
    let fits = |atom: &Atom| atom.matches_version(new);
    let is_meant = atom.parse().map_or(true, |atom| fits(&atom));
    if blocks {
        return !is_meant;
    }
    let slots = kept
        .needs_after
        .get(new)
        .and_then(|(slot, _)| slot.as_deref());
    let is_bound_so = match bound.and_then(|slot| slot.strip_suffix('=')) {
        Some(bound) if bound.contains('/') => slots.is_none_or(|slots| bound == whole(slots)),
        _ => true,
    };
    is_meant && is_bound_so
}

/// Slot and subslot.
fn whole(slot: &str) -> String {
    match slot.contains('/') {
        true => slot.to_owned(),
        false => format!("{slot}/{slot}"),
    }
}

/// All that can be reached from a place.
fn reach(place: usize, edges: &[BTreeSet<usize>]) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut next = vec![place];
    while let Some(place) = next.pop() {
        for needed in edges.get(place).into_iter().flatten() {
            if reached.insert(*needed) {
                next.push(*needed);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::super::testing::update;
    use super::*;

    fn grouped(kept: &Kept) -> Vec<Vec<String>> {
        let ordered: Vec<&Cpv> = kept.ordered.iter().collect();
        let names = |group: Vec<&Cpv>| group.into_iter().map(Cpv::to_string).collect();
        groups(kept, &ordered).into_iter().map(names).collect()
    }

    #[test]
    fn a_library_with_a_new_subslot_goes_with_all_that_were_built_with_it_and_with_nothing_else() {
        let kept = update(&[
            ("a/first", "0", "0", "", ""),
            ("a/lib", "0/1", "0/2", "", ""),
            ("a/between", "0", "0", "a/library:0/1=", "a/library:0/2="),
            (
                "a/tool",
                "0",
                "0",
                "x? ( y ) a/lib:0/1=",
                "x? ( y ) a/lib:0/2=",
            ),
            ("a/last", "0", "0", "a/tool", "a/tool"),
        ]);
        let expected = [
            &["a/first-2"][..],
            &["a/lib-2", "a/tool-2"],
            &["a/between-2"],
            &["a/last-2"],
        ];
        assert_eq!(grouped(&kept), expected);
    }

    #[test]
    fn what_does_not_go_with_the_next_version_of_another_goes_with_it() {
        for (old, new) in [
            ("<a/lib-2", ">=a/lib-2"),
            ("~a/lib-1", "~a/lib-2"),
            ("=a/lib-1*", "=a/lib-2*"),
        ] {
            let kept = update(&[
                ("a/lib", "0", "0", "", ""),
                ("a/other", "0", "0", "", ""),
                ("a/app", "0", "0", old, new),
            ]);
            assert_eq!(
                grouped(&kept),
                [&["a/lib-2", "a/app-2"][..], &["a/other-2"]]
            );
        }
    }

    #[test]
    fn what_is_needed_comes_first_and_what_is_in_the_way_goes_before() {
        let kept = update(&[
            ("a/app", "0", "0", "", "a/lib"),
            ("a/lib", "0", "0", "", ""),
            ("a/blocker", "0", "0", "!>=a/app-2", ""),
        ]);
        let expected = [["a/lib-2"], ["a/blocker-2"], ["a/app-2"]];
        assert_eq!(grouped(&kept), expected);
    }

    #[test]
    fn what_goes_with_both_versions_goes_alone() {
        let kept = update(&[
            ("a/lib", "0/1", "0/1", "", ""),
            ("a/tool", "0", "0", ">=a/lib-1:0/1=", ">=a/lib-1:0/1="),
        ]);
        assert_eq!(grouped(&kept).len(), 2);
    }
}
