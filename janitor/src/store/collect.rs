//! Which binaries of a store go.
//!
//! What somebody needs never goes, and neither does what has only just come: whoever put it there may
//! not have said so yet. What no record names, so that no run finds it, goes as soon as nobody needs
//! it. What is old and not needed goes. Where the store is larger than it may be,
//! more of what is not needed goes, the oldest first.

use gentoo_updater_fleet::config::Policy;
use gentoo_updater_fleet::name::StorePath;

use super::catalog::{Catalog, Junk, Stored, Total};
use super::needed::{Need, Needed};

/// For how long nothing that has come goes, in seconds.
pub const JUST_COME: u64 = 3600;
/// For how long what looks unfinished may be somebody's work, in seconds.
pub const UNFINISHED: u64 = 24 * 3600;
const DAY: u64 = 24 * 3600;
const GIGABYTE: u64 = 1_000_000_000;

/// What a store may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For how many days binaries are kept that nobody needs.
    pub days: u32,
    /// How many bytes all binaries may take together, where that is limited.
    pub bytes: Option<u64>,
}

impl Limits {
    /// What the policy says.
    pub fn of(policy: &Policy) -> Self {
        let gigabytes = policy.keep_binaries_gigabytes;
        Self {
            days: policy.keep_binaries_days,
            bytes: gigabytes.map(|most| most.saturating_mul(GIGABYTE)),
        }
    }
}

/// Why a binary goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nobody needs it, and its key has another binary, which is the one that is found.
    Duplicate,
    /// Nobody needs it, and no record names it: it will never be found.
    Orphan,
    /// Nobody needs it, and it is old.
    Old,
    /// Nobody needs it, and the store is too large.
    Budget,
}

/// A binary that goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal<'a> {
    /// The binary.
    pub stored: &'a Stored,
    /// Why it goes.
    pub cause: Cause,
}

/// What is kept, by the reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Kept {
    /// What guests have installed.
    pub installed: Total,
    /// What the last runs refer to.
    pub runs: Total,
    /// What guests had before the last runs.
    pub rollback: Total,
    /// What is not old yet.
    pub young: Total,
}

/// What goes, and what stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<'a> {
    /// The binaries that go, the oldest first.
    pub removals: Vec<Removal<'a>>,
    /// The files that go which nobody can use.
    pub junk: Vec<&'a Junk>,
    /// What is kept of this program's binaries.
    pub kept: Kept,
    /// By how many bytes the store is too large afterwards: all that is left is needed, new, or
    /// somebody else's.
    pub too_large_by: u64,
}

impl Decision<'_> {
    /// The paths of all that goes.
    pub fn paths(&self) -> impl Iterator<Item = &StorePath> {
        self.removals.iter().map(|removal| &removal.stored.path)
    }
}

/// Decides what goes at this time, in seconds since 1970.
pub fn decide<'a>(
    catalog: &'a Catalog,
    needed: &Needed,
    limits: &Limits,
    now: u64,
) -> Decision<'a> {
    let age = |modified: u64| now.saturating_sub(modified);
    let mut kept = Kept::default();
    let mut loose = Vec::new();
    let mut removals = Vec::new();
    let orphans = catalog.orphans.iter().map(|orphan| {
        let cause = match orphan.is_duplicate {
            true => Cause::Duplicate,
            false => Cause::Orphan,
        };
        (&orphan.stored, Some(cause))
    });
    let recorded = catalog.ours.iter().map(|stored| (stored, None));
    for (stored, cause) in recorded.chain(orphans) {
        let total = match needed.why(&stored.cpv, stored.build_id) {
            Some(Need::Installed(_)) => &mut kept.installed,
            Some(Need::Run(_)) => &mut kept.runs,
            Some(Need::Rollback(_)) => &mut kept.rollback,
            None if age(stored.modified) < JUST_COME => &mut kept.young,
            None => {
                match cause {
                    Some(cause) => removals.push(Removal { stored, cause }),
                    None => loose.push(stored),
                }
                continue;
            }
        };
        total.add(stored.size);
    }
    loose.sort_by_key(|stored| (stored.modified, &stored.path));
    let mut bytes = catalog.bytes();
    for Removal { stored, .. } in &removals {
        bytes -= stored.size;
    }
    for stored in loose {
        let is_old = age(stored.modified) >= u64::from(limits.days) * DAY;
        let is_too_much = limits.bytes.is_some_and(|most| bytes > most);
        let cause = match (is_old, is_too_much) {
            (true, _) => Cause::Old,
            (false, true) => Cause::Budget,
            (false, false) => {
                kept.young.add(stored.size);
                continue;
            }
        };
        bytes -= stored.size;
        removals.push(Removal { stored, cause });
    }
    removals.sort_by_key(|removal| (removal.stored.modified, &removal.stored.path));
    let junk = catalog.junk.iter();
    Decision {
        removals,
        junk: junk
            .filter(|junk| age(junk.modified) >= UNFINISHED)
            .collect(),
        kept,
        too_large_by: limits.bytes.map_or(0, |most| bytes.saturating_sub(most)),
    }
}
