//! What was seen: the facts that findings follow from.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::broker::BrokerFacts;
use super::configuration::ConfigurationFacts;
use super::subject::Subject;
use crate::fingerprint::Fingerprint;
use crate::message::Failure;
use crate::name::{BuilderName, PlatformName};
use crate::needs::Capacity;

/// Everything that was seen. What nobody looked at is absent.
#[derive(Debug, Default)]
pub struct Facts {
    /// The time on the machine that looks, in seconds since 1970.
    pub now: u64,
    /// What the configuration alone does not say of itself.
    pub configuration: Option<ConfigurationFacts>,
    /// The broker.
    pub broker: Option<BrokerFacts>,
    /// Guests and builders. A machine that is both is there twice.
    pub machines: BTreeMap<Subject, Answer<Examined>>,
    /// What the worker of a builder would find out of its machine.
    pub builders: BTreeMap<BuilderName, Answer<BuilderFacts>>,
    /// The keys with which builders sign, where their platforms do.
    pub keys: BTreeMap<BuilderName, Answer<Vec<KeyFacts>>>,
    /// What the stores hold, as one builder of each sees it.
    pub surveys: BTreeMap<PlatformName, Answer<SurveyFacts>>,
}

/// What a machine said, or why it said nothing.
pub type Answer<T> = Result<T, Failure>;

/// What a machine said of itself, and how its clock goes.
#[derive(Debug, Clone)]
pub struct Examined {
    /// By how many seconds its clock is ahead of the one of the machine that looks, at the least; negative
    /// where it is behind.
    pub clock_ahead: f64,
    /// What it said.
    pub facts: MachineFacts,
}

/// What the program on a machine tells (`runtime/src/examine.py`).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct MachineFacts {
    /// The number of the user as who it ran.
    pub user: u32,
    /// Programs that were asked for and are not there.
    #[serde(default)]
    pub missing_programs: Vec<String>,
    /// Programs that help to compile, that were asked for and are not there.
    #[serde(default)]
    pub missing_helpers: Vec<String>,
    /// Whether a file there names hosts for distcc.
    #[serde(default)]
    pub has_distcc_hosts: bool,
    /// The file systems of the folders that were asked for.
    #[serde(default)]
    pub spaces: Vec<SpaceFacts>,
    /// The store.
    #[serde(default)]
    pub store: Option<StoreFacts>,
    /// The store where it is served, as the machine reaches it; absent where it was not asked.
    #[serde(default)]
    pub served: Option<ServedFacts>,
    /// The command lines of those emerge and ebuild that run.
    #[serde(default)]
    pub emerges: Vec<String>,
    /// Packages whose installation was broken off.
    #[serde(default)]
    pub half_merged: Vec<String>,
    /// How many `._cfg` files wait.
    #[serde(default)]
    pub pending_configuration: u64,
    /// What the programs that choose the toolchain complain of, by program.
    #[serde(default)]
    pub toolchain: BTreeMap<String, String>,
    /// The keys that its gpg trusts for binaries; absent where it was not asked or has none.
    #[serde(default)]
    pub trusted_keys: Option<Vec<TrustedKey>>,
    /// What its Portage says.
    pub portage: PortageFacts,
}

/// What a machine's Portage says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct PortageFacts {
    /// Why it does not answer, if so.
    #[serde(default)]
    pub error: Option<String>,
    /// Its version.
    #[serde(default)]
    pub version: Option<String>,
    /// Variables as it sees them.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The folder of its profile; absent where that is none.
    #[serde(default)]
    pub profile: Option<String>,
    /// The binhosts of its `binrepos.conf` that do not say whether they sign.
    #[serde(default)]
    pub silent_binhosts: Vec<String>,
    /// Its ebuild repositories.
    #[serde(default)]
    pub repositories: Vec<RepositoryFacts>,
}

impl PortageFacts {
    /// The value of a variable; nothing where it is not set.
    pub fn setting(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", String::as_str)
    }

    /// Whether FEATURES name this.
    pub fn has_feature(&self, feature: &str) -> bool {
        let mut features = self.setting("FEATURES").split_whitespace();
        features.any(|it| it == feature)
    }
}

/// An ebuild repository.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct RepositoryFacts {
    /// Its name.
    pub name: String,
    /// Its folder.
    #[serde(default)]
    pub location: Option<String>,
    /// A commit or a time stamp.
    #[serde(default)]
    pub revision: Option<String>,
    /// Whether the folder is there and holds a repository.
    pub exists: bool,
    /// How many seconds ago a sync last brought something, where that can be told.
    #[serde(default)]
    pub synced_seconds_ago: Option<u64>,
    /// What a sync has left that did not end, if so.
    #[serde(default)]
    pub unfinished: Option<String>,
}

/// The file system of a folder.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct SpaceFacts {
    /// The folder that was asked for.
    pub folder: String,
    /// What is free for root, in megabytes (2^20 bytes).
    pub free_megabytes: u64,
    /// How many files can be made there; absent where the file system does not count them.
    #[serde(default)]
    pub free_files: Option<u64>,
}

/// A store as a machine sees it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct StoreFacts {
    /// Whether there is such a folder.
    pub is_there: bool,
    /// Its index.
    #[serde(default)]
    pub index: Option<IndexFacts>,
    /// Its lock, where somebody holds it.
    #[serde(default)]
    pub lock: Option<LockFacts>,
    /// Why a file there cannot be locked, if so.
    #[serde(default)]
    pub no_locks: Option<String>,
}

/// A store as its server shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct ServedFacts {
    /// Whether there is an index.
    pub has_index: bool,
    /// Why nothing could be fetched, if so.
    #[serde(default)]
    pub problem: Option<String>,
}

/// The index of a store.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct IndexFacts {
    /// Its SHA-256.
    pub sha256: String,
    /// How many seconds ago it was written.
    pub written_seconds_ago: u64,
}

/// The folder that is the lock of a store.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct LockFacts {
    /// Who made it, in its words.
    pub owner: String,
    /// For how many seconds it was watched without a sign of life; 0 where one came.
    pub silent_seconds: u64,
}

/// A key that a guest has for binaries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TrustedKey {
    /// Which it is.
    pub fingerprint: Fingerprint,
    /// Whether it is revoked or expired.
    pub is_over: bool,
}

/// What the worker of a builder would find out of its machine before it takes work.
#[derive(Debug, Clone, Default)]
pub struct BuilderFacts {
    /// Why it would take none, if so.
    pub unfit: Option<Failure>,
    /// Why it can have no clean room, where it was to have one.
    pub no_room: Option<String>,
    /// What it has for builds.
    pub capacity: Option<Capacity>,
}

/// A key with which a builder signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    /// Which it is.
    pub fingerprint: Fingerprint,
    /// Whether it is the one that signs.
    pub is_in_use: bool,
    /// For how many days it is good; absent where it never ends.
    pub days_left: Option<u64>,
    /// Whether its time is over or it was revoked.
    pub is_over: bool,
}

/// What a store holds, told without reading any binary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SurveyFacts {
    /// What is wrong with the index, if anybody could not rely on it.
    pub index_unusable: Option<String>,
    /// Files that the index names and that are not there, or have another size.
    pub index_differs: Vec<String>,
    /// Records and files that do not fit together, in words.
    pub oddities: Vec<String>,
}
