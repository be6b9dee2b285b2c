//! One tree: the revision of each ebuild repository that a run goes by, and who has another one.
//!
//! A revision is a commit or the time stamp of a mirror. It explains what differs; it decides
//! nothing: no builder compiles another ebuild than the guests planned, which the digest in the
//! build key tells, whatever the revisions are.

use std::collections::BTreeMap;

use gentoo_updater_portage::name::RepositoryName;

use crate::message::{Finding, FindingKind, RepositoryRevision};
use crate::name::GuestName;
use crate::state::Run;

/// The revision of each repository that the run goes by: what most of the builders have that were
/// synced for it, or, where none was, what most of its guests have. Of equally many it is that of
/// the machine whose name comes first.
pub fn revisions(run: &Run) -> BTreeMap<RepositoryName, String> {
    let of_builders = most(run.synced.values());
    let guests = run.guests.values().filter_map(|guest| guest.scan.as_ref());
    let mut revisions = most(guests.map(|scan| &scan.identity.repositories));
    revisions.extend(of_builders);
    revisions
}

fn most<'a>(
    machines: impl Iterator<Item = &'a Vec<RepositoryRevision>>,
) -> BTreeMap<RepositoryName, String> {
    let mut seen: BTreeMap<&RepositoryName, Vec<(&String, usize)>> = BTreeMap::new();
    for repository in machines.flatten() {
        let Some(revision) = &repository.revision else {
            continue;
        };
        let counts = seen.entry(&repository.name).or_default();
        match counts.iter_mut().find(|(known, _)| *known == revision) {
            Some((_, count)) => *count += 1,
            None => counts.push((revision, 1)),
        }
    }
    seen.into_iter()
        .filter_map(|(name, counts)| {
            // Of several maxima, `max_by_key` gives the last one.
            let (revision, _) = counts.into_iter().rev().max_by_key(|(_, count)| *count)?;
            Some((name.clone(), revision.clone()))
        })
        .collect()
}

/// What a guest has at another revision than the run, in words.
pub fn differences(run: &Run, guest: &GuestName) -> Vec<Finding> {
    let scan = run.guests.get(guest).and_then(|guest| guest.scan.as_ref());
    let Some(scan) = scan else {
        return Vec::new();
    };
    let revisions = revisions(run);
    let repositories = scan.identity.repositories.iter();
    repositories
        .filter_map(|own| difference("the guest", own, revisions.get(&own.name)?))
        .collect()
}

/// That a machine has a repository at another revision than `revision`, if it has. Where nobody knows its
/// revision, nothing can be said.
pub fn difference(whose: &str, own: &RepositoryRevision, revision: &str) -> Option<Finding> {
    let is_other = own.revision.as_deref().is_some_and(|own| own != revision);
    is_other.then(|| {
        let text = format!(
            "{whose} has the ebuild repository {own}, and the run goes by {revision}: only what is \
             equal in both is built; sync them to one state"
        );
        Finding::new(FindingKind::RepositoryDiffers, &text).about(own.name.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(revisions: &[(&str, Option<&str>)]) -> Vec<RepositoryRevision> {
        let of = |(name, revision): &(&str, Option<&str>)| RepositoryRevision {
            name: name.parse().unwrap(),
            location: format!("/var/db/repos/{name}"),
            revision: revision.map(str::to_owned),
        };
        revisions.iter().map(of).collect()
    }

    fn voted(machines: &[Vec<RepositoryRevision>]) -> Vec<(String, String)> {
        let revisions = most(machines.iter()).into_iter();
        revisions
            .map(|(name, revision)| (name.to_string(), revision))
            .collect()
    }

    #[test]
    fn what_most_have_is_what_the_run_goes_by_and_of_equally_many_the_first() {
        let (a, b) = (Some("a"), Some("b"));
        let pair = |text: &str| {
            let (name, revision) = text.split_once(' ').unwrap();
            (name.to_owned(), revision.to_owned())
        };
        let most = [
            has(&[("gentoo", a)]),
            has(&[("gentoo", b)]),
            has(&[("gentoo", b)]),
        ];
        assert_eq!(voted(&most), [pair("gentoo b")]);
        assert_eq!(voted(&most[..2]), [pair("gentoo a")]);
        let unknown = [
            has(&[("gentoo", None), ("local", a)]),
            has(&[("gentoo", b)]),
        ];
        assert_eq!(voted(&unknown), [pair("gentoo b"), pair("local a")]);
        assert_eq!(voted(&[]), []);
    }

    #[test]
    fn another_revision_is_named_with_both_and_an_unknown_one_is_no_difference() {
        let [own] = has(&[("gentoo", Some("2026-01-02"))]).try_into().unwrap();
        assert_eq!(difference("g1", &own, "2026-01-02"), None);
        let found = difference("g1", &own, "2026-01-05").unwrap();
        assert!(found.text.contains("2026-01-02") && found.text.contains("2026-01-05"));
        assert_eq!(found.subject.as_deref(), Some("gentoo"));
        let [unknown] = has(&[("gentoo", None)]).try_into().unwrap();
        assert_eq!(difference("g1", &unknown, "2026-01-05"), None);
    }
}
