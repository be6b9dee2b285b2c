//! The handlers of the roles, which work on the world and not on machines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gentoo_updater_bus::worker::Handler;
use gentoo_updater_fleet::message::{
    Binary, BuildFailed, BuilderCleaned, BuilderMachine, BuilderSynced, Command, Deleted, Event,
    Failure, FailureClass, Finding, FindingKind, GuestScanned, GuestUpdated, InstallPackages,
    PackageChange, ScanGuest, StoreCollected, SyncBuilder, WorkKey,
};
use gentoo_updater_fleet::name::{BuilderName, GuestName, WorkerId};
use gentoo_updater_portage::build_key::Platform;
use tokio::time::{Instant, sleep, sleep_until};

use super::machines::GuestFate;
use super::{World, platform};
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

    pub(super) async fn takes(&self, from: u64, to: u64) {
        sleep(self.dice.millis(from, to)).await;
        self.trouble.step().await;
    }

    /// Repositories are far away, and now and then nobody answers there.
    async fn sync(&self, sync: &SyncBuilder) -> Result<BuilderSynced, Failure> {
        self.takes(50, 2_000).await;
        if sync.attempt == 1 && self.dice.per_mille(200) {
            self.trouble.weather.count(Fault::Transient);
            return Err(failure(FailureClass::Transient, "SyncFailed"));
        }
        Ok(BuilderSynced {
            run: sync.run,
            builder: sync.builder.clone(),
            attempt: sync.attempt,
            repositories: Vec::new(),
        })
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
        let findings = self.wants_more(&order.guest);
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
            findings: findings.into_iter().collect(),
        })
    }

    /// Some guests want something else after each installation, for a while.
    fn wants_more(&self, guest: &GuestName) -> Option<Finding> {
        let state = self.world.state();
        let rounds = state.installed.keys().filter(|(name, _)| name == guest);
        let rounds = rounds.count();
        (rounds <= self.world.guests.get(guest)?.insatiable).then(|| {
            let text = format!("something is still wanted after {rounds} installations");
            Finding::new(FindingKind::StillPending, &text)
        })
    }
}

pub(super) fn failure(class: FailureClass, cause: &str) -> Failure {
    Failure::new(class, cause, "as the seed wants it")
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
            Command::SearchStore(search) => {
                let Some(builder) = &self.builder else {
                    return command.failed(None, failure(FailureClass::Permanent, "WrongRole"));
                };
                match self.search(builder, search).await {
                    Ok(searched) => Event::StoreSearched(searched),
                    Err(failure) => search.failed(failure),
                }
            }
            Command::BuildPackage(build) => {
                let Some(builder) = &self.builder else {
                    return command.failed(None, failure(FailureClass::Permanent, "WrongRole"));
                };
                match self.build(builder, build).await {
                    Ok(built) => Event::PackageBuilt(built),
                    Err(failure) => Event::BuildFailed(BuildFailed {
                        run: build.run,
                        job: build.job.id.clone(),
                        attempt: build.attempt,
                        builder: Some(builder.clone()),
                        had: self.own_machine().map(super::BuilderMachine::capacity),
                        failure,
                    }),
                }
            }
            Command::InstallPackages(order) => match self.install(order).await {
                Ok(updated) => Event::GuestUpdated(updated),
                Err(failure) => order.failed(failure),
            },
            Command::SyncBuilder(sync) => match self.sync(sync).await {
                Ok(synced) => Event::BuilderSynced(synced),
                Err(failure) => sync.failed(failure),
            },
            Command::CollectStore(collect) => {
                self.takes(50, 4_000).await;
                if self.dice.per_mille(200) {
                    self.trouble.weather.count(Fault::Transient);
                    return collect.failed(failure(FailureClass::Transient, "RunGoesOn"));
                }
                Event::StoreCollected(StoreCollected {
                    run: collect.run,
                    platform: collect.platform.clone(),
                    attempt: collect.attempt,
                    builder: "b1".parse().expect("a name"),
                    deleted: Deleted::default(),
                    too_large_by: 0,
                    by_memory: BTreeSet::new(),
                    unknown: BTreeMap::new(),
                })
            }
            Command::CleanBuilder(clean) => {
                self.takes(50, 2_000).await;
                Event::BuilderCleaned(BuilderCleaned {
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
    }

    async fn ready(&self) -> Result<(), Failure> {
        if self.is_fit() {
            Ok(())
        } else {
            Err(failure(FailureClass::Machine, "DiskFull"))
        }
    }

    fn machine(&self) -> Option<BuilderMachine> {
        let variable = |name: &str| match name {
            "CHOST" => Some("x86_64-pc-linux-gnu"),
            "ARCH" => Some("amd64"),
            _ => None,
        };
        let compiles_as = Platform::from_variables(variable, BTreeSet::new());
        Some(BuilderMachine {
            builder: self.builder.clone()?,
            platform: platform(),
            compiles_as: Some(compiles_as.expect("the variables of a platform")),
            slots: Some(1),
            capacity: self.own_machine().map(super::BuilderMachine::capacity),
        })
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        command.failed(self.builder.as_ref(), failure)
    }
}
