//! The handlers of the roles, which work on the world and not on machines.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gentoo_updater_bus::worker::Handler;
use gentoo_updater_fleet::message::{
    Binary, BuildPackage, BuilderCleaned, Command, Event, Failure, FailureClass, GuestScanned,
    GuestUpdated, InstallPackages, Job, PackageBuilt, PackageChange, ScanGuest, Task, WorkKey,
};
use gentoo_updater_fleet::name::{BuilderName, GuestName, WorkerId};
use gentoo_updater_portage::build_key::HexDigest;
use tokio::time::{Instant, sleep, sleep_until};

use super::machines::{GuestFate, JobFate, duration};
use super::{Compilation, World};
use crate::bus::Trouble;
use crate::faults::Fault;
use crate::random::Dice;

/// How long a machine that is gone keeps a worker waiting.
const UNREACHABLE_AFTER: Duration = Duration::from_secs(5);

/// One worker's hands: what it does with a command.
pub struct Hands {
    /// What it works on.
    pub world: Arc<World>,
    /// Whose hands they are.
    pub worker: WorkerId,
    /// The builder that it works on, for builders.
    pub builder: Option<BuilderName>,
    /// What happens to its process.
    pub trouble: Trouble,
    /// How long things take. It is the machine's, and not the process's.
    pub dice: Arc<Dice>,
}

/// Notes who works on what, for as long as it lives.
struct AtWork<'a>(&'a World, WorkKey);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.state().at_work.remove(&self.1);
    }
}

impl Hands {
    fn begin(&self, command: &Command) -> AtWork<'_> {
        let work = command.work();
        let mut state = self.world.state();
        if self.trouble.records.is_told(&work) {
            let again = format!(
                "{} (attempt {}) is worked on again by {} although its result was kept",
                work.task, work.attempt, self.worker
            );
            state.violations.push(again);
        }
        let other = state.at_work.insert(work.clone(), self.worker.clone());
        if let Some(other) = other {
            let both = format!(
                "{} (attempt {}) is worked on by {other} and {} at once",
                work.task, work.attempt, self.worker
            );
            state.violations.push(both);
        }
        AtWork(&self.world, work)
    }

    async fn takes(&self, from: u64, to: u64) {
        sleep(self.dice.millis(from, to)).await;
        self.trouble.step().await;
    }

    async fn scan(&self, scan: &ScanGuest) -> Result<GuestScanned, Failure> {
        self.takes(50, 3_000).await;
        let fate = self.fate(&scan.guest);
        match fate {
            GuestFate::Vanished => Err(self.unreachable(&scan.guest).await),
            GuestFate::AnswersNonsense => {
                Err(failure(FailureClass::Permanent, "OutputNotUnderstood"))
            }
            GuestFate::AnswersLate => {
                let key = (scan.guest.clone(), scan.run);
                let failed = {
                    let mut state = self.world.state();
                    let failed = state.failed_scans.entry(key).or_default();
                    *failed += 1;
                    *failed
                };
                if failed < 3 {
                    self.trouble.weather.count(Fault::Transient);
                    return Err(self.unreachable(&scan.guest).await);
                }
                Ok(self.world.packages.answer(scan))
            }
            GuestFate::Good | GuestFate::VanishesLater => Ok(self.world.packages.answer(scan)),
        }
    }

    fn fate(&self, guest: &GuestName) -> GuestFate {
        let guest = self.world.guests.get(guest);
        guest.map_or(GuestFate::Vanished, |guest| guest.fate)
    }

    async fn unreachable(&self, guest: &GuestName) -> Failure {
        self.trouble.weather.count(Fault::GuestVanished);
        sleep(UNREACHABLE_AFTER).await;
        let mut failure = failure(FailureClass::Transient, "Unreachable");
        failure.message = format!("{guest} does not answer");
        failure
    }

    /// As the real builder: the store first, then a program that outlives its worker and is
    /// attached to.
    async fn build(
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

    fn is_fit(&self) -> bool {
        let builder = self.builder.as_ref();
        let machine = builder.and_then(|builder| self.world.builders.get(builder));
        machine.is_none_or(super::BuilderMachine::is_fit)
    }

    /// The program that runs for this job of this run on this machine; else a new one.
    fn compilation(&self, command: &BuildPackage) -> Compilation {
        let job = &command.job;
        let fate = self.world.packages.fate(&job.id);
        let builder = self.builder.as_ref();
        let machine = builder.and_then(|builder| self.world.builders.get(builder));
        let slowness = machine.map_or(100, |machine| machine.slowness);
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
                failure(FailureClass::Transient, "FetchFailure")
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
        };
        let stored_at = &mut state.stored_at;
        stored_at.entry(job.id.clone()).or_insert_with(Instant::now);
        state.store.entry(job.id.clone()).or_insert(binary).clone()
    }

    async fn install(&self, order: &InstallPackages) -> Result<GuestUpdated, Failure> {
        self.takes(10, 300).await;
        if self.fate(&order.guest) == GuestFate::VanishesLater {
            return Err(self.unreachable(&order.guest).await);
        }
        let binaries: Vec<Binary> = order.packages.iter().map(|p| p.binary.clone()).collect();
        let key = (order.guest.clone(), order.run);
        let is_done = {
            let mut state = self.world.state();
            let known = state.installations.iter();
            let mut known = known.filter(|(guest, run, _)| (guest, run) == (&key.0, &key.1));
            match known.next() {
                Some((.., ends)) => *ends,
                None => {
                    let ends = Instant::now() + self.dice.millis(100, 8_000);
                    let (guest, run) = key.clone();
                    state.installations.push((guest, run, ends));
                    ends
                }
            }
        };
        sleep_until(is_done).await;
        let before = self.world.state().installed.insert(key, binaries.clone());
        if before.is_some_and(|before| before != binaries) {
            let violation = format!("{} is told to install two different sets", order.guest);
            self.world.state().violations.push(violation);
        }
        self.trouble.step().await;
        let changes = binaries.iter().map(|binary| PackageChange {
            before: None,
            after: Some(binary.cpv.clone()),
        });
        Ok(GuestUpdated {
            run: order.run,
            guest: order.guest.clone(),
            attempt: order.attempt,
            changes: changes.collect(),
            held: order.held.clone(),
            findings: Vec::new(),
        })
    }
}

fn failure(class: FailureClass, cause: &str) -> Failure {
    Failure::new(class, cause, "as the seed wants it")
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
    }
}

#[async_trait]
impl Handler for Hands {
    async fn handle(&self, command: &Command) -> Event {
        let _at_work = self.begin(command);
        self.trouble.step().await;
        match command {
            Command::ScanGuest(scan) => match self.scan(scan).await {
                Ok(answer) => Event::GuestScanned(answer),
                Err(failure) => scan.failed(failure),
            },
            Command::BuildPackage(build) => {
                let Some(builder) = &self.builder else {
                    return command.failed(None, failure(FailureClass::Permanent, "WrongRole"));
                };
                match self.build(builder, build).await {
                    Ok(built) => Event::PackageBuilt(built),
                    Err(failure) => build.failed(Some(builder), failure),
                }
            }
            Command::InstallPackages(order) => match self.install(order).await {
                Ok(updated) => Event::GuestUpdated(updated),
                Err(failure) => order.failed(failure),
            },
            Command::CleanBuilder(clean) => {
                self.takes(50, 2_000).await;
                Event::BuilderCleaned(BuilderCleaned {
                    run: clean.run,
                    builder: clean.builder.clone(),
                    attempt: clean.attempt,
                    removed: Vec::new(),
                    kept: Vec::new(),
                    updated: Vec::new(),
                })
            }
        }
    }

    async fn ready(&self) -> Result<(), Failure> {
        if self.is_fit() {
            Ok(())
        } else {
            Err(failure(FailureClass::Machine, "DiskFull"))
        }
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        command.failed(self.builder.as_ref(), failure)
    }
}
