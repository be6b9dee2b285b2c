//! A fleet and its store, as they really are.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_fleet::message::{Binary, Contents, Event};
use gentoo_updater_fleet::name::{GuestName, PlatformName, StorePath};
use gentoo_updater_portage::build_key::HexDigest;
use gentoo_updater_portage::cpv::Cpv;

use super::runs::Run;
use super::{GUESTS, Happening, PACKAGES};
use crate::store::catalog::Stored;
use crate::store::told::Told;

pub(super) const SIZE: u64 = 100;
const DAY: u64 = 24 * 3600;

/// A binary: which package, which version, which number.
pub(super) type Number = (usize, u32, u32);

/// What a guest has of each package.
pub(super) type Binaries = BTreeMap<usize, (u32, u32)>;

#[derive(Debug, Clone)]
pub(super) struct Guest {
    pub(super) has: Binaries,
    pub(super) is_off: bool,
}

/// A fleet, its store, and what was said of them.
pub(super) struct World {
    pub(super) told: Told,
    /// How many events were said.
    pub(super) said: usize,
    pub(super) now: u64,
    pub(super) newest: Binaries,
    pub(super) guests: Vec<Guest>,
    pub(super) store: BTreeMap<Number, Stored>,
    /// Which of them no record names.
    pub(super) without_record: BTreeSet<Number>,
    /// The last number of each version that was given to a build.
    numbers: BTreeMap<(usize, u32), u32>,
    /// All that ever were, the oldest first.
    pub(super) runs: Vec<Run>,
    /// How many updates count.
    pub(super) updates: usize,
    pub(super) collected: usize,
    pub(super) deleted: usize,
    pub(super) orphans_went: usize,
}

pub(super) fn name(guest: usize) -> GuestName {
    format!("g{guest}").parse().unwrap()
}

pub(super) fn platform() -> PlatformName {
    "default".parse().unwrap()
}

pub(super) fn cpv(package: usize, version: u32) -> Cpv {
    format!("a/p{package}-{version}").parse().unwrap()
}

pub(super) fn numbers(has: &Binaries) -> impl Iterator<Item = Number> {
    let number = |(package, (version, id)): (&usize, &(u32, u32))| (*package, *version, *id);
    has.iter().map(number)
}

impl World {
    /// Two guests, which have all that the store has.
    pub(super) fn new(updates: usize) -> Self {
        let mut world = Self {
            told: Told::default(),
            said: 0,
            now: 1_700_000_000,
            newest: BTreeMap::new(),
            guests: Vec::new(),
            store: BTreeMap::new(),
            without_record: BTreeSet::new(),
            numbers: BTreeMap::new(),
            runs: Vec::new(),
            updates,
            collected: 0,
            deleted: 0,
            orphans_went: 0,
        };
        for package in 0..PACKAGES {
            let number = world.build(package, 1);
            world.newest.insert(package, (number.1, number.2));
        }
        for _ in 0..2 {
            world.happens(&Happening::NewGuest);
        }
        world
    }

    pub(super) fn happens(&mut self, happening: &Happening) {
        match happening {
            Happening::Begun { guests, is_update } => self.begin(guests, *is_update, None),
            Happening::Built { run, found, built } => {
                if let Some(run) = self.going_on(*run) {
                    self.work(run, found, built);
                }
            }
            Happening::Installed { run, failing } => {
                if let Some(run) = self.going_on(*run) {
                    self.install(run, failing);
                }
            }
            Happening::Further(run) => {
                if let Some(run) = self.going_on(*run).filter(|run| self.runs[*run].is_update) {
                    self.end(run);
                    let guests = self.runs[run].guests.clone();
                    self.begin(&guests, true, Some(run));
                }
            }
            Happening::Over(run) => {
                if let Some(run) = self.going_on(*run) {
                    self.end(run);
                }
            }
            Happening::Updated { built } => self.update(built),
            Happening::NothingToDo => self.update(&BTreeSet::new()),
            Happening::NewGuest => self.new_guest(),
            Happening::Switched(guest) => {
                if let Some(guest) = self.guests.get_mut(*guest) {
                    guest.is_off = !guest.is_off;
                }
            }
            Happening::Crashed(package) => {
                let (version, _) = self.newest[package];
                let number = self.build(*package, version);
                self.without_record.insert(number);
            }
            Happening::RecordLost(package) => {
                let (version, id) = self.newest[package];
                if self.store.contains_key(&(*package, version, id)) {
                    self.without_record.insert((*package, version, id));
                }
            }
            Happening::Rollback(guest, back) => self.roll_back(*guest, *back),
            Happening::Days(days) => self.now += days * DAY,
            Happening::Collected {
                budget,
                at_the_end_of,
                meanwhile,
            } => {
                let run = at_the_end_of.and_then(|run| self.going_on(run));
                let run = run.filter(|run| self.runs[*run].is_update);
                self.collect(budget.map(|files| files * SIZE), run, meanwhile);
            }
        }
    }

    pub(super) fn say(&mut self, event: &Event) {
        self.told.event(event);
        self.said += 1;
    }

    /// Builds a version of a package.
    pub(super) fn build(&mut self, package: usize, version: u32) -> Number {
        let last = self.numbers.entry((package, version)).or_default();
        *last += 1;
        let build_id = *last;
        let path = format!("a/p{package}/p{package}-{version}-{build_id}.gpkg.tar");
        let path: StorePath = path.parse().unwrap();
        let key = HexDigest::sha256(path.as_str().as_bytes());
        let stored = Stored {
            key: key.clone(),
            cpv: cpv(package, version),
            build_id,
            path,
            size: SIZE,
            sha256: key,
            modified: self.now,
        };
        self.store.insert((package, version, build_id), stored);
        (package, version, build_id)
    }

    /// As messages tell of it.
    pub(super) fn binary(&self, number: &Number) -> Binary {
        let stored = &self.store[number];
        Binary {
            cpv: stored.cpv.clone(),
            slot: "0".parse().unwrap(),
            build_id: stored.build_id,
            build_time: stored.modified,
            path: stored.path.clone(),
            size: stored.size,
            sha256: stored.sha256.clone(),
            contents: Contents::default(),
            signed_by: None,
        }
    }

    /// Whoever sets a guest up does so from what the store has.
    fn new_guest(&mut self) {
        let has = self.newest.clone();
        let is_whole = numbers(&has).all(|number| self.store.contains_key(&number));
        if self.guests.len() < GUESTS && is_whole {
            self.guests.push(Guest { has, is_off: false });
        }
    }

    /// By hand. Where a run goes on with a guest, that refuses to install on what it does not know.
    fn roll_back(&mut self, guest: usize, back: usize) {
        let is_of_run = |run: &Run| run.ended.is_none() && run.guests.contains(&guest);
        if self.runs.iter().any(is_of_run) {
            return;
        }
        let former = self.former_states(guest).into_iter().nth(back);
        let own = self.guests.get_mut(guest).filter(|guest| !guest.is_off);
        if let (Some(own), Some(former)) = (own, former) {
            own.has = former;
            self.check("a rollback");
        }
    }
}
