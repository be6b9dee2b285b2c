//! The order of steps of one build.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use gentoo_updater_bus::worker::Handler;
use gentoo_updater_fleet::config::{BuildEnvironment, Builder};
use gentoo_updater_fleet::message::{
    Binary, BuildPackage, BuilderMachine, Command, Contents, Durations, Event, Failure,
    FailureClass, Finding, FindingKind, PackageBuilt, Role,
};
use gentoo_updater_fleet::name::{BuilderName, PlatformName, StorePath};
use gentoo_updater_fleet::platforms;
use gentoo_updater_hosts::Host;
use gentoo_updater_hosts::job::JobOutcome;
use gentoo_updater_portage::build_key::Platform;
use gentoo_updater_portage::outcome::{self, FailureKind};
use gentoo_updater_portage::packages_index::PackagesIndex;
use gentoo_updater_runtime::{Context, jobs, vdb, wrong_command};

use crate::check::{UNREADABLE, check_file, fitting, is_of_result};
use crate::contents;
use crate::dependencies;
use crate::durations;
use crate::ebuild;
use crate::log::{self, Kept};
use crate::program::{self, Means, status};
use crate::ready::{self, Needs, Toolchain};
use crate::room::{Rooms, Way};
use crate::store::{Held, Store};

/// Builds packages on one machine.
pub(crate) struct BuildHandler {
    context: Context,
    builder: BuilderName,
    platform: PlatformName,
    environment: BuildEnvironment,
    store: PathBuf,
    rooms: Rooms,
    /// As what the machine compiled when it was last asked whether it is ready.
    compiles_as: Mutex<Option<Platform>>,
    /// What the machine's log told when it was read, once a start.
    learnt: OnceLock<Arc<Durations>>,
}

impl BuildHandler {
    pub(crate) fn new(
        context: Context,
        name: BuilderName,
        builder: Builder,
        store: PathBuf,
    ) -> Self {
        Self {
            context,
            platform: builder.platform.clone(),
            environment: builder.environment.clone(),
            rooms: Rooms::new(name.clone(), builder, store.clone()),
            builder: name,
            store,
            compiles_as: Mutex::default(),
            learnt: OnceLock::new(),
        }
    }

    async fn build(&self, command: &BuildPackage) -> Result<PackageBuilt, Failure> {
        let host = self.context.machines.builder(&self.builder).await?;
        let way = self.rooms.way(host.as_ref()).await?;
        if way == Way::Machine {
            // Written down before anything changes: the janitor goes by it.
            vdb::installed_before(host.as_ref(), command.run, Role::Builder).await?;
        }
        let store = Store::new(host.clone(), self.store.clone());
        let key = &command.job.key;
        let mut findings = Vec::new();
        let spec = self.spec(command);
        let held = store.look_up(key, command.job.compiled_as.as_ref()).await?;
        let mut of_others = None;
        match held {
            Held::Binary(binary) => return Ok(self.built(command, binary, true, 0, findings)),
            Held::Nothing => {}
            Held::Unreadable => {
                store.discard(key, None).await?;
                let text = format!(
                    "the store's record of {} could not be read and was discarded; it is built \
                     again",
                    key.cpv
                );
                findings.push(Finding::new(FindingKind::CorruptBinary, &text));
            }
            Held::Corrupt { path, wrong } => {
                store.discard(key, Some(&path)).await?;
                let what = wrong.words();
                let text = format!("{path} in the store was discarded and is built again: {what}");
                findings.push(Finding::new(FindingKind::CorruptBinary, &text));
            }
            Held::ForOthers { path, clash } => of_others = Some((path, clash)),
        }
        let timeout = self.context.settings.policy.scan_timeout;
        let answer = ebuild::ask(host.as_ref(), key, timeout).await?;
        ebuild::compare(&answer, &command.job)?;
        let own = answer.compiles_as(&self.builder)?;
        if let Some(wanted) = &command.job.compiled_as {
            platforms::check_builder(&own, self.builder.as_str(), wanted)?;
        }
        // Not before it is known that this builder can make another one.
        if let Some((path, clash)) = of_others {
            store.discard(key, Some(&path)).await?;
            let text = format!(
                "{path} in the store was discarded and is built again: it was compiled for other \
                 machines, with {clash}"
            );
            findings.push(Finding::new(FindingKind::PlatformDiffers, &text));
        }
        findings.extend(ebuild::difference(&answer, &command.job, &self.builder));
        let started = Instant::now();
        let log = self.compile(&host, &store, command, &spec, &way).await?;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let work = program::work_folder(command.run, &command.job);
        let mut binary = match examine(&store, &work, command, &own).await {
            Ok(binary) => binary,
            Err(failure) if is_of_result(&failure) => {
                self.forget(host.as_ref(), &spec, &log).await?;
                let log_path = Some(log.place);
                return Err(Failure {
                    log_path,
                    ..failure
                });
            }
            Err(failure) => return Err(failure),
        };
        binary.contents = contents::of(host.as_ref(), &work, &key.cpv, binary.build_id).await?;
        let stored = store.publish(&work, key, binary.clone(), own).await?;
        let reused = stored != binary;
        let mut built = self.built(command, stored, reused, duration_ms, findings);
        built.log_path = Some(log.place);
        Ok(built)
    }

    /// One detached program that outlives this worker. When it runs already, or has ended while
    /// nobody looked, this attaches to it. Gives the place of its log.
    async fn compile(
        &self,
        host: &Arc<dyn Host>,
        store: &Store,
        command: &BuildPackage,
        spec: &jobs::Description,
        way: &Way,
    ) -> Result<Kept, Failure> {
        let missing = dependencies::missing(host.as_ref(), &command.dependencies).await?;
        // What runs already is attached to, and then says itself how it went.
        if !missing.is_empty() && !jobs::is_known(host.as_ref(), spec).await? {
            dependencies::check(store, &missing, &command.job.key.cpv).await?;
        }
        let missing = dependencies::exact(&missing);
        let means = Means {
            store: &self.store,
            way,
            environment: &self.environment,
        };
        let program = program::build(command, &missing, &means)
            .timeout(self.context.settings.policy.build_timeout);
        let ended = match way {
            Way::Rooms { .. } => jobs::run_beside_others(host.as_ref(), spec, program).await,
            Way::Machine => jobs::run(host.as_ref(), spec, program).await,
        };
        let path = match &ended {
            Err(failure) if !failure.is_time_out() => return Err(failure.clone()),
            _ => spec.log_path(),
        };
        let log = log::keep(host.as_ref(), &self.store, &self.builder, command, &path).await;
        let ended = match ended {
            Ok(ended) => ended,
            Err(failure) => {
                log::clear(host.as_ref(), &log, &path).await?;
                let log_path = Some(log.place);
                return Err(Failure {
                    log_path,
                    ..failure
                });
            }
        };
        if ended.outcome == JobOutcome::Exited(0) {
            return Ok(log);
        }
        let failure = self.explain(command, &ended, log.place.clone());
        self.forget(host.as_ref(), spec, &log).await?;
        Err(failure)
    }

    /// A program that failed is reported from here on: another attempt shall not attach to it.
    async fn forget(
        &self,
        host: &dyn Host,
        spec: &jobs::Description,
        log: &Kept,
    ) -> Result<(), Failure> {
        jobs::forget(host, spec).await?;
        log::clear(host, log, &spec.log_path()).await
    }

    fn known(&self) -> MutexGuard<'_, Option<Platform>> {
        let known = self.compiles_as.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }

    fn spec(&self, command: &BuildPackage) -> jobs::Description {
        let job = &command.job;
        jobs::Description {
            id: format!("build-{}-{}", command.run, job.id.short()),
            log: format!("{}-{}.log", job.key.cpv.pf(), job.id.short()),
            run: command.run,
        }
    }

    /// What a program that did not end well means.
    fn explain(&self, command: &BuildPackage, ended: &jobs::Ended, log: String) -> Failure {
        let cpv = &command.job.key.cpv;
        let builder = &self.builder;
        let (class, cause, message) = match ended.outcome {
            JobOutcome::Exited(status::UNFIT) => (
                FailureClass::Machine,
                "BuilderUnfit".to_owned(),
                format!("builder {builder} could not prepare the build of {cpv}"),
            ),
            JobOutcome::Exited(status::NO_ROOM) => (
                FailureClass::Machine,
                "NoCleanRoom".to_owned(),
                format!("builder {builder} had clean rooms and could make none for {cpv}"),
            ),
            JobOutcome::Exited(status::DEPENDENCIES) => (
                FailureClass::Transient,
                "DependenciesNotInstalled".to_owned(),
                format!("the dependencies of {cpv} could not be installed from the store"),
            ),
            JobOutcome::Exited(code) => {
                let found = outcome::parse(&ended.log, code);
                let whose = match code {
                    status::OTHER_DEPENDENCIES => format!("a dependency of {cpv}"),
                    _ => cpv.to_string(),
                };
                explain_emerge(&found, &ended.log, &whose, builder)
            }
            JobOutcome::Killed(_) | JobOutcome::Vanished => (
                FailureClass::Transient,
                "BuildVanished".to_owned(),
                format!(
                    "the build of {cpv} on {builder} ended without an exit code: it was killed, or the machine restarted"
                ),
            ),
        };
        let lines = outcome::decisive_lines(&ended.log, 25);
        Failure::new(class, cause, message).with_log(lines, log)
    }

    fn built(
        &self,
        command: &BuildPackage,
        binary: Binary,
        reused: bool,
        duration_ms: u64,
        findings: Vec<Finding>,
    ) -> PackageBuilt {
        PackageBuilt {
            run: command.run,
            job: command.job.id.clone(),
            attempt: command.attempt,
            builder: self.builder.clone(),
            binary,
            reused,
            duration_ms: if reused { 0 } else { duration_ms },
            findings,
            log_path: None,
        }
    }
}

/// Checks what lies in the private folder against the key and the machines that it is for, and
/// measures it.
async fn examine(
    store: &Store,
    work: &Path,
    command: &BuildPackage,
    own: &Platform,
) -> Result<Binary, Failure> {
    let key = &command.job.key;
    let unreadable = |what: String| Failure::new(FailureClass::Machine, UNREADABLE, what);
    let build_id = store.read(&work.join("build-id")).await?;
    let build_id: u32 = build_id
        .trim()
        .parse()
        .map_err(|_| unreadable(format!("{} holds no BUILD_ID", work.display())))?;
    let packages = work.join("packages");
    let text = store.read(&packages.join("Packages")).await?;
    let index = PackagesIndex::parse(&text)
        .map_err(|error| unreadable(format!("the index of {}: {error}", packages.display())))?;
    let entry = fitting(&index, key, build_id, &own.chost)?;
    let path: StorePath = entry
        .path_in_store()
        .parse()
        .map_err(|error| unreadable(format!("the index of {}: {error}", packages.display())))?;
    let build_time = entry
        .build_time
        .ok_or_else(|| unreadable(format!("the index names no BUILD_TIME of {path}")))?;
    let file = path.below(&packages);
    let missing = || unreadable(format!("{path} is in the index and not in the folder"));
    check_file(entry, &store.digests(&file).await?.ok_or_else(missing)?)?;
    let measure = store.measure(&file).await?.ok_or_else(missing)?;
    Ok(Binary {
        cpv: key.cpv.clone(),
        slot: key.slot.clone(),
        build_id,
        build_time,
        path,
        size: measure.size,
        sha256: measure.sha256,
        contents: Contents::default(),
    })
}

/// What emerge's own words mean for the next attempt.
fn explain_emerge(
    found: &outcome::Outcome,
    log: &str,
    whose: &str,
    builder: &BuilderName,
) -> (FailureClass, String, String) {
    let phase = found
        .failures
        .last()
        .and_then(|failure| failure.phase.as_ref())
        .map(|phase| format!(" in its {phase} phase"))
        .unwrap_or_default();
    match found.kind {
        FailureKind::DiskFull => (
            FailureClass::Machine,
            "DiskFull".to_owned(),
            format!("builder {builder} ran out of disk space while it built {whose}"),
        ),
        FailureKind::FetchFailure => (
            FailureClass::Transient,
            "FetchFailure".to_owned(),
            format!("the sources of {whose} could not be fetched on {builder}"),
        ),
        FailureKind::Killed => (
            FailureClass::Transient,
            "BuildKilled".to_owned(),
            format!(
                "the build of {whose} on {builder} was killed{phase}; is there too little memory?"
            ),
        ),
        kind => (
            FailureClass::Permanent,
            format!("{kind:?}"),
            match outcome::decisive_line(log) {
                Some(line) => format!("{whose} could not be built on {builder}{phase}: {line}"),
                None => format!("{whose} could not be built on {builder}{phase}"),
            },
        ),
    }
}

#[async_trait]
impl Handler for BuildHandler {
    async fn handle(&self, command: &Command) -> Event {
        let Command::BuildPackage(build) = command else {
            return self.failed(command, wrong_command(command));
        };
        match self.build(build).await {
            Ok(built) => Event::PackageBuilt(built),
            Err(failure) => build.failed(Some(&self.builder), failure),
        }
    }

    async fn ready(&self) -> Result<(), Failure> {
        let host = self.context.machines.builder(&self.builder).await?;
        let (toolchain, platform) = Toolchain::ask(host.as_ref(), &self.builder).await?;
        *self.known() = Some(platform);
        let needs = Needs {
            builder: &self.builder,
            store: &self.store,
            min_free_megabytes: self.context.settings.policy.min_free_megabytes,
        };
        ready::check(host.as_ref(), &needs, &toolchain).await?;
        self.rooms.look(host.as_ref(), &toolchain).await?;
        if self.learnt.get().is_none() {
            let told = durations::learn(host.as_ref(), &self.builder, toolchain.logs()).await;
            self.learnt.get_or_init(|| Arc::new(told));
        }
        Ok(())
    }

    fn durations(&self) -> Arc<Durations> {
        self.learnt.get().cloned().unwrap_or_default()
    }

    fn at_once(&self) -> u16 {
        self.rooms.at_once()
    }

    fn machine(&self) -> Option<BuilderMachine> {
        Some(BuilderMachine {
            builder: self.builder.clone(),
            platform: self.platform.clone(),
            compiles_as: self.known().clone(),
            slots: Some(self.rooms.at_once()),
        })
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        command.failed(Some(&self.builder), failure)
    }
}
