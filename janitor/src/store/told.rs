//! What the history tells of binaries, event by event.
//!
//! The state of the fleet forgets what guests had installed when a run is over; the history does
//! not.

use std::collections::{BTreeMap, HashMap};

use gentoo_updater_fleet::message::{Binary, Event, RunKind};
use gentoo_updater_fleet::name::{GuestName, RunId};
use gentoo_updater_portage::cpv::Cpv;

/// A binary by its place in [`Told::binaries`]: guests of one kind have the same.
type Place = usize;

/// What is known of the runs of a part of the history.
#[derive(Debug, Clone, Default)]
pub struct Told {
    binaries: Vec<(Cpv, u32)>,
    places: HashMap<(Cpv, u32), Place>,
    runs: BTreeMap<RunId, ToldRun>,
}

#[derive(Debug, Clone, Default)]
struct ToldRun {
    /// Whether it is an update, and no further round of one. Not known where its beginning is not.
    is_update: bool,
    is_over: bool,
    /// What was built, or found in the store.
    built: Vec<Place>,
    /// What guests had when they were asked.
    had: BTreeMap<GuestName, Vec<Place>>,
}

impl Told {
    /// Takes one event over. Those of a part of the history come in their order.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::RunRequested(event) => {
                let is_update = event.kind == RunKind::Update && event.follows.is_none();
                self.run(event.run).is_update = is_update;
            }
            Event::GuestScanned(event) => {
                let installed = event.installed.iter();
                let binaries = installed
                    .filter_map(|package| Some(self.place(&package.cpv, package.build_id?)))
                    .collect();
                self.run(event.run)
                    .had
                    .insert(event.guest.clone(), binaries);
            }
            Event::StoreSearched(event) => {
                for binary in event.held.values() {
                    self.built(event.run, binary);
                }
            }
            Event::PackageBuilt(event) => self.built(event.run, &event.binary),
            Event::RunFinished(event) => self.ends(event.run),
            _ => {}
        }
    }

    /// A run is over, or as good as that.
    pub fn ends(&mut self, run: RunId) {
        self.run(run).is_over = true;
    }

    /// How many updates are known from their beginning to their end.
    pub fn updates(&self) -> usize {
        let is_whole = |run: &&ToldRun| run.is_update && run.is_over;
        self.runs.values().filter(is_whole).count()
    }

    /// Whether a guest has told what it has.
    pub fn knows(&self, guest: &GuestName) -> bool {
        self.runs.values().any(|run| run.had.contains_key(guest))
    }

    /// What the newest updates refer to, with what comes after them and goes on: what was built or
    /// found, by its run, and what guests had.
    pub(super) fn newest(&self, updates: usize) -> (Vec<(RunId, &Cpv, u32)>, Vec<Had<'_>>) {
        let (mut built, mut had) = (Vec::new(), Vec::new());
        let mut left = updates;
        for (id, run) in self.runs.iter().rev() {
            if run.is_over {
                if left == 0 {
                    continue;
                }
                // Further rounds belong to the update that they follow, which is older.
                left -= usize::from(run.is_update);
            }
            built.extend(
                self.all(&run.built)
                    .map(|(cpv, build_id)| (*id, cpv, build_id)),
            );
            for (guest, binaries) in &run.had {
                let all = self.all(binaries);
                had.extend(all.map(|(cpv, build_id)| (guest, cpv, build_id)));
            }
        }
        (built, had)
    }

    /// What a guest had when it told that last, and all that was built then and since. `None` when
    /// it has not told.
    pub(super) fn may_have(&self, guest: &GuestName) -> Option<Vec<(&Cpv, u32)>> {
        let told = |(_, run): &(&RunId, &ToldRun)| run.had.contains_key(guest);
        let (newest, run) = self.runs.iter().rfind(told)?;
        let mut binaries: Vec<_> = self.all(run.had.get(guest)?).collect();
        for run in self.runs.range(newest..).map(|(_, run)| run) {
            binaries.extend(self.all(&run.built));
        }
        Some(binaries)
    }

    fn all<'a>(&'a self, places: &'a [Place]) -> impl Iterator<Item = (&'a Cpv, u32)> {
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

/// A guest, and a binary that it had.
pub(super) type Had<'a> = (&'a GuestName, &'a Cpv, u32);
