//! What the operator knows of single packages: what their builds need and may take, and whether another
//! version of them can be undone.

use std::time::Duration;

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::build_key::BuildKey;
use serde::Deserialize;

use super::invalid::Invalid;
use crate::needs::{Demands, Needs, speaks_of};
use crate::rollout::Irreversible;

/// One table `[[packages]]` as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PackagesFragment {
    atom: String,
    memory_megabytes: Option<u64>,
    disk_megabytes: Option<u64>,
    build_timeout_seconds: Option<u64>,
    build_memory_megabytes: Option<u64>,
    build_log_megabytes: Option<u64>,
    irreversible: Option<bool>,
}

/// What is known of some packages. Of several that speak of a package the last one
/// that says something counts, for each value of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packages {
    /// Of which packages.
    pub atom: Atom,
    /// What a machine must have to build one.
    pub needs: Needs,
    /// How long a build may take.
    pub timeout: Option<Duration>,
    /// How much memory all processes of a build may use together, in megabytes (2^20 bytes).
    pub memory_megabytes: Option<u64>,
    /// How much a build may write into its log, in megabytes (2^20 bytes).
    pub log_megabytes: Option<u64>,
    /// Whether a guest cannot be put back from another version of them.
    pub irreversible: Option<bool>,
}

/// What one build may take. What takes more is ended, and has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildLimits {
    /// How long.
    pub timeout: Duration,
    /// How much memory all of its processes may use together, in megabytes (2^20 bytes); as much as
    /// there is where it is absent.
    pub memory_megabytes: Option<u64>,
    /// How much it may write into its log, in megabytes (2^20 bytes).
    pub log_megabytes: u64,
}

impl BuildLimits {
    /// The same for one package, for which some tables may say otherwise.
    #[must_use]
    pub fn of(self, key: &BuildKey, packages: &[Packages]) -> Self {
        let speaking = packages.iter().filter(|one| speaks_of(&one.atom, key));
        speaking.fold(self, |before, one| Self {
            timeout: one.timeout.unwrap_or(before.timeout),
            memory_megabytes: one.memory_megabytes.or(before.memory_megabytes),
            log_megabytes: one.log_megabytes.unwrap_or(before.log_megabytes),
        })
    }
}

impl Packages {
    pub(super) fn check(number: usize, fragment: &PackagesFragment) -> Result<Self, Invalid> {
        let table = format!("[[packages]] number {number}");
        let atom = named(&table, &fragment.atom)?;
        let values = [
            ("memory_megabytes", fragment.memory_megabytes),
            ("disk_megabytes", fragment.disk_megabytes),
            ("build_timeout_seconds", fragment.build_timeout_seconds),
            ("build_memory_megabytes", fragment.build_memory_megabytes),
            ("build_log_megabytes", fragment.build_log_megabytes),
        ];
        let says_nothing = values.iter().all(|(_, value)| value.is_none());
        if says_nothing && fragment.irreversible.is_none() {
            return Err(Invalid::PackagesSayNothing {
                atom: fragment.atom.clone(),
            });
        }
        for (key, value) in values {
            if value == Some(0) {
                let key = format!("{key} in [[packages]] of {}", fragment.atom);
                return Err(Invalid::Zero { key });
            }
        }
        Ok(Self {
            atom,
            needs: Needs {
                memory_megabytes: fragment.memory_megabytes,
                disk_megabytes: fragment.disk_megabytes,
            },
            timeout: fragment.build_timeout_seconds.map(Duration::from_secs),
            memory_megabytes: fragment.build_memory_megabytes,
            log_megabytes: fragment.build_log_megabytes,
            irreversible: fragment.irreversible,
        })
    }
}

/// The packages that an atom of this table speaks of.
pub(super) fn named(table: &str, text: &str) -> Result<Atom, Invalid> {
    let no_atom = |cause: String| Invalid::Atom {
        table: table.to_owned(),
        value: text.to_owned(),
        cause,
    };
    let atom: Atom = text.parse().map_err(|error| no_atom(format!("{error}")))?;
    if atom.blocker().is_some() || !atom.use_dependencies().is_empty() {
        let cause = "it must not block, and name no USE flags".to_owned();
        return Err(no_atom(cause));
    }
    Ok(atom)
}

/// What no guest can be put back from, where nobody says otherwise: what was built or linked against a
/// newer C library does not run with an older one.
const IRREVERSIBLE: [&str; 2] = ["sys-libs/glibc", "sys-libs/musl"];

/// What these tables say of what cannot be undone.
pub(super) fn irreversible(packages: &[Packages]) -> Result<Vec<Irreversible>, Invalid> {
    let default = |text: &&str| {
        Ok(Irreversible {
            atom: named("what is irreversible by default", text)?,
            can_be_undone: false,
        })
    };
    let said = packages.iter().filter_map(|one| {
        Some(Ok(Irreversible {
            atom: one.atom.clone(),
            can_be_undone: !one.irreversible?,
        }))
    });
    IRREVERSIBLE.iter().map(default).chain(said).collect()
}

/// What of these tables concerns whoever gives builds out.
pub(super) fn demands(packages: &[Packages]) -> Demands {
    let with_needs = packages.iter().filter(|one| !one.needs.is_none());
    Demands(
        with_needs
            .map(|one| (one.atom.clone(), one.needs))
            .collect(),
    )
}
