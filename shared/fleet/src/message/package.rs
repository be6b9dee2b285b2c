//! What messages say about packages, jobs and machines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use gentoo_updater_portage::build_key::{BuildKey, HexDigest, Platform};
use gentoo_updater_portage::compact::CompactSet;
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::{CategoryPackage, RepositoryName, SlotAndSubslot, UseFlag};
use serde::{Deserialize, Serialize};

use super::failure::{Failure, Finding};

use crate::fingerprint::Fingerprint;
use crate::name::{BuilderName, GuestName, JobId, PlatformName, RunId, StorePath, WorkerId};
use crate::needs::Needs;

/// The roles of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Asks guests what they need.
    Scanner,
    /// Merges the answers and issues all commands.
    Planner,
    /// Builds packages.
    Builder,
    /// Installs binaries on guests.
    Installer,
    /// Removes what builds left behind.
    Janitor,
    /// Begins runs by calendar.
    Scheduler,
    /// Tells operators what they want to be told.
    Notifier,
    /// The operator's command line.
    Operator,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scanner => "scanner",
            Self::Planner => "planner",
            Self::Builder => "builder",
            Self::Installer => "installer",
            Self::Janitor => "janitor",
            Self::Scheduler => "scheduler",
            Self::Notifier => "notifier",
            Self::Operator => "operator",
        })
    }
}

/// Whom an operator pauses or resumes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum PauseTarget {
    /// Every worker of this role, those that come up later included.
    Role(Role),
    /// One worker.
    Worker(WorkerId),
}

impl fmt::Display for PauseTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => write!(f, "every {role}"),
            Self::Worker(worker) => worker.fmt(f),
        }
    }
}

/// One piece of work that a worker can claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "subject", rename_all = "lowercase")]
pub enum Task {
    /// Bring the ebuild repositories of a builder up to date.
    Sync(BuilderName),
    /// Ask a guest what it needs.
    Scan(GuestName),
    /// Find out which binaries of a batch the store of a platform holds.
    Search(PlatformName),
    /// Build one job.
    Build(JobId),
    /// Install the closed set of a guest.
    Install(GuestName),
    /// Clean a builder.
    Clean(BuilderName),
    /// Delete what nobody needs from the store of a platform.
    Collect(PlatformName),
}

impl Task {
    /// What [`Self::kind`] may say.
    pub const KINDS: [&str; 7] = [
        "sync", "scan", "search", "build", "install", "clean", "collect",
    ];

    /// The guest, the builder, the platform, or the id of the job, as it is written on the wire.
    pub fn subject(&self) -> &str {
        match self {
            Self::Sync(builder) | Self::Clean(builder) => builder.as_str(),
            Self::Scan(guest) | Self::Install(guest) => guest.as_str(),
            Self::Search(platform) | Self::Collect(platform) => platform.as_str(),
            Self::Build(job) => job.as_str(),
        }
    }

    /// Its kind, as it is written on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sync(_) => "sync",
            Self::Scan(_) => "scan",
            Self::Search(_) => "search",
            Self::Build(_) => "build",
            Self::Install(_) => "install",
            Self::Clean(_) => "clean",
            Self::Collect(_) => "collect",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sync(builder) => write!(f, "sync of {builder}"),
            Self::Scan(guest) => write!(f, "scan of {guest}"),
            Self::Search(platform) => write!(f, "search of the store of {platform}"),
            Self::Build(job) => write!(f, "build {}", job.short()),
            Self::Install(guest) => write!(f, "install on {guest}"),
            Self::Clean(builder) => write!(f, "cleaning of {builder}"),
            Self::Collect(platform) => write!(f, "collection of the store of {platform}"),
        }
    }
}

/// One attempt at one task of one run: what a worker claims.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkKey {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: Task,
    /// Counts from 1.
    pub attempt: u32,
}

/// What happens to a package on a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Change {
    /// It was not there in any version.
    New,
    /// Another slot of it was there.
    NewSlot,
    /// It gets a newer version.
    Upgrade,
    /// It gets an older version, because the newer one was withdrawn or masked.
    Downgrade,
    /// The same version again, because its USE or IUSE changed.
    Reinstall,
    /// The same version again, because a library that it is bound to changes its subslot.
    Rebuild,
}

impl Change {
    /// Whether it brings another version of something that was there.
    pub fn is_of_version(self) -> bool {
        match self {
            Self::NewSlot | Self::Upgrade | Self::Downgrade => true,
            Self::New | Self::Reinstall | Self::Rebuild => false,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::NewSlot => "new slot",
            Self::Upgrade => "upgrade",
            Self::Downgrade => "downgrade",
            Self::Reinstall => "reinstall",
            Self::Rebuild => "rebuild",
        })
    }
}

/// Whether a guest wants a package for itself, or only so that something can be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Purpose {
    /// The guest will have it installed.
    Runtime,
    /// Only a build needs it; the guest, which installs binaries, does not.
    BuildOnly,
}

/// One row of a guest's plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Update {
    /// Package, version, slot, repository, USE and bindings. A job that builds it shares it.
    pub key: Arc<BuildKey>,
    /// What happens to the package.
    pub change: Change,
    /// The versions that it replaces, as Portage prints them.
    #[serde(default)]
    pub previous: Vec<String>,
    /// Whether the guest wants it for itself.
    pub purpose: Purpose,
    /// Rows of the same plan that must be installed before this one can be compiled.
    #[serde(default)]
    pub build_needs: CompactSet<Cpv>,
    /// Rows of the same plan that this one needs when it runs.
    #[serde(default)]
    pub runtime_needs: CompactSet<Cpv>,
    /// What its build may use and the guest has installed: the guest accepts it, whatever the
    /// keywords, the licence and the masks are that its builder goes by.
    #[serde(default, skip_serializing_if = "CompactSet::is_empty")]
    pub accepts: CompactSet<Cpv>,
    /// Bytes of sources that Portage would download for it on the guest; absent where it would
    /// download nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<u64>,
    /// The USE flags that it switches on or off, of those that the installed package has, too.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub switched_flags: BTreeSet<UseFlag>,
}

/// That an installed package was built against one subslot of another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SubslotBinding {
    /// The library.
    pub package: CategoryPackage,
    /// Its slot and subslot at the time of the build.
    pub slot: SlotAndSubslot,
}

/// One package that a guest has installed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InstalledPackage {
    /// Package and version.
    pub cpv: Cpv,
    /// Slot and subslot.
    pub slot: SlotAndSubslot,
    /// The repository that it came from, where Portage knows it.
    #[serde(default)]
    pub repository: Option<RepositoryName>,
    /// The number of its binary; absent when it was compiled on the machine itself.
    #[serde(default)]
    pub build_id: Option<u32>,
    /// What it is bound to.
    #[serde(default)]
    pub bindings: Vec<SubslotBinding>,
}

/// One ebuild repository of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryRevision {
    /// Its name.
    pub name: RepositoryName,
    /// Where it lies on that machine.
    pub location: String,
    /// A commit or a time stamp that names its content, where there is one.
    pub revision: Option<String>,
}

impl fmt::Display for RepositoryRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revision = self.revision.as_deref().unwrap_or("an unknown revision");
        write!(f, "{} at {revision}", self.name)
    }
}

/// What a machine is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Identity {
    /// The version of Portage.
    pub portage_version: String,
    /// The profile, as a path below the repository's `profiles` where it is one.
    pub profile: String,
    /// CHOST, ARCH, CFLAGS, CXXFLAGS, LDFLAGS and their like.
    pub settings: BTreeMap<String, String>,
    /// Its ebuild repositories.
    pub repositories: Vec<RepositoryRevision>,
    /// Whether its administrator wants the binaries of its platform whatever the compiler flags are
    /// that it has itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_flags: bool,
}

/// One binary package in a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binary {
    /// Package and version.
    pub cpv: Cpv,
    /// Slot and subslot.
    pub slot: SlotAndSubslot,
    /// Portage's number of this binary among those of the same version in the store.
    pub build_id: u32,
    /// When it was built, in seconds since 1970. Number and time together tell it from a binary
    /// of the same version that came from elsewhere.
    pub build_time: u64,
    /// Its path below the store.
    pub path: StorePath,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the whole file.
    pub sha256: HexDigest,
    /// What is in it, as far as whoever built it looked.
    #[serde(default, skip_serializing_if = "Contents::is_unknown")]
    pub contents: Contents,
    /// The key by which it is signed, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<Fingerprint>,
}

/// What a builder saw in a binary package: what a guest must be able to hold and to run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contents {
    /// Bytes below each folder of the root, as `usr`; a hard link counts once. Empty where it is
    /// not known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sizes: BTreeMap<String, u64>,
    /// The versions of symbols that its programs need of the libraries of the C library and the
    /// compiler (`GLIBC_2.34` of `libc.so.6`), by soname. A guest whose library lacks one cannot
    /// run them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub needs: BTreeMap<String, BTreeSet<String>>,
}

impl Contents {
    /// Whether nobody looked, or there is nothing to say.
    pub fn is_unknown(&self) -> bool {
        self.sizes.is_empty() && self.needs.is_empty()
    }

    /// Bytes of all that is in it; absent where that is not known.
    pub fn installed_size(&self) -> Option<u64> {
        (!self.sizes.is_empty()).then(|| self.sizes.values().sum())
    }
}

/// One build key to build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The digest of the key.
    pub id: JobId,
    /// The platform whose store it goes to.
    pub platform: PlatformName,
    /// What to build.
    pub key: Arc<BuildKey>,
    /// The guests that install it; empty when only other jobs need it, and in a batch that says
    /// nothing of what guests want ([`GuestPlan::wants`]): the state knows it then.
    pub wanted_by: BTreeSet<GuestName>,
    /// Jobs whose binaries must be on the builder before this one is compiled.
    pub build_needs: BTreeSet<JobId>,
    /// Jobs whose binaries this one needs when it runs.
    pub runtime_needs: BTreeSet<JobId>,
    /// Packages that are accepted for its build, because its guests have them installed, whatever
    /// the builder's own configuration says of their keywords, licences and masks.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub accepts: BTreeSet<Cpv>,
    /// The revision of its ebuild repository that the run goes by, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Bytes of its sources, as far as a guest said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<u64>,
    /// As what it is to be compiled: a builder for machines that this clashes with must not take it.
    /// Absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiled_as: Option<Platform>,
    /// What it needs of its machine, as the operator has configured it.
    #[serde(default, skip_serializing_if = "Needs::is_none")]
    pub needs: Needs,
}

/// What one guest wants of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GuestPlan {
    /// The jobs whose binaries it installs, by package. Absent where they follow from what the guest
    /// has said: they are the jobs of the keys of its rows that are for [`Purpose::Runtime`]. To
    /// write them down for every guest would be far more than all the rest of a batch, and more than
    /// a broker takes of a fleet of a thousand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wants: Option<BTreeMap<Cpv, JobId>>,
    /// What an administrator should know of these binaries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// The deduplicated jobs of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Batch {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// What each guest wants; a guest whose scan failed is absent, and one that is not served.
    pub guests: BTreeMap<GuestName, GuestPlan>,
    /// The guests that want something and that no builder compiles for, with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unserved: BTreeMap<GuestName, Failure>,
}

/// A package that changed on a machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PackageChange {
    /// What it was before; absent for a new package.
    pub before: Option<Cpv>,
    /// What it is now; absent for a removed one.
    pub after: Option<Cpv>,
}
