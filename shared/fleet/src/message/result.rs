//! What came of a command: the bodies of the events that say so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::cruft::Cruft;
use super::failure::{Failure, Finding};
use super::hold::HeldBack;
use super::package::{
    Binary, Identity, InstalledPackage, PackageChange, RepositoryRevision, Update,
};
use gentoo_updater_portage::cpv::Cpv;

use crate::name::{BuilderName, GuestName, JobId, PlatformName, RunId};
use crate::needs::Capacity;

/// The ebuild repositories of a builder are up to date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuilderSynced {
    /// The run.
    pub run: RunId,
    /// The builder.
    pub builder: BuilderName,
    /// Which attempt did it.
    pub attempt: u32,
    /// What it has now.
    pub repositories: Vec<RepositoryRevision>,
}

/// The ebuild repositories of a builder could not be brought up to date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncFailed {
    /// The run.
    pub run: RunId,
    /// The builder.
    pub builder: BuilderName,
    /// Which attempt failed.
    pub attempt: u32,
    /// Why.
    pub failure: Failure,
}

/// A guest said what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestScanned {
    /// The run.
    pub run: RunId,
    /// The guest.
    pub guest: GuestName,
    /// Which attempt found this.
    pub attempt: u32,
    /// What machine it is.
    pub identity: Identity,
    /// What it needs, in the order of Portage's plan. What many guests say alike can be shared.
    pub updates: Vec<Arc<Update>>,
    /// What it has.
    pub installed: Vec<Arc<InstalledPackage>>,
    /// What an administrator should know.
    pub findings: Vec<Finding>,
    /// When the guest gave this answer, by the scanner's clock, if that was in a former scan and
    /// nothing has changed on it since; absent where it was asked anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchanged_since: Option<Timestamp>,
    /// Whether an update has begun on it that nobody has looked at since: its power failed, and the run
    /// ended without it. It is looked at even where it wants nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
}

/// A guest could not be asked, or its answer is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanFailed {
    /// The run.
    pub run: RunId,
    /// The guest.
    pub guest: GuestName,
    /// Which attempt failed.
    pub attempt: u32,
    /// Why.
    pub failure: Failure,
}

/// It was looked which binaries of the batch a store holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreSearched {
    /// The run.
    pub run: RunId,
    /// The platform whose store it is.
    pub platform: PlatformName,
    /// Which attempt found this.
    pub attempt: u32,
    /// Who looked.
    pub builder: BuilderName,
    /// The binaries that are there as they were stored, and need not be built. What is not among them
    /// is looked for again by whoever is to build it.
    pub held: BTreeMap<JobId, Binary>,
}

impl StoreSearched {
    /// That a job need not be built.
    pub fn reused(&self, job: &JobId, binary: &Binary) -> PackageBuilt {
        PackageBuilt {
            run: self.run,
            job: job.clone(),
            attempt: self.attempt,
            builder: self.builder.clone(),
            binary: binary.clone(),
            reused: true,
            duration_ms: 0,
            findings: Vec::new(),
            log_path: None,
        }
    }
}

/// A store could not be searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchFailed {
    /// The run.
    pub run: RunId,
    /// The platform whose store it is.
    pub platform: PlatformName,
    /// Which attempt failed.
    pub attempt: u32,
    /// Why.
    pub failure: Failure,
}

/// A binary that fits its key is in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageBuilt {
    /// The run.
    pub run: RunId,
    /// The job.
    pub job: JobId,
    /// Which attempt built it.
    pub attempt: u32,
    /// On which builder.
    pub builder: BuilderName,
    /// The binary.
    pub binary: Binary,
    /// Whether the store held it already.
    pub reused: bool,
    /// How long the build took, in milliseconds; 0 when reused.
    pub duration_ms: u64,
    /// What an administrator should know.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Where the log of its build is, as `machine:path`; absent when reused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_path: Option<String>,
}

/// A job could not be built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildFailed {
    /// The run.
    pub run: RunId,
    /// The job.
    pub job: JobId,
    /// Which attempt failed.
    pub attempt: u32,
    /// On which builder; absent when it never came to one.
    #[serde(default)]
    pub builder: Option<BuilderName>,
    /// What it had of the machine there; absent where it was not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub had: Option<Capacity>,
    /// Why.
    pub failure: Failure,
}

/// A guest has its updates, and its new state was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestUpdated {
    /// The run.
    pub run: RunId,
    /// The guest.
    pub guest: GuestName,
    /// Which attempt did it.
    pub attempt: u32,
    /// What changed.
    pub changes: Vec<PackageChange>,
    /// What was left out on purpose.
    pub held: Vec<HeldBack>,
    /// What an administrator should know.
    pub findings: Vec<Finding>,
}

/// A guest did not get all of its updates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallFailed {
    /// The run.
    pub run: RunId,
    /// The guest.
    pub guest: GuestName,
    /// Which attempt failed.
    pub attempt: u32,
    /// Why.
    pub failure: Failure,
    /// Whether the installation had begun, so that the guest may have changed.
    #[serde(default)]
    pub begun: bool,
    /// What changed all the same; empty when nothing was touched.
    pub changes: Vec<PackageChange>,
    /// What was left out on purpose.
    pub held: Vec<HeldBack>,
    /// What an administrator should know.
    pub findings: Vec<Finding>,
    /// That it was put back to what it had before, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<RolledBack>,
}

/// A guest was put back to what it had before an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// What the update had brought, and what is gone again. One of these is to blame, or several together.
    pub packages: Vec<Cpv>,
    /// What is not as it was, if something is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// What a run put on a builder was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuilderCleaned {
    /// The run.
    pub run: RunId,
    /// The builder.
    pub builder: BuilderName,
    /// Which attempt did it.
    pub attempt: u32,
    /// What was removed.
    pub removed: Vec<PackageChange>,
    /// What was put there and is needed by now, with the reason.
    pub kept: Vec<Finding>,
    /// What the builder had before and has in another version now.
    pub updated: Vec<PackageChange>,
    /// What the builder had before and a build has removed, since it was in the way of something else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<PackageChange>,
    /// What became of files that builds left beside packages; absent where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cruft: Option<Box<Cruft>>,
}

/// A builder could not be cleaned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanFailed {
    /// The run.
    pub run: RunId,
    /// The builder.
    pub builder: BuilderName,
    /// Which attempt failed.
    pub attempt: u32,
    /// Why.
    pub failure: Failure,
}

/// What nobody needs was deleted from a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreCollected {
    /// The run.
    pub run: RunId,
    /// The platform whose store it is.
    pub platform: PlatformName,
    /// Which attempt did it.
    pub attempt: u32,
    /// The builder on which it was done.
    pub builder: BuilderName,
    /// What was deleted.
    pub deleted: Deleted,
    /// By how many bytes the store is larger than it may be, although all that is left is needed,
    /// has just come or is somebody else's.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub too_large_by: u64,
    /// Guests that could not be asked, and counted with what the history knew of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub by_memory: BTreeSet<GuestName>,
    /// Guests of which nobody knows what they have, and why. Nothing was deleted because of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<GuestName, Failure>,
}

/// What was deleted from a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// Binaries that nobody needed.
    pub binaries: u64,
    /// Files that nobody could use.
    pub files: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Nothing could be deleted from a store, or not all that should have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectFailed {
    /// The run.
    pub run: RunId,
    /// The platform whose store it is.
    pub platform: PlatformName,
    /// Which attempt failed.
    pub attempt: u32,
    /// Why.
    pub failure: Failure,
}
