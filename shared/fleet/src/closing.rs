//! Closing a guest's set: what can be installed when something failed to build, and the least of it that
//! can be installed alone.

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

/// Closes the set of one guest. `missing` says why an update cannot be
/// installed, if that is so: it has no binary, or somebody holds it.
///
/// Held back is, until nothing changes any more: what has no binary; what needs something that
/// is held back; and a library whose new subslot would break an installed package that is not
/// replaced in the same transaction.
pub fn close<'a>(
    scan: &'a GuestScanned,
    missing: impl Fn(&Update) -> Option<HoldReason>,
) -> ClosedSet<'a> {
    let wanted: Vec<&Update> = scan
        .updates
        .iter()
        .map(AsRef::as_ref)
        .filter(|update: &&Update| update.purpose == Purpose::Runtime)
        .collect();
    let mut held: BTreeMap<&Cpv, HoldReason> = BTreeMap::new();
    for update in &wanted {
        if let Some(reason) = missing(update) {
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

/// The least part of a closed set that is closed itself and has these updates: what they need comes with
/// them, and what they would break. In the order of the set.
pub fn least<'a>(
    scan: &'a GuestScanned,
    closed: &[&'a Update],
    is_wanted: impl Fn(&Update) -> bool,
) -> Vec<&'a Update> {
    let by_cpv: HashMap<&Cpv, &Update> = closed.iter().map(|u| (&u.key.cpv, *u)).collect();
    let by_slot: HashMap<_, &Update> = closed.iter().map(|u| (slot_of(u), *u)).collect();
    let mut open: Vec<&Update> = closed.iter().copied().filter(|u| is_wanted(u)).collect();
    let mut kept: HashSet<&Cpv> = HashSet::new();
    if open.is_empty() {
        return open;
    }
    let bound = Bound::of(scan);
    while let Some(update) = open.pop() {
        if kept.insert(&update.key.cpv) {
            open.extend(needs(update).filter_map(|need| by_cpv.get(need)));
            let broken = bound.to_another_subslot(update);
            open.extend(broken.filter_map(|it| by_slot.get(&slot_of_installed(it))));
        }
    }
    let is_kept = |update: &&Update| kept.contains(&update.key.cpv);
    closed.iter().copied().filter(is_kept).collect()
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

/// A package in one of its slots: it can be there once.
type PackageSlot<'a> = (&'a CategoryPackage, &'a Slot);

/// Packages and slots.
type Slots<'a> = HashSet<PackageSlot<'a>>;

fn slot_of(update: &Update) -> PackageSlot<'_> {
    (&update.key.cpv.category_package, &update.key.slot.slot)
}

fn slot_of_installed(installed: &InstalledPackage) -> PackageSlot<'_> {
    (&installed.cpv.category_package, &installed.slot.slot)
}

/// What the transaction replaces.
fn replaced<'a>(wanted: &[&'a Update], held: &BTreeMap<&Cpv, HoldReason>) -> Slots<'a> {
    let installed = wanted.iter().filter(|u| !held.contains_key(&u.key.cpv));
    installed.map(|update| slot_of(update)).collect()
}

/// Installed packages by what they are bound to, each in the order of the guest's answer.
struct Bound<'a>(HashMap<PackageSlot<'a>, Vec<(&'a InstalledPackage, &'a Slot)>>);

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
        let is_replaced =
            |installed: &&InstalledPackage| replaced.contains(&slot_of_installed(installed));
        let mut broken = self
            .to_another_subslot(update)
            .filter(|it| !is_replaced(it));
        broken.next().map(|installed| &installed.cpv)
    }

    /// The installed packages that are bound to another subslot of a package than this update brings.
    fn to_another_subslot<'s>(
        &'s self,
        update: &'s Update,
    ) -> impl Iterator<Item = &'a InstalledPackage> {
        let bound = self.0.get(&slot_of(update)).into_iter().flatten();
        bound
            .filter(|(_, subslot)| **subslot != update.key.slot.subslot)
            .map(|(installed, _)| *installed)
    }
}
