//! What the tests of judgements share: a fleet, and machines that are well.

use std::collections::BTreeMap;

use super::{
    Area, BuilderFacts, Diagnosis, Examined, Facts, Findings, IndexFacts, MachineFacts,
    PortageFacts, RepositoryFacts, SpaceFacts, StoreFacts, Subject, diagnose,
};
use crate::config::{Settings, load};
use crate::needs::Capacity;

/// Guests g1 and g2 and a builder, with these tables in addition.
pub(super) fn settings_of(tables: &str) -> Settings {
    let machines = "[builders.b1]\naddress = \"ssh://b1\"\n[guests.g1]\naddress = \"ssh://g1\"\n\
                    [guests.g2]\naddress = \"ssh://g2\"\n";
    settings_from(&format!("{machines}{tables}"))
}

/// What this file says.
pub(super) fn settings_from(text: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.toml");
    std::fs::write(&path, text).unwrap();
    load(&path).unwrap()
}

pub(super) fn settings() -> Settings {
    settings_of("")
}

pub(super) fn codes(findings: &Findings) -> Vec<&'static str> {
    let findings = findings.findings.iter();
    findings.map(|finding| finding.kind.code()).collect()
}

/// A machine that is well.
pub(super) fn machine() -> Examined {
    let settings = [
        ("CHOST", "x86_64-pc-linux-gnu"),
        ("ARCH", "amd64"),
        ("CFLAGS", "-O2 -march=x86-64-v2"),
        ("FEATURES", "binpkg-multi-instance sandbox"),
        ("PKGDIR", "/var/cache/binpkgs"),
    ];
    let settings: BTreeMap<String, String> = settings
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    Examined {
        clock_ahead: 0.0,
        facts: MachineFacts {
            spaces: vec![SpaceFacts {
                folder: "/usr".to_owned(),
                free_megabytes: 50_000,
                free_files: Some(1_000_000),
            }],
            store: Some(StoreFacts {
                is_there: true,
                index: Some(IndexFacts {
                    sha256: "ab".to_owned(),
                    written_seconds_ago: 3600,
                }),
                ..StoreFacts::default()
            }),
            portage: PortageFacts {
                version: Some("3.0.68".to_owned()),
                settings,
                profile: Some("/var/db/repos/gentoo/profiles/default".to_owned()),
                repositories: vec![RepositoryFacts {
                    name: "gentoo".to_owned(),
                    location: Some("/var/db/repos/gentoo".to_owned()),
                    revision: Some("abc".to_owned()),
                    exists: true,
                    synced_seconds_ago: Some(3600),
                    unfinished: None,
                }],
                ..PortageFacts::default()
            },
            ..MachineFacts::default()
        },
    }
}

pub(super) fn guest(name: &str) -> Subject {
    Subject::Guest(name.parse().unwrap())
}

pub(super) fn builder(name: &str) -> Subject {
    Subject::Builder(name.parse().unwrap())
}

/// What a builder finds out of a machine that is well.
pub(super) fn fit() -> BuilderFacts {
    BuilderFacts {
        capacity: Some(Capacity {
            memory_megabytes: 16_000,
            disk_megabytes: 100_000,
        }),
        ..BuilderFacts::default()
    }
}

/// All of the fleet of [`settings`], and well.
pub(super) fn well() -> Facts {
    let machines = [builder("b1"), guest("g1"), guest("g2")];
    Facts {
        now: 1_800_000_000,
        machines: machines.map(|subject| (subject, Ok(machine()))).into(),
        builders: [("b1".parse().unwrap(), Ok(fit()))].into(),
        ..Facts::default()
    }
}

/// What a machine of these said.
pub(super) fn of<'a>(facts: &'a mut Facts, subject: &Subject) -> &'a mut Examined {
    facts.machines.get_mut(subject).unwrap().as_mut().unwrap()
}

/// `subject: code` of everything that is found.
pub(super) fn found(settings: &Settings, facts: &Facts) -> Vec<String> {
    let diagnosis = diagnosed(settings, facts);
    let findings = diagnosis.findings.iter();
    findings
        .map(|finding| format!("{}: {}", finding.subject, finding.kind.code()))
        .collect()
}

pub(super) fn diagnosed(settings: &Settings, facts: &Facts) -> Diagnosis {
    diagnose(settings, facts, &Area::ALL.into())
}

/// What is found when one machine of those that are well is changed so.
pub(super) fn found_with(subject: &Subject, change: impl FnOnce(&mut Examined)) -> Vec<String> {
    let mut facts = well();
    change(of(&mut facts, subject));
    found(&settings(), &facts)
}
