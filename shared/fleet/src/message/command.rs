//! Commands: what a worker is to do. Imperatives. Only the planner issues them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::event::Event;
use super::failure::Failure;
use super::hold::HeldBack;
use super::package::{Binary, Change, Job, Task, WorkKey};
use super::result::{
    BuildFailed, CleanFailed, CollectFailed, InstallFailed, ScanFailed, SearchFailed, SyncFailed,
};
use crate::name::{BuilderName, CommandId, GuestName, JobId, PlatformName, RunId};
use crate::needs::Needs;
use gentoo_updater_portage::build_key::{BuildKey, Platform};

/// Everything that a worker can be told to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "body")]
pub enum Command {
    /// Bring the ebuild repositories of a builder up to date.
    SyncBuilder(SyncBuilder),
    /// Ask a guest what it needs.
    ScanGuest(ScanGuest),
    /// Find out which binaries of a batch a store holds.
    SearchStore(SearchStore),
    /// Build one package.
    BuildPackage(BuildPackage),
    /// Install a closed set on a guest, in one transaction.
    InstallPackages(InstallPackages),
    /// Remove what a run put on a builder.
    CleanBuilder(CleanBuilder),
    /// Delete what nobody needs from a store.
    CollectStore(CollectStore),
}

/// Bring the ebuild repositories of a builder up to date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncBuilder {
    /// The run.
    pub run: RunId,
    /// Counts from 1.
    pub attempt: u32,
    /// The builder.
    pub builder: BuilderName,
}

/// Ask a guest what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanGuest {
    /// The run.
    pub run: RunId,
    /// Counts from 1.
    pub attempt: u32,
    /// The guest.
    pub guest: GuestName,
    /// Whether it is asked anew although nothing has changed on it. Left out where it is not, so
    /// that a command has the same id as from a program that knows no such field.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// Whether its ebuild repositories are brought up to date before it is asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sync: bool,
}

/// Find out which binaries of a batch a store holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchStore {
    /// The run.
    pub run: RunId,
    /// Counts from 1.
    pub attempt: u32,
    /// The platform whose store it is.
    pub platform: PlatformName,
    /// What is looked for, by the jobs that would build it.
    pub wanted: BTreeMap<JobId, Wanted>,
}

/// What a binary must be to do in place of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The key that it serves.
    pub key: BuildKey,
    /// The machines that it runs on, as far as they were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiled_as: Option<Platform>,
}

/// Build one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildPackage {
    /// The run.
    pub run: RunId,
    /// Counts from 1.
    pub attempt: u32,
    /// What to build.
    pub job: Job,
    /// The binaries that must be on the builder before, each behind those that it needs.
    pub dependencies: Vec<Binary>,
    /// What it needs of its machine, as far as that is known by now.
    #[serde(default, skip_serializing_if = "Needs::is_none")]
    pub needs: Needs,
}

/// One package to install.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallPackage {
    /// What the guest planned.
    pub key: BuildKey,
    /// What happens to it.
    pub change: Change,
    /// The binary that serves this key.
    pub binary: Binary,
}

/// Install a closed set on a guest, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallPackages {
    /// The run.
    pub run: RunId,
    /// Counts from 1.
    pub attempt: u32,
    /// The guest.
    pub guest: GuestName,
    /// The platform whose store it reads.
    pub platform: PlatformName,
    /// The set.
    pub packages: Vec<InstallPackage>,
    /// What was left out, and why.
    pub held: Vec<HeldBack>,
    /// When the maintenance window closes: what is not begun by then is not begun at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin_before: Option<Timestamp>,
}

/// Remove what a run put on a builder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanBuilder {
    /// The run.
    pub run: RunId,
    /// Counts from 1.
    pub attempt: u32,
    /// The builder.
    pub builder: BuilderName,
}

/// Delete what nobody needs from a store, when all else of a run is done.
///
/// It does not say what is needed: whoever takes it asks the guests and reads the history, which
/// hold more of a large fleet than fits into a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectStore {
    /// The run. What it built counts as needed.
    pub run: RunId,
    /// Counts from 1.
    pub attempt: u32,
    /// The platform whose store it is.
    pub platform: PlatformName,
}

impl SyncBuilder {
    /// That it could not be done.
    pub fn failed(&self, failure: Failure) -> Event {
        Event::SyncFailed(SyncFailed {
            run: self.run,
            builder: self.builder.clone(),
            attempt: self.attempt,
            failure,
        })
    }
}

impl ScanGuest {
    /// That it could not be done.
    pub fn failed(&self, failure: Failure) -> Event {
        Event::ScanFailed(ScanFailed {
            run: self.run,
            guest: self.guest.clone(),
            attempt: self.attempt,
            failure,
        })
    }
}

impl SearchStore {
    /// That it could not be done.
    pub fn failed(&self, failure: Failure) -> Event {
        Event::SearchFailed(SearchFailed {
            run: self.run,
            platform: self.platform.clone(),
            attempt: self.attempt,
            failure,
        })
    }
}

impl BuildPackage {
    /// That it could not be done, on this builder.
    pub fn failed(&self, builder: Option<&BuilderName>, failure: Failure) -> Event {
        Event::BuildFailed(BuildFailed {
            run: self.run,
            job: self.job.id.clone(),
            attempt: self.attempt,
            builder: builder.cloned(),
            had: None,
            failure,
        })
    }
}

impl InstallPackages {
    /// That it could not be done, and that nothing was touched.
    pub fn failed(&self, failure: Failure) -> Event {
        Event::InstallFailed(InstallFailed {
            run: self.run,
            guest: self.guest.clone(),
            attempt: self.attempt,
            failure,
            begun: false,
            changes: Vec::new(),
            held: self.held.clone(),
            findings: Vec::new(),
            rolled_back: None,
        })
    }
}

impl CleanBuilder {
    /// That it could not be done.
    pub fn failed(&self, failure: Failure) -> Event {
        Event::CleanFailed(CleanFailed {
            run: self.run,
            builder: self.builder.clone(),
            attempt: self.attempt,
            failure,
        })
    }
}

impl CollectStore {
    /// That it could not be done.
    pub fn failed(&self, failure: Failure) -> Event {
        Event::CollectFailed(CollectFailed {
            run: self.run,
            platform: self.platform.clone(),
            attempt: self.attempt,
            failure,
        })
    }
}

/// The name space of command ids.
const COMMANDS: Uuid = Uuid::from_u128(0x6b1f_4f0e_53c7_4f9b_9d0e_0d5a_6f1b_7c21);

impl Command {
    /// What is claimed by whoever takes this command.
    pub fn work(&self) -> WorkKey {
        let (run, attempt, task) = match self {
            Self::SyncBuilder(c) => (c.run, c.attempt, Task::Sync(c.builder.clone())),
            Self::ScanGuest(c) => (c.run, c.attempt, Task::Scan(c.guest.clone())),
            Self::SearchStore(c) => (c.run, c.attempt, Task::Search(c.platform.clone())),
            Self::BuildPackage(c) => (c.run, c.attempt, Task::Build(c.job.id.clone())),
            Self::InstallPackages(c) => (c.run, c.attempt, Task::Install(c.guest.clone())),
            Self::CleanBuilder(c) => (c.run, c.attempt, Task::Clean(c.builder.clone())),
            Self::CollectStore(c) => (c.run, c.attempt, Task::Collect(c.platform.clone())),
        };
        WorkKey { run, task, attempt }
    }

    /// Its type as it is written on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SyncBuilder(_) => "SyncBuilder",
            Self::ScanGuest(_) => "ScanGuest",
            Self::SearchStore(_) => "SearchStore",
            Self::BuildPackage(_) => "BuildPackage",
            Self::InstallPackages(_) => "InstallPackages",
            Self::CleanBuilder(_) => "CleanBuilder",
            Self::CollectStore(_) => "CollectStore",
        }
    }

    /// That it could not be done; for a build, on this builder.
    pub fn failed(&self, builder: Option<&BuilderName>, failure: Failure) -> Event {
        match self {
            Self::SyncBuilder(command) => command.failed(failure),
            Self::ScanGuest(command) => command.failed(failure),
            Self::SearchStore(command) => command.failed(failure),
            Self::BuildPackage(command) => command.failed(builder, failure),
            Self::InstallPackages(command) => command.failed(failure),
            Self::CleanBuilder(command) => command.failed(failure),
            Self::CollectStore(command) => command.failed(failure),
        }
    }

    /// A UUIDv5 of run, task, attempt and content: two planners that decide the same make the
    /// same id.
    ///
    /// # Errors
    /// When the content cannot be serialised, which no command of this crate does.
    pub fn id(&self) -> Result<CommandId, serde_json::Error> {
        let content = Sha256::digest(serde_json::to_vec(self)?);
        Ok(CommandId(Uuid::new_v5(&COMMANDS, &content)))
    }
}
