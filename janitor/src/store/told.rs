//! What the history tells of binaries, event by event.
//!
//! The state of the fleet forgets what guests had installed when a run is over; the history does
//! not.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gentoo_updater_fleet::message::{Binary, Event, RunKind, RunRequested, Task, WorkKey};
use gentoo_updater_fleet::name::{GuestName, JobId, PlatformName, RunId};
use gentoo_updater_portage::cpv::Cpv;

/// A binary by its place in [`Told::binaries`]: guests of one kind have the same.
type Place = usize;

/// When something was told: how many events of this part of the history came before.
type Moment = usize;

/// What is known of the runs of a part of the history.
#[derive(Debug, Clone, Default)]
pub struct Told {
    binaries: Vec<(Cpv, u32)>,
    places: HashMap<(Cpv, u32), Place>,
    pub(super) runs: BTreeMap<RunId, ToldRun>,
    platforms: HashMap<JobId, PlatformName>,
    now: Moment,
}

/// What is known of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct ToldRun {
    /// Whether its beginning is known, and so all of it.
    pub(super) is_begun: bool,
    pub(super) is_update: bool,
    /// Of which run it is a further round.
    pub(super) follows: Option<RunId>,
    /// When it was over.
    pub(super) ended: Option<Moment>,
    platforms: BTreeMap<GuestName, PlatformName>,
    /// When somebody began to ask a guest, by the attempt.
    asked: BTreeMap<(GuestName, u32), Moment>,
    /// What was built, or found in the store.
    built: Vec<Place>,
    /// Of which platforms something was built or installed.
    pub(super) changed: BTreeSet<PlatformName>,
    /// The guests on which something was installed.
    pub(super) installed: BTreeSet<GuestName>,
    pub(super) had: BTreeMap<GuestName, HadThen>,
}

/// What a guest had when it was asked.
#[derive(Debug, Clone)]
pub(super) struct HadThen {
    binaries: Vec<Place>,
    /// When that was; or before, where that is not known.
    asked: Moment,
}

impl Told {
    /// Takes one event over. Those of a part of the history come in their order.
    pub fn event(&mut self, event: &Event) {
        self.now += 1;
        match event {
            Event::RunRequested(event) => self.begins(event),
            Event::WorkStarted(event) => self.starts(&event.work),
            Event::GuestScanned(event) => {
                let installed = event.installed.iter();
                let binaries = installed
                    .filter_map(|package| Some(self.place(&package.cpv, package.build_id?)))
                    .collect();
                let run = self.run(event.run);
                let attempt = (event.guest.clone(), event.attempt);
                let asked = run.asked.get(&attempt).copied().unwrap_or(0);
                let had = HadThen { binaries, asked };
                run.had.insert(event.guest.clone(), had);
            }
            Event::BatchPlanned(event) => {
                let jobs = event.batch.jobs.iter();
                let jobs = jobs.map(|job| (job.id.clone(), job.platform.clone()));
                self.platforms.extend(jobs);
            }
            Event::StoreSearched(event) => {
                for binary in event.held.values() {
                    self.built(event.run, binary);
                }
            }
            Event::PackageBuilt(event) => {
                self.built(event.run, &event.binary);
                let platform = self.platforms.get(&event.job).cloned();
                let platform = platform.filter(|_| !event.reused);
                self.run(event.run).changed.extend(platform);
            }
            Event::GuestUpdated(event) if !event.changes.is_empty() => {
                self.run(event.run).installs(&event.guest);
            }
            Event::InstallFailed(event) if event.begun || !event.changes.is_empty() => {
                self.run(event.run).installs(&event.guest);
            }
            Event::RunFinished(event) => self.ends(event.run),
            _ => {}
        }
    }

    /// A run is over, or as good as that.
    pub fn ends(&mut self, run: RunId) {
        let now = self.now;
        self.run(run).ended.get_or_insert(now);
    }

    fn begins(&mut self, event: &RunRequested) {
        let run = self.run(event.run);
        run.is_begun = true;
        run.is_update = event.kind == RunKind::Update;
        run.follows = event.follows;
        run.platforms.clone_from(&event.guests);
    }

    fn starts(&mut self, work: &WorkKey) {
        let now = self.now;
        if let Task::Scan(guest) = &work.task {
            let attempt = (guest.clone(), work.attempt);
            self.run(work.run).asked.entry(attempt).or_insert(now);
        }
    }

    /// What a guest had when it was asked last, and all that may have been installed on it then and
    /// since: that is, all that those runs built or found which were not over when it was asked. `None`
    /// when it has not told, or nobody knows all of these.
    pub(super) fn may_have(&self, guest: &GuestName) -> Option<Vec<(&Cpv, u32)>> {
        let told = self.runs.values().filter_map(|run| run.had.get(guest));
        let newest = told.max_by_key(|had| had.asked)?;
        let mut binaries: Vec<_> = self.all(&newest.binaries).collect();
        for run in self.runs.values() {
            if run.ended.is_some_and(|ended| ended < newest.asked) {
                continue;
            }
            if !run.is_begun {
                return None;
            }
            binaries.extend(self.built_by(run));
        }
        Some(binaries)
    }

    /// What a run built, or found in the store.
    pub(super) fn built_by(&self, run: &ToldRun) -> impl Iterator<Item = (&Cpv, u32)> {
        self.all(&run.built)
    }

    /// What a guest had then.
    pub(super) fn had(&self, had: &HadThen) -> impl Iterator<Item = (&Cpv, u32)> {
        self.all(&had.binaries)
    }

    fn all(&self, places: &[Place]) -> impl Iterator<Item = (&Cpv, u32)> {
        let binary = |place: &Place| {
            let (cpv, build_id) = &self.binaries[*place];
            (cpv, *build_id)
        };
        places.iter().map(binary)
    }

    fn run(&mut self, id: RunId) -> &mut ToldRun {
        self.runs.entry(id).or_default()
    }

    fn built(&mut self, run: RunId, binary: &Binary) {
        let place = self.place(&binary.cpv, binary.build_id);
        self.run(run).built.push(place);
    }

    fn place(&mut self, cpv: &Cpv, build_id: u32) -> Place {
        let binaries = &mut self.binaries;
        *self
            .places
            .entry((cpv.clone(), build_id))
            .or_insert_with_key(|binary| {
                binaries.push(binary.clone());
                binaries.len() - 1
            })
    }
}

impl ToldRun {
    fn installs(&mut self, guest: &GuestName) {
        self.changed.extend(self.platforms.get(guest).cloned());
        self.installed.insert(guest.clone());
    }
}
