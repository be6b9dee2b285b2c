//! A fleet whose guests all want one package that is built, and a clock that goes from one thing that
//! happens to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gentoo_updater_fleet::decide::{Order, Patience, decide, observe};
use gentoo_updater_fleet::liveness::Liveness;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::*;
use gentoo_updater_fleet::report::{GuestOutcome, Report, guest_outcome};
use gentoo_updater_fleet::rollout::{Gate, Rollout, Verdict, Wait, Wave};
use gentoo_updater_fleet::state::Run;
use gentoo_updater_portage::cpv::Cpv;
use jiff::{SignedDuration, Timestamp};

use crate::common::*;

/// How long the installation on a guest takes.
pub const INSTALLATION: i64 = 60;

/// What becomes of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes well.
    Well,
    /// It fails when it was begun.
    Fails,
    /// It goes well, and the guest wants the same again.
    Forgotten,
    /// It is put back after its installation.
    PutBack,
    /// The guest cannot be reached.
    Vanished,
    /// The guest cannot be reached any more when it was begun.
    Dies,
    /// The guest cannot be reached any more when it was begun, and the next attempt goes well.
    Recovers,
    /// Its command is taken this many seconds after it was issued.
    Late(i64),
}

/// One thing that happened on a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    Begun(GuestName),
    Ended(GuestName),
}

pub struct Scene {
    pub history: History,
    pub fates: BTreeMap<GuestName, Fate>,
    /// What happened in which run, and when.
    pub log: Vec<(RunId, Timestamp, Happened)>,
    /// What was ordered for guests, in the order in which it was begun.
    pub orders: Vec<(GuestName, Vec<String>)>,
    /// The round that goes on.
    pub round: RunId,
    /// What guests want until they have it, and what they have beside it.
    plans: BTreeMap<GuestName, (Vec<Update>, Vec<InstalledPackage>)>,
    /// What happens at a time by itself: results of installations, and what operators say.
    agenda: BTreeMap<(Timestamp, u64), Event>,
    begin: BTreeMap<(Timestamp, u64), Box<InstallPackages>>,
    number: u64,
    liveness: Liveness,
}

fn put_back(command: &InstallPackages) -> Event {
    let packages = command.packages.iter();
    Event::InstallFailed(InstallFailed {
        run: command.run,
        guest: command.guest.clone(),
        attempt: command.attempt,
        failure: permanent("HealthCheckFailed"),
        begun: true,
        changes: vec![],
        held: command.held.clone(),
        findings: vec![],
        rolled_back: Some(RolledBack {
            packages: packages.map(|it| it.key.cpv.clone()).collect(),
            failure: None,
        }),
    })
}

fn build_failed(run: RunId, job: JobId, attempt: u32) -> Event {
    Event::BuildFailed(BuildFailed {
        run,
        job,
        attempt,
        builder: None,
        failure: permanent("CompileFailure"),
        had: None,
    })
}

pub fn wave(name: &str, guests: &[&str]) -> Wave {
    Wave {
        name: name.parse().unwrap(),
        guests: guests.iter().map(|name| guest(name)).collect(),
        soak_seconds: 0,
        at_once: None,
        windows: Vec::new(),
        needs_approval: false,
    }
}

pub fn waves(waves: Vec<Wave>) -> Rollout {
    Rollout {
        waves,
        ..Rollout::default()
    }
}

impl Scene {
    /// All that the guests of these waves want is built.
    pub fn new(rollout: Rollout) -> Self {
        let guests: BTreeSet<&GuestName> = rollout.waves.iter().flat_map(|w| &w.guests).collect();
        let names: Vec<GuestName> = guests.into_iter().cloned().collect();
        Self::with_guests(rollout, &names)
    }

    pub fn with_guests(rollout: Rollout, guests: &[GuestName]) -> Self {
        let updates = || vec![update("a/a-2"), update("b/b-2")];
        let plans = guests
            .iter()
            .map(|name| (name.clone(), (updates(), vec![])));
        Self::with_plans(rollout, plans.collect(), &[])
    }

    /// Guests that want these updates and have these packages. All but some of it is built.
    pub fn with_plans(
        rollout: Rollout,
        plans: BTreeMap<GuestName, (Vec<Update>, Vec<InstalledPackage>)>,
        unbuilt: &[&str],
    ) -> Self {
        let mut history = History::default();
        history.say(Event::RunRequested(RunRequested {
            run: run_id(),
            kind: RunKind::Update,
            guests: plans
                .keys()
                .map(|name| (name.clone(), platform()))
                .collect(),
            force: false,
            sync: Default::default(),
            more_rounds: 0,
            follows: None,
            retries: 0,
            rollout,
            schedule: None,
        }));
        for (name, (updates, installed)) in &plans {
            let answer = scanned(name.as_str(), updates.clone(), installed.clone());
            history.say(Event::GuestScanned(answer));
        }
        let second = Duration::from_secs(1);
        let mut scene = Self {
            history,
            fates: BTreeMap::new(),
            log: Vec::new(),
            orders: Vec::new(),
            round: run_id(),
            plans,
            agenda: BTreeMap::new(),
            begin: BTreeMap::new(),
            number: 0,
            liveness: Liveness::new(300 * second, 900 * second, 1800 * second),
        };
        scene.decide_once();
        scene.history.search_in_vain();
        let jobs = scene.run().jobs.clone().unwrap();
        for job in jobs.values() {
            if !unbuilt.contains(&job.key.cpv.to_string().as_str()) {
                scene.history.say(built(job));
            }
        }
        scene
    }

    /// What a guest still wants.
    pub fn wants(&self, name: &GuestName) -> &[Update] {
        &self.plans[name].0
    }

    pub fn build(&mut self, name: &str) {
        let job = self.history.job(name);
        self.history.say(built(&job));
    }

    pub fn build_fails(&mut self, name: &str) {
        let (run, job) = (run_id(), self.history.job(name).id);
        self.history.say(build_failed(run, job, 1));
    }

    pub fn run(&self) -> &Run {
        &self.history.fleet.runs[&self.round]
    }

    pub fn now(&self) -> Timestamp {
        self.history.now()
    }

    pub fn outcome(&self, name: &str) -> GuestOutcome {
        guest_outcome(self.run(), &guest(name))
    }

    pub fn report(&self) -> String {
        let report = Report::of(&self.history.fleet, self.history.run());
        report.at(&self.history.fleet, self.now()).to_text()
    }

    /// The guests on which something was begun, in this order.
    pub fn begun(&self) -> Vec<&str> {
        let begun = self.log.iter().filter_map(|(.., happened)| match happened {
            Happened::Begun(guest) => Some(guest.as_str()),
            Happened::Ended(_) => None,
        });
        begun.collect()
    }

    /// When something was begun on this guest for the first time.
    pub fn begun_at(&self, name: &str) -> Option<Timestamp> {
        let is_it = |happened: &Happened| *happened == Happened::Begun(guest(name));
        let found = self.log.iter().find(|(.., happened)| is_it(happened));
        found.map(|(_, at, _)| *at)
    }

    /// What was ordered for this guest, one round after the other.
    pub fn ordered(&self, name: &str) -> Vec<&[String]> {
        let orders = self.orders.iter().filter(|(of, _)| *of == guest(name));
        orders.map(|(_, packages)| packages.as_slice()).collect()
    }

    /// Somebody says this so many seconds from now.
    pub fn say_in(&mut self, seconds: i64, event: Event) {
        self.number += 1;
        let at = self
            .now()
            .checked_add(SignedDuration::from_secs(seconds))
            .unwrap();
        self.agenda.insert((at, self.number), event);
    }

    /// Lets time pass, from one thing that happens to the next, until the run is over or so many seconds
    /// have passed. The planner looks at the clock every `beat` seconds, and when something is due by it.
    pub fn pass(&mut self, seconds: i64, beat: i64) {
        let end = self
            .now()
            .checked_add(SignedDuration::from_secs(seconds))
            .unwrap();
        self.work();
        while self.run().finished.is_none() && self.now() < end {
            let next = self
                .now()
                .checked_add(SignedDuration::from_secs(beat))
                .unwrap();
            let due = [self.agenda.first_key_value().map(|(key, _)| key.0)];
            let begins = self.begin.first_key_value().map(|(key, _)| key.0);
            let due = due
                .into_iter()
                .chain([begins, self.next_turn()])
                .flatten()
                .min();
            let next = due.map_or(next, |due| due.min(next)).min(end);
            let passed = next.duration_since(self.now());
            self.history.seconds += passed.as_secs();
            self.liveness.beat(Duration::try_from(passed).unwrap());
            self.work();
        }
    }

    /// When a guest's turn comes by the clock alone, or has not come for too long.
    fn next_turn(&self) -> Option<Timestamp> {
        let (run, now) = (self.run(), self.now());
        let gate = Gate::of(&self.history.fleet, run, now);
        let waits = run.guests.keys().filter_map(|name| {
            match gate.verdict(name, run.rollout.wave_of(name)) {
                Verdict::Wait(Wait::Soak(at) | Wait::Window(Some(at))) => Some(at),
                _ => None,
            }
        });
        let patience = SignedDuration::try_from(run.rollout.patience()).unwrap();
        let given_up = gate.waits_since().checked_add(patience).unwrap();
        let given_up = given_up.checked_add(SignedDuration::from_secs(1)).unwrap();
        waits.chain([given_up]).filter(|at| *at > now).min()
    }

    /// What is due happens, and the planner decides until nothing is left to do.
    fn work(&mut self) {
        let now = self.now();
        while let Some(entry) = self.agenda.first_entry().filter(|it| it.key().0 <= now) {
            let event = entry.remove();
            if let Event::GuestUpdated(GuestUpdated { guest, .. })
            | Event::InstallFailed(InstallFailed { guest, .. }) = &event
            {
                let ended = Happened::Ended(guest.clone());
                self.log.push((self.round, now, ended));
            }
            if let Event::GuestUpdated(updated) = &event
                && self.fates.get(&updated.guest) != Some(&Fate::Forgotten)
                && let Some((wants, _)) = self.plans.get_mut(&updated.guest)
            {
                let is_held = |cpv: &Cpv| updated.held.iter().any(|held| held.cpv == *cpv);
                wants.retain(|update| is_held(&update.key.cpv));
            }
            self.history.say(event);
        }
        while let Some(entry) = self.begin.first_entry().filter(|it| it.key().0 <= now) {
            let command = *entry.remove();
            self.take(command);
        }
        while self.decide_once() {}
    }

    /// Whether anything was left to do.
    fn decide_once(&mut self) -> bool {
        let now = self.now();
        observe(&self.history.fleet, &mut self.liveness);
        let patience = Patience::default();
        let orders = decide(&self.history.fleet, &self.liveness, &patience, now);
        let any = !orders.is_empty();
        for order in orders {
            match order {
                Order::Publish(event) => {
                    if let Event::RunRequested(further) = &event {
                        self.round = further.run;
                    }
                    self.history.say(event);
                }
                Order::Issue(command) => self.issue(command),
                Order::Bury(..) => panic!("{order:?}"),
            }
        }
        any
    }

    fn issue(&mut self, command: Command) {
        self.history.say(Event::CommandIssued(CommandIssued {
            command: command.id().unwrap(),
            work: command.work(),
            queue: "queue".to_owned(),
        }));
        match command {
            Command::InstallPackages(command) => {
                let delay = match self.fates.get(&command.guest) {
                    Some(Fate::Late(seconds)) => *seconds,
                    _ => 0,
                };
                self.number += 1;
                let at = self
                    .now()
                    .checked_add(SignedDuration::from_secs(delay))
                    .unwrap();
                self.begin.insert((at, self.number), Box::new(command));
                if delay == 0 {
                    let now = self.now();
                    let entry = self.begin.remove(&(now, self.number)).unwrap();
                    self.take(*entry);
                }
            }
            Command::CleanBuilder(command) => {
                self.history.say(cleaned(command.run, command.attempt))
            }
            Command::CollectStore(command) => {
                let collected = store_collected(command.run, command.attempt);
                self.history.say(Event::StoreCollected(collected));
            }
            Command::ScanGuest(command) => {
                let (wants, installed) = self.plans[&command.guest].clone();
                self.history.say(Event::GuestScanned(GuestScanned {
                    run: command.run,
                    ..scanned(command.guest.as_str(), wants, installed)
                }));
            }
            // What the first round has built is in the store.
            Command::SearchStore(command) if command.run != run_id() => {
                let first = &self.history.fleet.runs[&run_id()].built;
                let held = command.wanted.keys().filter_map(|job| {
                    let built = first.get(job)?;
                    Some((job.clone(), built.binary.clone()))
                });
                let searched = StoreSearched {
                    run: command.run,
                    platform: command.platform,
                    attempt: command.attempt,
                    builder: "b1".parse().unwrap(),
                    held: held.collect(),
                };
                self.history.say(Event::StoreSearched(searched));
            }
            // What failed there fails again.
            Command::BuildPackage(command) if command.run != run_id() => {
                let failed = build_failed(command.run, command.job.id, command.attempt);
                self.history.say(failed);
            }
            Command::SearchStore(_) | Command::BuildPackage(_) => {}
            other => panic!("{other:?}"),
        }
    }

    /// An installer takes a command.
    fn take(&mut self, command: InstallPackages) {
        let name = command.guest.clone();
        let work = WorkKey {
            run: command.run,
            task: Task::Install(name.clone()),
            attempt: command.attempt,
        };
        self.history.say(Event::WorkStarted(WorkStarted {
            work,
            worker: worker("installer@i"),
            builder: None,
        }));
        let failed = |failure, begun| {
            Event::InstallFailed(InstallFailed {
                run: command.run,
                guest: command.guest.clone(),
                attempt: command.attempt,
                failure,
                begun,
                changes: vec![],
                held: command.held.clone(),
                findings: vec![],
                rolled_back: None,
            })
        };
        if command
            .begin_before
            .is_some_and(|until| self.now() >= until)
        {
            let closed = gentoo_updater_fleet::decide::WINDOW_CLOSED;
            self.history.say(failed(transient(closed), false));
            return;
        }
        match self.fates.get(&name).copied().unwrap_or(Fate::Well) {
            Fate::Vanished => self.say_in(1, failed(transient("Unreachable"), false)),
            Fate::Dies => self.say_in(1, failed(transient("Unreachable"), command.attempt == 1)),
            Fate::Recovers if command.attempt == 1 => {
                let (now, begun) = (self.now(), Happened::Begun(name.clone()));
                self.log.push((command.run, now, begun));
                self.say_in(INSTALLATION - 5, failed(transient("Unreachable"), true));
            }
            fate => {
                let (now, begun) = (self.now(), Happened::Begun(name.clone()));
                self.log.push((command.run, now, begun));
                let packages = command.packages.iter();
                let packages = packages.map(|package| package.key.cpv.to_string());
                self.orders.push((name.clone(), packages.collect()));
                let event = match fate {
                    Fate::Fails => failed(permanent("HealthCheckFailed"), true),
                    Fate::PutBack => put_back(&command),
                    _ => Event::GuestUpdated(GuestUpdated {
                        run: command.run,
                        guest: name,
                        attempt: command.attempt,
                        changes: vec![],
                        held: command.held.clone(),
                        findings: vec![],
                    }),
                };
                self.say_in(INSTALLATION, event);
            }
        }
    }
}
