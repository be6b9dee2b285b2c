//! The order of steps of one build.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use gentoo_updater_bus::worker::Handler;
use gentoo_updater_fleet::config::{self, BuildEnvironment, Builder};
use gentoo_updater_fleet::message::{
    Binary, BuildFailed, BuildPackage, BuilderMachine, Command, Durations, Event, Failure, Finding,
    FindingKind, PackageBuilt, Role, SearchStore, StoreSearched,
};
use gentoo_updater_fleet::name::{BuilderName, PlatformName};
use gentoo_updater_fleet::needs::Capacity;
use gentoo_updater_fleet::platforms;
use gentoo_updater_hosts::Host;
use gentoo_updater_hosts::job::JobOutcome;
use gentoo_updater_portage::build_key::Platform;
use gentoo_updater_runtime::signing::settle;
use gentoo_updater_runtime::{Context, jobs, manifest, vdb, wrong_command};

use crate::capacity;
use crate::check::is_of_result;
use crate::contents;
use crate::dependencies;
use crate::durations;
use crate::ebuild;
use crate::examine::examine;
use crate::explain::explain;
use crate::log::{self, Kept};
use crate::program::{self, Means};
use crate::ready::{self, Needs, Toolchain};
use crate::room::{Rooms, Way};
use crate::search;
use crate::share::{self, Share, Shares};
use crate::signing::{self, Signatures};
use crate::store::{Held, Store};

/// Builds packages on one machine.
pub(crate) struct BuildHandler {
    context: Context,
    builder: BuilderName,
    platform: PlatformName,
    environment: BuildEnvironment,
    store: PathBuf,
    /// Whether what it builds is to be signed.
    sign: bool,
    rooms: Rooms,
    shares: Shares,
    known: Mutex<Known>,
    /// What the machine's log told when it was read, once a start.
    learnt: OnceLock<Arc<Durations>>,
}

/// What the machine was when it was last asked whether it is ready.
#[derive(Default)]
struct Known {
    compiles_as: Option<Platform>,
    capacity: Option<Capacity>,
    /// PORTAGE_TMPDIR.
    temporary: Option<PathBuf>,
    /// Where emerge writes its log.
    logs: Option<PathBuf>,
}

impl BuildHandler {
    pub(crate) fn new(
        context: Context,
        name: BuilderName,
        builder: Builder,
        platform: &config::Platform,
    ) -> Self {
        let store = platform.store.clone();
        Self {
            context,
            sign: platform.sign,
            platform: builder.platform.clone(),
            environment: builder.environment.clone(),
            shares: Shares::new(builder.slots),
            rooms: Rooms::new(name.clone(), builder, store.clone()),
            builder: name,
            store,
            known: Mutex::default(),
            learnt: OnceLock::new(),
        }
    }

    /// The build's share of the machine. It is looked whether that is large enough by now when those have
    /// ended for whose slots it waits; what was begun before has taken of the space already.
    async fn share(&self, command: &BuildPackage) -> Result<Share, Failure> {
        let configured = &command.job.needs;
        let capacity = self.known().capacity;
        let at_once = self.rooms.at_once();
        let share = self.shares.take(command.needs, capacity, at_once).await;
        if !configured.is_none() {
            let host = self.context.machines.builder(&self.builder).await?;
            if !jobs::is_known(host.as_ref(), &self.spec(command)).await? {
                let now = self.capacity(host.as_ref()).await?;
                share::check(&self.builder, &command.job.key.cpv, configured, &now)?;
            }
        }
        Ok(share)
    }

    async fn capacity(&self, host: &dyn Host) -> Result<Capacity, Failure> {
        let temporary = self.known().temporary.clone();
        let temporary = temporary.map(|folder| folder.display().to_string());
        // A room has its own, in the folder of its job.
        let is_room = matches!(self.rooms.way(host).await?, Way::Rooms { .. });
        let folders = temporary.filter(|_| !is_room).into_iter();
        let folders: Vec<String> = folders.chain([jobs::WORK.to_owned()]).collect();
        capacity::ask_machine(host, &self.builder, &folders).await
    }

    async fn search(&self, command: &SearchStore) -> Result<StoreSearched, Failure> {
        let host = self.context.machines.builder(&self.builder).await?;
        let signed = Signatures::wanted(host.as_ref(), &self.store, self.sign).await?;
        let store = Store::new(host, self.store.clone());
        Ok(StoreSearched {
            run: command.run,
            platform: command.platform.clone(),
            attempt: command.attempt,
            builder: self.builder.clone(),
            held: search::held(&store, &command.wanted, &signed).await?,
        })
    }

    async fn build(&self, command: &BuildPackage) -> Result<PackageBuilt, Failure> {
        let host = self.context.machines.builder(&self.builder).await?;
        let way = self.rooms.way(host.as_ref()).await?;
        if way == Way::Machine {
            // Written down before anything changes: the janitor goes by it.
            vdb::installed_before(host.as_ref(), command.run, Role::Builder).await?;
            let settings = &self.context.settings;
            manifest::before_builds(host.as_ref(), settings, &self.builder, command.run).await?;
        }
        let store = Store::new(host.clone(), self.store.clone());
        let key = &command.job.key;
        let mut findings = Vec::new();
        let spec = self.spec(command);
        let signed = Signatures::wanted(host.as_ref(), &self.store, self.sign).await?;
        let compiled_as = command.job.compiled_as.as_ref();
        let mut held = store.look_up(key, compiled_as, &signed).await?;
        // It can be that somebody signs it anew, or began to and did not come to the end.
        if matches!(held, Held::Corrupt { .. }) && settle(host.as_ref(), &self.store).await? {
            held = store.look_up(key, compiled_as, &signed).await?;
        }
        if let Held::Corrupt { path, wrong, .. } = &held
            && store.discard(key, path).await?
        {
            let what = wrong.words();
            let text = format!("{path} in the store was discarded and is built again: {what}");
            findings.push(Finding::new(FindingKind::CorruptBinary, &text));
            // Somebody else may have been faster.
            held = store.look_up(key, compiled_as, &signed).await?;
        }
        // What has no part in this run stays until there is another one: guests may have it installed.
        let (former, finding) = match held {
            Held::Binary(binary) => return Ok(self.built(command, binary, true, 0, findings)),
            Held::Nothing => (None, None),
            Held::Unreadable(former) => {
                let text = format!(
                    "the store's record of {} cannot be read; it is built again",
                    key.cpv
                );
                (Some(former), Some((FindingKind::CorruptBinary, text)))
            }
            Held::Corrupt { former, wrong, .. } => {
                let what = wrong.words();
                let text = format!("{} in the store is built again: {what}", former.words());
                (Some(former), Some((FindingKind::CorruptBinary, text)))
            }
            Held::ForOthers { former, clash } => {
                let text = format!(
                    "{} in the store is built again: it was compiled for other machines, with {clash}",
                    former.words()
                );
                (Some(former), Some((FindingKind::PlatformDiffers, text)))
            }
            Held::Unsigned { former } => {
                let text = format!(
                    "{} in the store is built again: it has no signature that counts; `gentoo-updater \
                     store keys sign --unsigned` signs what a store holds",
                    former.words()
                );
                (Some(former), Some((FindingKind::Other, text)))
            }
        };
        findings.extend(finding.map(|(kind, text)| Finding::new(kind, &text)));
        let timeout = self.context.settings.policy.scan_timeout;
        let answer = ebuild::ask(host.as_ref(), key, timeout).await?;
        ebuild::compare(&answer, &command.job)?;
        let own = answer.compiles_as(&self.builder)?;
        if let Some(wanted) = &command.job.compiled_as {
            platforms::check_builder(&own, self.builder.as_str(), wanted)?;
        }
        findings.extend(ebuild::difference(&answer, &command.job, &self.builder));
        let started = Instant::now();
        let log = self.compile(&host, &store, command, &spec, &way).await?;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let work = program::work_folder(command.run, &command.job);
        let signed_by = match self.sign {
            true => signing::sign_result(host.as_ref(), &self.builder, &work, &key.cpv).await?,
            false => None,
        };
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
        if self.sign && signed_by.is_none() {
            return Err(signing::unsigned(&binary));
        }
        binary.signed_by = signed_by;
        binary.contents = contents::of(host.as_ref(), &work, &key.cpv, binary.build_id).await?;
        let stored = store
            .publish(&work, key, binary.clone(), own, former.as_ref())
            .await?;
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
        let policy = &self.context.settings.policy;
        let packages = &self.context.settings.packages;
        let limits = policy.build_limits.of(&command.job.key, packages);
        let logs = self.known().logs.clone();
        let means = Means {
            store: &self.store,
            way,
            environment: &self.environment,
            logs: logs.as_deref(),
            limits,
            sign: self.sign,
        };
        let program = program::build(command, spec, &missing, &means);
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
        let (cpv, place) = (&command.job.key.cpv, log.place.clone());
        let failure = explain(&self.builder, cpv, &ended, limits, place);
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

    fn known(&self) -> MutexGuard<'_, Known> {
        let known = self.known.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }

    fn spec(&self, command: &BuildPackage) -> jobs::Description {
        jobs::Description::of_build(command.run, &command.job)
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

#[async_trait]
impl Handler for BuildHandler {
    async fn handle(&self, command: &Command) -> Event {
        let build = match command {
            Command::BuildPackage(build) => build,
            Command::SearchStore(search) => {
                let searched = self.search(search).await.map(Event::StoreSearched);
                return searched.unwrap_or_else(|failure| search.failed(failure));
            }
            _ => return self.failed(command, wrong_command(command)),
        };
        let share = match self.share(build).await {
            Ok(share) => share,
            Err(failure) => return build.failed(Some(&self.builder), failure),
        };
        match self.build(build).await {
            Ok(built) => Event::PackageBuilt(built),
            Err(failure) => Event::BuildFailed(BuildFailed {
                run: build.run,
                job: build.job.id.clone(),
                attempt: build.attempt,
                builder: Some(self.builder.clone()),
                had: share.had,
                failure,
            }),
        }
    }

    async fn ready(&self) -> Result<(), Failure> {
        let host = self.context.machines.builder(&self.builder).await?;
        let (toolchain, platform) = Toolchain::ask(host.as_ref(), &self.builder).await?;
        {
            let mut known = self.known();
            known.compiles_as = Some(platform);
            known.temporary = Some(toolchain.temporary.clone());
            known.logs = Some(toolchain.logs().to_owned());
        }
        let needs = Needs {
            builder: &self.builder,
            store: &self.store,
            min_free_megabytes: self.context.settings.policy.min_free_megabytes,
        };
        ready::check(host.as_ref(), &needs, &toolchain).await?;
        if self.sign {
            signing::ready(host.as_ref(), &self.builder, &self.store).await?;
        }
        self.rooms.look(host.as_ref(), &toolchain).await?;
        // While something is built there is less space than there is for builds.
        if self.shares.are_idle() {
            let capacity = self.capacity(host.as_ref()).await?;
            self.known().capacity = Some(capacity::rounded(capacity));
        }
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

    fn slots_for(&self, command: &Command) -> u16 {
        let Command::BuildPackage(build) = command else {
            return 1;
        };
        let capacity = self.known().capacity;
        let at_once = self.rooms.at_once();
        self.shares
            .slots_for(&build.needs, capacity.as_ref(), at_once)
    }

    fn machine(&self) -> Option<BuilderMachine> {
        let (compiles_as, capacity) = {
            let known = self.known();
            (known.compiles_as.clone(), known.capacity)
        };
        Some(BuilderMachine {
            builder: self.builder.clone(),
            platform: self.platform.clone(),
            compiles_as,
            slots: Some(self.rooms.at_once()),
            capacity,
        })
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        command.failed(Some(&self.builder), failure)
    }
}
