//! Closing a guest's set: what can be installed when something failed to build.

use std::collections::{BTreeMap, HashMap, HashSet};

use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::{CategoryPackage, Slot};

use crate::message::{
    GuestScanned, HeldBack, HoldReason, InstalledPackage, Purpose, SubslotBinding, Update,
};

/// What a guest gets, and what it does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedSet<'a> {
    /// The updates to install, in the order of the guest's plan.
    pub install: Vec<&'a Update>,
    /// The updates that are held back.
    pub held: Vec<HeldBack>,
}

/// Closes the set of one guest. `missing` says why an update has no binary, if it has none.
///
/// Held back is, until nothing changes any more: what has no binary; what needs something that
/// is held back; and a library whose new subslot would break an installed package that is not
/// replaced in the same transaction.
pub fn close<'a>(
    scan: &'a GuestScanned,
    missing: impl Fn(&Cpv) -> Option<HoldReason>,
) -> ClosedSet<'a> {
    let wanted: Vec<&Update> = scan
        .updates
        .iter()
        .map(AsRef::as_ref)
        .filter(|update: &&Update| update.purpose == Purpose::Runtime)
        .collect();
    let mut held: BTreeMap<&Cpv, HoldReason> = BTreeMap::new();
    for update in &wanted {
        if let Some(reason) = missing(&update.key.cpv) {
            held.insert(&update.key.cpv, reason);
        }
    }
    let bound = Bound::of(scan);
    loop {
        let replaced = replaced(&wanted, &held);
        let mut more = Vec::new();
        for update in &wanted {
            let cpv = &update.key.cpv;
            if held.contains_key(cpv) {
                continue;
            }
            if let Some(need) = needs(update).find(|need| held.contains_key(need)) {
                more.push((cpv, HoldReason::Needs(need.clone())));
            } else if let Some(broken) = bound.broken_by(update, &replaced) {
                more.push((cpv, HoldReason::WouldBreak(broken.clone())));
            }
        }
        if more.is_empty() {
            break;
        }
        held.extend(more);
    }
    let install = wanted
        .into_iter()
        .filter(|u| !held.contains_key(&u.key.cpv))
        .collect();
    let held = held
        .into_iter()
        .map(|(cpv, reason)| HeldBack {
            cpv: cpv.clone(),
            reason,
        })
        .collect();
    ClosedSet { install, held }
}

/// What must come with an update: what it needs when it runs, and what it was bound to when it
/// was built, which is among the needs of its build.
fn needs(update: &Update) -> impl Iterator<Item = &Cpv> {
    let bound = update.build_needs.iter().filter(|cpv| {
        update
            .key
            .bindings
            .keys()
            .any(|binding| binding.category_package == cpv.category_package)
    });
    update.runtime_needs.iter().chain(bound)
}

/// Packages and slots.
type Slots<'a> = HashSet<(&'a CategoryPackage, &'a Slot)>;

/// What the transaction replaces.
fn replaced<'a>(wanted: &[&'a Update], held: &BTreeMap<&Cpv, HoldReason>) -> Slots<'a> {
    let installed = wanted.iter().filter(|u| !held.contains_key(&u.key.cpv));
    installed
        .map(|u| (&u.key.cpv.category_package, &u.key.slot.slot))
        .collect()
}

/// Installed packages by what they are bound to, each in the order of the guest's answer.
struct Bound<'a>(HashMap<(&'a CategoryPackage, &'a Slot), Vec<(&'a InstalledPackage, &'a Slot)>>);

impl<'a> Bound<'a> {
    fn of(scan: &'a GuestScanned) -> Self {
        let mut bound: HashMap<_, Vec<_>> = HashMap::new();
        for installed in &scan.installed {
            for SubslotBinding { package, slot } in &installed.bindings {
                let installed = (installed.as_ref(), &slot.subslot);
                bound
                    .entry((package, &slot.slot))
                    .or_default()
                    .push(installed);
            }
        }
        Self(bound)
    }

    /// An installed package that this update would leave bound to a subslot that is gone.
    fn broken_by(&self, update: &Update, replaced: &Slots<'_>) -> Option<&'a Cpv> {
        let key = &update.key;
        let bound = self.0.get(&(&key.cpv.category_package, &key.slot.slot))?;
        let is_replaced = |installed: &InstalledPackage| {
            replaced.contains(&(&installed.cpv.category_package, &installed.slot.slot))
        };
        let broken = bound
            .iter()
            .find(|(installed, subslot)| **subslot != key.slot.subslot && !is_replaced(installed));
        broken.map(|(installed, _)| &installed.cpv)
    }
}
