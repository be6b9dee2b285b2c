//! What operators have approved of what cannot be undone, and what of it waits for them.

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::build_key::BuildKey;

use super::{Fleet, Run};
use crate::message::{Purpose, Update};
use crate::name::GuestName;
use crate::needs::speaks_of;

/// How many atoms are kept that operators have approved, the newest.
pub const KEPT_APPROVALS: usize = 1000;

impl Fleet {
    /// What this atom matches may come, however little it can be undone, until somebody holds it.
    pub(super) fn approve_package(&mut self, atom: &Atom) {
        self.take_approval_back(atom);
        self.approved_packages.push_back(atom.clone());
        if self.approved_packages.len() > KEPT_APPROVALS {
            self.approved_packages.pop_front();
        }
    }

    /// Who holds by the same atom has thought better of it.
    pub(super) fn take_approval_back(&mut self, atom: &Atom) {
        self.approved_packages.retain(|approved| approved != atom);
    }

    fn is_approved(&self, key: &BuildKey) -> bool {
        let mut atoms = self.approved_packages.iter();
        atoms.any(|atom| speaks_of(atom, key))
    }
}

impl Run {
    /// Whether this update of a guest is not installed before an operator approves it, since nobody
    /// could undo it.
    pub fn needs_approval(&self, fleet: &Fleet, guest: &GuestName, update: &Update) -> bool {
        self.rollout.is_irreversible(guest, update) && !fleet.is_approved(&update.key)
    }

    /// What waits for such an approval in this run, each with its guest.
    pub fn unapproved<'a>(
        &'a self,
        fleet: &'a Fleet,
    ) -> impl Iterator<Item = (&'a GuestName, &'a Update)> {
        let put_back = self.rollout.put_back.iter();
        let known = put_back.filter_map(|name| {
            let scan = self.guests.get(name)?.scan.as_ref()?;
            Some((name, scan))
        });
        known.flat_map(move |(name, scan)| {
            let updates = scan.updates.iter().map(AsRef::as_ref);
            let waits = move |update: &&Update| {
                update.purpose == Purpose::Runtime && self.needs_approval(fleet, name, update)
            };
            updates.filter(waits).map(move |update| (name, update))
        })
    }
}
