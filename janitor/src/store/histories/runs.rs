//! Runs: what happens in them, and what is said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::{JobId, RunId};
use gentoo_updater_fleet::needs::Needs;
use gentoo_updater_portage::build_key::BuildKey;
use uuid::Uuid;

use super::world::{Binaries, Number, World, cpv, name, numbers, platform};
use crate::store::testing;

/// A run, as it really is.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) id: RunId,
    /// The first round of the update that it is of, which can be itself.
    pub(super) first: usize,
    pub(super) is_update: bool,
    pub(super) guests: BTreeSet<usize>,
    /// When its guests were asked, by the events that were said before.
    pub(super) asked: usize,
    /// What they said.
    pub(super) answers: BTreeMap<usize, Binaries>,
    are_told: bool,
    /// What it has built or found.
    pub(super) products: BTreeSet<Number>,
    /// Whether it has built something.
    pub(super) has_built: bool,
    /// The guests on which it has installed something.
    pub(super) updated: BTreeSet<usize>,
    /// By the events that were said before.
    pub(super) ended: Option<usize>,
}

impl World {
    /// One of the runs that go on.
    pub(super) fn going_on(&self, run: usize) -> Option<usize> {
        let all: Vec<usize> = (0..self.runs.len())
            .filter(|run| self.runs[*run].ended.is_none())
            .collect();
        let place = run.checked_rem(all.len())?;
        all.get(place).copied()
    }

    /// A run of all guests, which is over.
    pub(super) fn update(&mut self, built: &BTreeSet<usize>) {
        let guests = (0..self.guests.len()).collect();
        self.begin(&guests, true, None);
        let run = self.runs.len() - 1;
        self.work(run, &BTreeSet::new(), built);
        self.install(run, &BTreeSet::new());
        self.end(run);
    }

    /// Somebody asks for a run, and its guests are asked. What they say is told later.
    pub(super) fn begin(
        &mut self,
        guests: &BTreeSet<usize>,
        is_update: bool,
        follows: Option<usize>,
    ) {
        let number = self.runs.len();
        let id = RunId(Uuid::from_u128(
            0x0190_0000_0000_7000_8000_0000_0000_0000 + number as u128,
        ));
        let guests: BTreeSet<usize> = guests
            .iter()
            .copied()
            .filter(|guest| *guest < self.guests.len())
            .collect();
        self.say(&Event::RunRequested(RunRequested {
            run: id,
            kind: match is_update {
                true => RunKind::Update,
                false => RunKind::ScanOnly,
            },
            more_rounds: 0,
            follows: follows.map(|run| self.runs[run].id),
            retries: 0,
            guests: guests
                .iter()
                .map(|guest| (name(*guest), platform()))
                .collect(),
            force: false,
            sync: ToSync::default(),
            rollout: Default::default(),
            schedule: None,
        }));
        for guest in &guests {
            self.say(&Event::WorkStarted(WorkStarted {
                work: WorkKey {
                    run: id,
                    task: Task::Scan(name(*guest)),
                    attempt: 1,
                },
                worker: "scanner@s".parse().unwrap(),
                builder: None,
            }));
        }
        let on = guests.iter().filter(|guest| !self.guests[**guest].is_off);
        let answers = on.map(|guest| (*guest, self.guests[*guest].has.clone()));
        self.runs.push(Run {
            id,
            first: follows.map_or(number, |run| self.runs[run].first),
            is_update,
            answers: answers.collect(),
            guests,
            asked: self.said,
            are_told: false,
            products: BTreeSet::new(),
            has_built: false,
            updated: BTreeSet::new(),
            ended: None,
        });
    }

    /// Tells the answers, and says what the store holds and what is built.
    pub(super) fn work(&mut self, run: usize, found: &BTreeSet<usize>, built: &BTreeSet<usize>) {
        self.tell(run);
        if !self.runs[run].is_update {
            return;
        }
        let oldest = |package: &usize| {
            let mut all = self.store.keys().filter(|number| number.0 == *package);
            all.find(|number| !self.without_record.contains(number))
                .copied()
        };
        let found: Vec<Number> = found.iter().filter_map(oldest).collect();
        let held = found.iter().map(|number| {
            let job = JobId::of(&platform(), &key(number));
            (job, self.binary(number))
        });
        let id = self.runs[run].id;
        let searched = Event::StoreSearched(StoreSearched {
            run: id,
            platform: platform(),
            attempt: 1,
            builder: "b1".parse().unwrap(),
            held: held.collect(),
        });
        self.say(&searched);
        self.runs[run].products.extend(found);
        for package in built {
            let (version, _) = self.newest[package];
            let number = self.build(*package, version + 1);
            self.newest.insert(*package, (number.1, number.2));
            self.plan_and_build(id, &number);
            self.runs[run].products.insert(number);
            self.runs[run].has_built = true;
        }
    }

    fn plan_and_build(&mut self, run: RunId, number: &Number) {
        let key = key(number);
        let id = JobId::of(&platform(), &key);
        let job = Job {
            id: id.clone(),
            platform: platform(),
            key: key.into(),
            wanted_by: BTreeSet::new(),
            build_needs: BTreeSet::new(),
            runtime_needs: BTreeSet::new(),
            accepts: BTreeSet::new(),
            revision: None,
            download: None,
            compiled_as: None,
            needs: Needs::default(),
        };
        let batch = Batch {
            jobs: vec![job],
            ..Batch::default()
        };
        self.say(&Event::BatchPlanned(BatchPlanned { run, batch }));
        let binary = self.binary(number);
        self.say(&Event::PackageBuilt(PackageBuilt {
            run,
            job: id,
            attempt: 1,
            builder: "b1".parse().unwrap(),
            binary,
            reused: false,
            duration_ms: 1,
            findings: Vec::new(),
            log_path: None,
        }));
    }

    fn tell(&mut self, run: usize) {
        if std::mem::replace(&mut self.runs[run].are_told, true) {
            return;
        }
        let (id, answers) = (self.runs[run].id, self.runs[run].answers.clone());
        for (guest, has) in answers {
            let package = |(package, version, build_id): Number| {
                Arc::new(InstalledPackage {
                    cpv: cpv(package, version),
                    slot: "0".parse().unwrap(),
                    repository: None,
                    build_id: Some(build_id),
                    bindings: Vec::new(),
                })
            };
            self.say(&Event::GuestScanned(GuestScanned {
                run: id,
                guest: name(guest),
                attempt: 1,
                identity: Identity::default(),
                updates: Vec::new(),
                installed: numbers(&has).map(package).collect(),
                findings: Vec::new(),
                unchanged_since: None,
                unsettled: false,
            }));
        }
    }

    /// Puts what a run has built and found on its guests.
    pub(super) fn install(&mut self, run: usize, failing: &BTreeSet<usize>) {
        self.tell(run);
        let Run { id, products, .. } = self.runs[run].clone();
        for number in &products {
            assert!(
                self.store.contains_key(number),
                "{number:?} was promised and is gone"
            );
        }
        let fresh: Binaries = products
            .iter()
            .map(|(package, version, id)| (*package, (*version, *id)))
            .collect();
        let guests: Vec<usize> = self.runs[run].answers.keys().copied().collect();
        for guest in guests {
            if fresh.is_empty() || self.guests[guest].is_off {
                continue;
            }
            let is_failing = failing.contains(&guest);
            if !is_failing {
                self.guests[guest].has.extend(&fresh);
                self.runs[run].updated.insert(guest);
            }
            let event = match is_failing {
                true => failed(id, guest),
                false => updated(id, guest, &fresh),
            };
            self.say(&event);
        }
    }

    pub(super) fn end(&mut self, run: usize) {
        self.tell(run);
        let id = self.runs[run].id;
        self.say(&Event::RunFinished(RunFinished {
            run: id,
            outcome: RunOutcome::Complete,
            retries: 0,
        }));
        self.runs[run].ended = Some(self.said);
        self.now += 60;
    }
}

fn key((package, version, build_id): &Number) -> BuildKey {
    testing::key(&cpv(*package, *version).to_string(), *build_id)
}

fn updated(run: RunId, guest: usize, fresh: &Binaries) -> Event {
    let change = |(package, (version, _)): (&usize, &(u32, u32))| PackageChange {
        before: None,
        after: Some(cpv(*package, *version)),
    };
    Event::GuestUpdated(GuestUpdated {
        run,
        guest: name(guest),
        attempt: 1,
        changes: fresh.iter().map(change).collect(),
        held: Vec::new(),
        findings: Vec::new(),
    })
}

fn failed(run: RunId, guest: usize) -> Event {
    Event::InstallFailed(InstallFailed {
        run,
        guest: name(guest),
        attempt: 1,
        failure: Failure::new(FailureClass::Permanent, "NotThisTime", "no"),
        begun: false,
        changes: Vec::new(),
        held: Vec::new(),
        findings: Vec::new(),
        rolled_back: None,
    })
}
