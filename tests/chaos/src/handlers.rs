//! What the synthetic workers do with their commands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gentoo_updater_bus::worker::Handler;
use gentoo_updater_fleet::message::{
    Binary, BuildPackage, BuilderCleaned, BuilderSynced, CleanBuilder, CollectStore, Command,
    Deleted, Event, Failure, FailureClass, GuestUpdated, InstallPackages, PackageBuilt,
    PackageChange, SearchStore, StoreCollected, StoreSearched,
};
use gentoo_updater_fleet::name::{BuilderName, JobId};
use gentoo_updater_portage::build_key::{BuildKey, HexDigest};
use gentoo_updater_runtime::wrong_command;

use crate::program::Program;
use crate::scene::Scene;

/// How long an installation or a cleaning takes.
const SHORT: Duration = Duration::from_millis(100);

/// Does the work of every role but the planner's; its commands tell which.
pub(crate) struct SceneHandler {
    pub(crate) scene: Arc<Scene>,
    /// The builder that it works on, for builders.
    pub(crate) builder: Option<BuilderName>,
}

#[async_trait]
impl Handler for SceneHandler {
    async fn handle(&self, command: &Command) -> Event {
        let done = match command {
            Command::SyncBuilder(sync) => Ok(Event::BuilderSynced(BuilderSynced {
                run: sync.run,
                builder: sync.builder.clone(),
                attempt: sync.attempt,
                repositories: Vec::new(),
            })),
            Command::ScanGuest(scan) => Ok(Event::GuestScanned(self.scene.answer(scan))),
            Command::SearchStore(search) => self.search(search).map(Event::StoreSearched),
            Command::BuildPackage(build) => self.build(build).await.map(Event::PackageBuilt),
            Command::InstallPackages(set) => self.install(set).await.map(Event::GuestUpdated),
            Command::CleanBuilder(clean) => self.clean(clean).await.map(Event::BuilderCleaned),
            Command::CollectStore(collect) => collected(collect).map(Event::StoreCollected),
        };
        done.unwrap_or_else(|failure| self.failed(command, failure))
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        command.failed(self.builder.as_ref(), failure)
    }
}

impl SceneHandler {
    fn search(&self, search: &SearchStore) -> Result<StoreSearched, Failure> {
        let builder = self.builder.clone();
        let builder =
            builder.ok_or_else(|| wrong_command(&Command::SearchStore(search.clone())))?;
        let mut held = BTreeMap::new();
        for (job, wanted) in &search.wanted {
            if self.scene.stored(job).exists() {
                held.insert(job.clone(), binary(&wanted.key)?);
            }
        }
        Ok(StoreSearched {
            run: search.run,
            platform: search.platform.clone(),
            attempt: search.attempt,
            builder,
            held,
        })
    }

    async fn build(&self, build: &BuildPackage) -> Result<PackageBuilt, Failure> {
        let job = &build.job;
        let builder = self.builder.clone();
        let builder =
            builder.ok_or_else(|| wrong_command(&Command::BuildPackage(build.clone())))?;
        for need in &job.build_needs {
            self.must_be_stored(need)?;
        }
        let begun = Instant::now();
        let product = self.scene.stored(&job.id);
        let reused = product.exists();
        if !reused {
            let program = Program {
                machine: builder.as_str(),
                run: build.run,
                work: format!("build {}", job.id),
                takes: self.scene.build_time(&job.key.cpv, builder.as_str()),
                product: Some(&product),
            };
            program.run(&self.scene).await?;
        }
        built(build, builder, reused, begun.elapsed())
    }

    /// No job may be released before what it needs is built.
    fn must_be_stored(&self, job: &JobId) -> Result<(), Failure> {
        if self.scene.stored(job).exists() {
            return Ok(());
        }
        let message = format!("job {job} was to be built before");
        Err(Failure::new(
            FailureClass::Permanent,
            "DependencyMissing",
            message,
        ))
    }

    async fn install(&self, set: &InstallPackages) -> Result<GuestUpdated, Failure> {
        let program = Program {
            machine: set.guest.as_str(),
            run: set.run,
            work: format!("install {}", set.guest),
            takes: SHORT,
            product: None,
        };
        program.run(&self.scene).await?;
        let change = |cpv: &gentoo_updater_portage::cpv::Cpv| PackageChange {
            before: None,
            after: Some(cpv.clone()),
        };
        Ok(GuestUpdated {
            run: set.run,
            guest: set.guest.clone(),
            attempt: set.attempt,
            changes: set
                .packages
                .iter()
                .map(|package| change(&package.key.cpv))
                .collect(),
            held: set.held.clone(),
            findings: Vec::new(),
        })
    }

    async fn clean(&self, clean: &CleanBuilder) -> Result<BuilderCleaned, Failure> {
        let program = Program {
            machine: clean.builder.as_str(),
            run: clean.run,
            work: format!("clean {}", clean.builder),
            takes: SHORT,
            product: None,
        };
        program.run(&self.scene).await?;
        Ok(BuilderCleaned {
            run: clean.run,
            builder: clean.builder.clone(),
            attempt: clean.attempt,
            removed: Vec::new(),
            kept: Vec::new(),
            updated: Vec::new(),
            gone: Vec::new(),
            cruft: None,
        })
    }
}

/// What a janitor says of a store in which everything is needed.
///
/// # Errors
/// When a builder cannot have its name.
pub fn collected(collect: &CollectStore) -> Result<StoreCollected, Failure> {
    let builder = "b1".parse().map_err(|error| {
        let message = format!("b1: {error}");
        Failure::new(FailureClass::Permanent, "NameInvalid", message)
    })?;
    Ok(StoreCollected {
        run: collect.run,
        platform: collect.platform.clone(),
        attempt: collect.attempt,
        builder,
        deleted: Deleted::default(),
        too_large_by: 0,
        by_memory: Default::default(),
        unknown: Default::default(),
    })
}

/// What a builder says that has built something, or has found it in the store.
///
/// # Errors
/// When a package's name is none for a file.
pub fn built(
    build: &BuildPackage,
    builder: BuilderName,
    reused: bool,
    took: Duration,
) -> Result<PackageBuilt, Failure> {
    Ok(PackageBuilt {
        run: build.run,
        job: build.job.id.clone(),
        attempt: build.attempt,
        builder,
        binary: binary(&build.job.key)?,
        reused,
        duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        findings: Vec::new(),
        log_path: None,
    })
}

fn binary(key: &BuildKey) -> Result<Binary, Failure> {
    let path = format!("{}/{}-1.gpkg.tar", key.cpv.category_package, key.cpv.pf());
    let path = path.parse().map_err(|error| {
        Failure::new(
            FailureClass::Permanent,
            "NameInvalid",
            format!("{path}: {error}"),
        )
    })?;
    Ok(Binary {
        cpv: key.cpv.clone(),
        slot: key.slot.clone(),
        build_id: 1,
        build_time: 1_767_225_600,
        path,
        size: 1000,
        sha256: HexDigest::sha256(key.digest().as_str().as_bytes()),
        contents: Default::default(),
        signed_by: None,
    })
}
