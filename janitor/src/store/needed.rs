//! What the fleet cannot do without.

use std::collections::HashMap;

use gentoo_updater_fleet::name::{GuestName, RunId};
use gentoo_updater_portage::cpv::Cpv;

use super::told::Told;
use super::updates::Counted;

/// Who needs a binary.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A guest has it installed, or may have.
    Installed(GuestName),
    /// A run built it or found it in the store.
    Run(RunId),
    /// A guest had it installed before one of its updates, and would need it to go back.
    Rollback(GuestName),
}

/// The binaries that somebody needs, by package, version and number, with the first reason of each.
/// When each was built does not count here: what is kept for another of the same number is kept.
#[derive(Debug, Clone, Default)]
pub struct Needed(HashMap<(Cpv, u32), Need>);

impl Needed {
    /// A guest has this installed, or may have.
    pub fn installed(&mut self, guest: &GuestName, cpv: &Cpv, build_id: u32) {
        self.add(cpv, build_id, || Need::Installed(guest.clone()));
    }

    /// All that the updates that count refer to, and what comes after them.
    pub fn newest_updates(&mut self, told: &Told, counted: &Counted) {
        let newest = told.newest(counted);
        for (run, cpv, build_id) in newest.built {
            self.add(cpv, build_id, || Need::Run(run));
        }
        for (guest, cpv, build_id) in newest.had {
            self.add(cpv, build_id, || Need::Rollback(guest.clone()));
        }
    }

    /// Why this binary is needed, if it is.
    pub fn why(&self, cpv: &Cpv, build_id: u32) -> Option<&Need> {
        // A key made of two borrowed halves would need a map of maps.
        self.0.get(&(cpv.clone(), build_id))
    }

    fn add(&mut self, cpv: &Cpv, build_id: u32, need: impl FnOnce() -> Need) {
        self.0.entry((cpv.clone(), build_id)).or_insert_with(need);
    }
}
