//! Whether guests and builders have the same ebuilds, and how old these are.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_portage::name::RepositoryName;

use super::machines::answered;
use super::{Area, Facts, Findings, Kind, Remedy, RepositoryFacts, Subject};
use crate::config::Settings;
use crate::name::PlatformName;

/// From how many days on a tree is old.
const OLD_DAYS: u64 = 30;
const DAY: u64 = 24 * 3600;

pub(super) fn judge(settings: &Settings, facts: &Facts, findings: &mut Findings) {
    let mut known = BTreeSet::new();
    for (subject, examined) in answered(facts) {
        if examined.facts.portage.error.is_some() {
            continue;
        }
        findings.looked_at(Area::Trees, subject);
        // A machine that is builder and guest has one tree.
        if let Some(address) = subject.address(settings)
            && !known.insert(address)
        {
            continue;
        }
        for repository in &examined.facts.portage.repositories {
            alone(subject, repository, findings);
        }
    }
    for platform in settings.platforms.keys() {
        compare(settings, facts, platform, findings);
    }
}

/// What is the matter with one repository, whatever others have.
fn alone(subject: &Subject, repository: &RepositoryFacts, findings: &mut Findings) {
    let name = &repository.name;
    let place = repository.location.as_deref().unwrap_or("no folder");
    if !repository.exists {
        findings.add(
            Kind::RepositoryMissing,
            subject,
            format!("the ebuild repository {name} is not in {place}"),
            sync("mount it there, or fetch it", name),
        );
        return;
    }
    if let Some(what) = &repository.unfinished {
        findings.add(
            Kind::SyncUnfinished,
            subject,
            format!("the last sync of {name} left {what}"),
            sync(
                "sync it anew there, unless that goes on at this moment",
                name,
            ),
        );
    }
    let days = repository.synced_seconds_ago.map(|seconds| seconds / DAY);
    if let Some(days) = days.filter(|days| *days >= OLD_DAYS) {
        findings.add(
            Kind::RepositoryOld,
            subject,
            format!("{name} was last synced {days} days ago"),
            Remedy::new("have every run sync (policy.sync = true), or this one")
                .by("gentoo-updater run --sync"),
        );
    }
}

/// How to sync a repository. What a machine calls it becomes a part of the command only as a name.
fn sync(words: &str, name: &str) -> Remedy {
    let remedy = Remedy::new(words);
    match name.parse::<RepositoryName>() {
        Ok(name) => remedy.by(format!("emaint sync --repo {name}")),
        Err(_) => remedy,
    }
}

type Revisions<'a> = BTreeMap<&'a str, (&'a Subject, &'a RepositoryFacts)>;

/// What the machines of a platform have otherwise than the first of its builders.
fn compare(settings: &Settings, facts: &Facts, platform: &PlatformName, findings: &mut Findings) {
    let of_platform = |subject: &Subject| subject.platform(settings) == Some(platform);
    let machines: Vec<_> = answered(facts)
        .filter(|(subject, examined)| {
            of_platform(subject) && examined.facts.portage.error.is_none()
        })
        .collect();
    let mut builders = Revisions::new();
    for (subject, examined) in &machines {
        if matches!(subject, Subject::Builder(_)) {
            for repository in &examined.facts.portage.repositories {
                let known = builders.entry(&repository.name);
                known.or_insert((*subject, repository));
            }
        }
    }
    if builders.is_empty() {
        return;
    }
    for (subject, examined) in machines {
        for own in &examined.facts.portage.repositories {
            match builders.get(own.name.as_str()) {
                Some((builder, standard)) => {
                    differs(settings, subject, own, builder, standard, findings);
                }
                None if own.exists => findings.add(
                    Kind::RepositoryUnknown,
                    subject,
                    format!(
                        "no builder of platform {platform} has its ebuild repository {}",
                        own.name
                    ),
                    Remedy::new("add it to repos.conf of a builder, and sync it there"),
                ),
                None => {}
            }
        }
    }
}

fn differs(
    settings: &Settings,
    subject: &Subject,
    own: &RepositoryFacts,
    builder: &Subject,
    standard: &RepositoryFacts,
    findings: &mut Findings,
) {
    // What nobody knows the revision of is compared by the digest of each ebuild when it is built.
    let (Some(mine), Some(theirs)) = (&own.revision, &standard.revision) else {
        return;
    };
    if mine != theirs && subject.address(settings) != builder.address(settings) {
        findings.add(
            Kind::RepositoryDiffers,
            subject,
            format!("it has {} at {mine}, and {builder} at {theirs}", own.name),
            Remedy::new("bring both to one state: sync them, or have runs do it")
                .by("gentoo-updater run --sync"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{builder, found, found_with, guest, of, settings, well};
    use super::*;

    fn with(change: impl FnOnce(&mut RepositoryFacts)) -> Vec<String> {
        found_with(&guest("g1"), |it| {
            change(&mut it.facts.portage.repositories[0])
        })
    }

    #[test]
    fn a_tree_that_is_missing_stale_old_or_half_synced_is_told() {
        let says = |kind: &str| [format!("guest g1: {kind}")];
        let missing = with(|it| {
            it.exists = false;
            it.revision = None;
        });
        assert_eq!(missing, says("repository_missing"));
        let other = with(|it| it.revision = Some("def".to_owned()));
        assert_eq!(other, says("repository_differs"));
        let old = with(|it| it.synced_seconds_ago = Some(30 * DAY));
        assert_eq!(old, says("repository_old"));
        assert!(with(|it| it.synced_seconds_ago = Some(30 * DAY - 1)).is_empty());
        let half = with(|it| it.unfinished = Some(".git/index.lock".to_owned()));
        assert_eq!(half, says("sync_unfinished"));
        assert!(
            with(|it| it.revision = None).is_empty(),
            "nothing can be said"
        );
    }

    #[test]
    fn a_repository_that_no_builder_has_is_told() {
        let told = found_with(&guest("g2"), |it| {
            let mut own = it.facts.portage.repositories[0].clone();
            own.name = "local".to_owned();
            it.facts.portage.repositories.push(own);
        });
        assert_eq!(told, ["guest g2: repository_unknown"]);
    }

    #[test]
    fn where_the_builder_is_behind_every_guest_is_told_of_it() {
        let mut facts = well();
        let own = &mut of(&mut facts, &builder("b1")).facts.portage.repositories[0];
        own.revision = Some("old".to_owned());
        let told = [
            "guest g1: repository_differs",
            "guest g2: repository_differs",
        ];
        assert_eq!(found(&settings(), &facts), told);
    }
}
