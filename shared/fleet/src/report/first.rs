//! What an operator should know before anything is installed: what goes first, and what cannot be undone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use gentoo_updater_portage::cpv::Cpv;
use serde::Serialize;

use crate::name::GuestName;
use crate::state::{Fleet, Run};
use crate::words::counted;

/// What goes first, as a step of its own; the rest follows in a further round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BarrierReport {
    /// The package.
    pub package: Cpv,
    /// Why it goes first.
    pub why: String,
    /// The guests that want it.
    pub guests: BTreeSet<GuestName>,
}

/// What waits for an operator, because it cannot be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnapprovedReport {
    /// The package.
    pub package: Cpv,
    /// The guests that want it.
    pub guests: BTreeSet<GuestName>,
}

/// What goes first in a run, as far as it is known.
pub fn barriers(fleet: &Fleet, run: &Run) -> Vec<BarrierReport> {
    let closing = run.closing(fleet);
    let mut guests: BTreeMap<(&Cpv, &str), BTreeSet<GuestName>> = BTreeMap::new();
    for (guest, barrier) in closing.goes_first() {
        let key = (&barrier.update.key.cpv, barrier.why.as_str());
        guests.entry(key).or_default().insert(guest.clone());
    }
    let report = |((package, why), guests): ((&Cpv, &str), _)| BarrierReport {
        package: package.clone(),
        why: why.to_owned(),
        guests,
    };
    guests.into_iter().map(report).collect()
}

/// What waits for an approval in a run that has not installed it. One that is over tells it of each guest.
pub fn unapproved(fleet: &Fleet, run: &Run) -> Vec<UnapprovedReport> {
    let mut guests: BTreeMap<&Cpv, BTreeSet<GuestName>> = BTreeMap::new();
    if run.finished.is_none() || run.is_scan_only() {
        for (guest, update) in run.unapproved(fleet) {
            let of_it = guests.entry(&update.key.cpv).or_default();
            of_it.insert(guest.clone());
        }
    }
    let report = |(package, guests): (&Cpv, _)| UnapprovedReport {
        package: package.clone(),
        guests,
    };
    guests.into_iter().map(report).collect()
}

impl fmt::Display for BarrierReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guests = counted(self.guests.len(), "guest");
        write!(f, "{}: {}, for {guests}", self.package, self.why)
    }
}

impl fmt::Display for UnapprovedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (package, guests) = (&self.package, counted(self.guests.len(), "guest"));
        write!(
            f,
            "{package}: cannot be undone on {guests}; `gentoo-updater approve package ={package}` lets it \
             come"
        )
    }
}
