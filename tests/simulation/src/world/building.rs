//! What a builder does with a job.

use gentoo_updater_fleet::message::{
    Binary, BuildPackage, Failure, FailureClass, Job, PackageBuilt, SearchStore, StoreSearched,
    Task, WorkKey,
};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_portage::build_key::HexDigest;
use tokio::time::{Instant, sleep_until};

use super::Compilation;
use super::handlers::{Hands, failure};
use super::machines::{JobFate, duration};
use crate::faults::Fault;

impl Hands {
    /// As the real builder: the store first, then a program that outlives its worker and is
    /// attached to.
    pub(super) async fn build(
        &self,
        builder: &BuilderName,
        command: &BuildPackage,
    ) -> Result<PackageBuilt, Failure> {
        self.takes(10, 300).await;
        let job = &command.job;
        if let Some(binary) = self.stored(job) {
            return Ok(built(builder, command, binary, true));
        }
        self.has_dependencies(command);
        if !self.is_fit() {
            self.trouble.weather.count(Fault::Unfit);
            return Err(failure(FailureClass::Machine, "DiskFull"));
        }
        let capacity = self.own_machine().map(super::BuilderMachine::capacity);
        if capacity.is_some_and(|capacity| job.needs.lacking(&capacity).is_some()) {
            self.trouble.weather.count(Fault::TooSmall);
            return Err(failure(FailureClass::Machine, "TooLittleMemory"));
        }
        let compilation = self.compilation(command);
        if self.world.packages.fate(&job.id) == JobFate::Deadly {
            self.die(command).await;
        }
        sleep_until(compilation.ends).await;
        self.trouble.step().await;
        if !compilation.is_good {
            // Whoever has seen why forgets the program, so that the next attempt begins anew.
            self.forget(&compilation);
            return Err(self.broken(job));
        }
        let binary = self.publish(job);
        self.trouble.step().await;
        Ok(built(builder, command, binary, false))
    }

    /// What the store holds, which machines that are unfit cannot say.
    pub(super) async fn search(
        &self,
        builder: &BuilderName,
        search: &SearchStore,
    ) -> Result<StoreSearched, Failure> {
        self.takes(10, 300).await;
        if !self.is_fit() {
            self.trouble.weather.count(Fault::Unfit);
            return Err(failure(FailureClass::Machine, "StoreUnreadable"));
        }
        let state = self.world.state();
        let held = search.wanted.keys().filter_map(|job| {
            let binary = state.store.get(job)?;
            Some((job.clone(), binary.clone()))
        });
        Ok(StoreSearched {
            run: search.run,
            platform: search.platform.clone(),
            attempt: search.attempt,
            builder: builder.clone(),
            held: held.collect(),
        })
    }

    /// This takes its worker along, some time after it was begun.
    async fn die(&self, command: &BuildPackage) {
        self.takes(10, 2_000).await;
        let work = WorkKey {
            run: command.run,
            task: Task::Build(command.job.id.clone()),
            attempt: command.attempt,
        };
        *self.world.state().deaths.entry(work).or_default() += 1;
        self.trouble.weather.count(Fault::Deadly);
        self.trouble.life.switch.pull().await;
    }

    fn stored(&self, job: &Job) -> Option<Binary> {
        self.world.state().store.get(&job.id).cloned()
    }

    /// What is ordered must be there: nobody may be told to build on what is not built.
    fn has_dependencies(&self, command: &BuildPackage) {
        let mut state = self.world.state();
        let missing = command
            .dependencies
            .iter()
            .find(|binary| !state.store.values().any(|stored| stored == *binary));
        if let Some(missing) = missing {
            let violation = format!(
                "{} is to be built with {}, which is not in the store",
                command.job.key.cpv, missing.path
            );
            state.violations.push(violation);
        }
    }

    pub(super) fn is_fit(&self) -> bool {
        self.own_machine().is_none_or(super::BuilderMachine::is_fit)
    }

    pub(super) fn own_machine(&self) -> Option<&super::BuilderMachine> {
        self.world.builders.get(self.builder.as_ref()?)
    }

    /// The program that runs for this job of this run on this machine; else a new one.
    fn compilation(&self, command: &BuildPackage) -> Compilation {
        let job = &command.job;
        let fate = self.world.packages.fate(&job.id);
        let slowness = self.own_machine().map_or(100, |machine| machine.slowness);
        let takes = duration(&self.dice, slowness);
        let mut state = self.world.state();
        let running = state.compilations.iter().rev().find(|known| {
            known.run == command.run
                && known.job == job.id
                && known.worker == self.worker
                && !known.is_forgotten
        });
        if let Some(running) = running {
            return running.clone();
        }
        let failed = state.failed_builds.entry(job.id.clone()).or_default();
        let is_good = match fate {
            JobFate::Good => true,
            JobFate::Broken | JobFate::Deadly => false,
            JobFate::FailsFirst(times) => *failed >= times,
        };
        *failed += u32::from(!is_good);
        let begun = Instant::now();
        let compilation = Compilation {
            run: command.run,
            job: job.id.clone(),
            attempt: command.attempt,
            worker: self.worker.clone(),
            begun,
            ends: begun + takes,
            is_good,
            is_forgotten: false,
        };
        state.compilations.push(compilation.clone());
        compilation
    }

    fn forget(&self, compilation: &Compilation) {
        let mut state = self.world.state();
        let mut known = state.compilations.iter_mut();
        if let Some(known) = known.find(|known| *known == compilation) {
            known.is_forgotten = true;
        }
    }

    fn broken(&self, job: &Job) -> Failure {
        match self.world.packages.fate(&job.id) {
            JobFate::FailsFirst(_) => {
                self.trouble.weather.count(Fault::Transient);
                failure(FailureClass::Transient, "BuildKilled")
            }
            _ => failure(FailureClass::Permanent, "CompileFailure"),
        }
    }

    /// Into the store, unless the key is there by now.
    fn publish(&self, job: &Job) -> Binary {
        let mut state = self.world.state();
        let build_id = u32::try_from(state.compilations.len()).unwrap_or(u32::MAX);
        let binary = Binary {
            cpv: job.key.cpv.clone(),
            slot: job.key.slot.clone(),
            build_id,
            build_time: u64::from(build_id),
            path: format!("cat/{}-{build_id}.gpkg.tar", job.key.cpv.pf())
                .parse()
                .expect("a path below a store"),
            size: 1000,
            sha256: HexDigest::sha256(format!("{} {build_id}", job.id).as_bytes()),
            contents: Default::default(),
            signed_by: None,
        };
        let stored_at = &mut state.stored_at;
        stored_at.entry(job.id.clone()).or_insert_with(Instant::now);
        state.store.entry(job.id.clone()).or_insert(binary).clone()
    }
}

fn built(
    builder: &BuilderName,
    command: &BuildPackage,
    binary: Binary,
    reused: bool,
) -> PackageBuilt {
    PackageBuilt {
        run: command.run,
        job: command.job.id.clone(),
        attempt: command.attempt,
        builder: builder.clone(),
        binary,
        reused,
        duration_ms: 1000,
        findings: Vec::new(),
        log_path: None,
    }
}
