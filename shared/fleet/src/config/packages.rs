//! What the operator knows of single packages: what their builds need, and what they may take.

use std::time::Duration;

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::build_key::BuildKey;
use serde::Deserialize;

use super::invalid::Invalid;
use crate::needs::{Demands, Needs, speaks_of};

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
}

/// What builds of some packages need and may take. Of several that speak of a package the last one
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
        let atom: Atom = fragment.atom.parse().map_err(|error| Invalid::Atom {
            number,
            value: fragment.atom.clone(),
            cause: format!("{error}"),
        })?;
        if atom.blocker().is_some() || !atom.use_dependencies().is_empty() {
            return Err(Invalid::Atom {
                number,
                value: fragment.atom.clone(),
                cause: "it must not block, and name no USE flags".to_owned(),
            });
        }
        let values = [
            ("memory_megabytes", fragment.memory_megabytes),
            ("disk_megabytes", fragment.disk_megabytes),
            ("build_timeout_seconds", fragment.build_timeout_seconds),
            ("build_memory_megabytes", fragment.build_memory_megabytes),
            ("build_log_megabytes", fragment.build_log_megabytes),
        ];
        if values.iter().all(|(_, value)| value.is_none()) {
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
        })
    }
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
