//! All that is held, and all that waits for an approval.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::cpv::Cpv;
use jiff::Timestamp;
use serde::Serialize;

use super::hold::{unapproved, waiting_waves};
use crate::message::HoldTarget;
use crate::name::{GuestName, PlatformName, RunId, WaveName, WorkerId};
use crate::state::Fleet;

/// All that is held, and all that waits for an approval.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HoldsView {
    /// What operators hold.
    pub held: Vec<HeldView>,
    /// The waves of runs that go on that wait for an approval.
    pub waves: Vec<WaitingWaveView>,
    /// What nobody gets, because guests had to be put back from it, the newest first.
    pub put_back: Vec<PutBackView>,
    /// What guests do not get, because it cannot be undone.
    pub irreversible: Vec<UnapprovedView>,
    /// The packages that operators have approved, the newest last.
    pub approved: Vec<Atom>,
}

/// What an operator holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldView {
    /// What.
    pub target: HoldTarget,
    /// Who.
    pub by: WorkerId,
    /// Since when.
    pub since: Timestamp,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

/// A wave that waits for an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingWaveView {
    /// Its run.
    pub run: RunId,
    /// Its name.
    pub wave: WaveName,
}

/// What one guest had to be put back from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PutBackView {
    /// The guest.
    pub guest: GuestName,
    /// The machines that do not get it.
    pub platform: PlatformName,
    /// The run that had brought it.
    pub run: RunId,
    /// When it was put back.
    pub at: Timestamp,
    /// The versions.
    pub packages: Vec<Cpv>,
}

/// A version that cannot be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnapprovedView {
    /// The version.
    pub package: Cpv,
    /// The guests that do not get it.
    pub guests: Vec<GuestName>,
}

impl HoldsView {
    /// What the fleet knows of it.
    pub fn of(fleet: &Fleet) -> Self {
        let held = fleet.holds.iter().map(|(target, hold)| HeldView {
            target: target.clone(),
            by: hold.by.clone(),
            since: hold.since,
            reason: hold.reason.clone(),
        });
        let waves = waiting_waves(fleet).map(|(run, wave)| WaitingWaveView {
            run,
            wave: wave.clone(),
        });
        let mut irreversible: BTreeMap<&Cpv, BTreeSet<&GuestName>> = BTreeMap::new();
        for (guest, update) in unapproved(fleet) {
            irreversible
                .entry(&update.key.cpv)
                .or_default()
                .insert(guest);
        }
        let irreversible = irreversible
            .into_iter()
            .map(|(package, guests)| UnapprovedView {
                package: package.clone(),
                guests: guests.into_iter().cloned().collect(),
            });
        Self {
            held: held.collect(),
            waves: waves.collect(),
            put_back: put_back(fleet),
            irreversible: irreversible.collect(),
            approved: fleet.approved_packages.iter().cloned().collect(),
        }
    }

    /// How many approvals are waited for: waves, guests that were put back, and versions that cannot be
    /// undone.
    pub fn waiting(&self) -> usize {
        self.waves.len() + self.put_back.len() + self.irreversible.len()
    }

    /// Whether nothing is held and nothing waits.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.waiting() == 0
    }
}

fn put_back(fleet: &Fleet) -> Vec<PutBackView> {
    let mut all: Vec<PutBackView> = Vec::new();
    for suspect in fleet.suspects.iter().rev() {
        let is_of_it = |view: &&mut PutBackView| {
            view.guest == suspect.guest
                && view.run == suspect.run
                && view.platform == suspect.platform
        };
        match all.iter_mut().find(is_of_it) {
            Some(view) => view.packages.push(suspect.cpv.clone()),
            None => all.push(PutBackView {
                guest: suspect.guest.clone(),
                platform: suspect.platform.clone(),
                run: suspect.run,
                at: suspect.at,
                packages: vec![suspect.cpv.clone()],
            }),
        }
    }
    all.iter_mut().for_each(|view| view.packages.sort());
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Hold, Suspect};

    #[test]
    fn what_guests_were_put_back_from_is_told_by_guest_and_run() {
        let at: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
        let runs = [RunId::generate(), RunId::generate()];
        let suspect = |guest: &str, run: RunId, cpv: &str| Suspect {
            platform: "p".parse().unwrap(),
            cpv: cpv.parse().unwrap(),
            guest: guest.parse().unwrap(),
            run,
            at,
        };
        let mut fleet = Fleet::default();
        assert!(HoldsView::of(&fleet).is_empty());
        fleet.suspects.extend([
            suspect("web", runs[0], "b/b-1"),
            suspect("web", runs[0], "a/a-1"),
            suspect("db", runs[0], "a/a-1"),
            suspect("web", runs[1], "a/a-2"),
        ]);
        fleet.holds.insert(
            HoldTarget::Guest("db".parse().unwrap()),
            Hold {
                by: "operator@desk".parse().unwrap(),
                since: at,
                reason: None,
            },
        );
        let view = HoldsView::of(&fleet);
        let told: Vec<String> = view
            .put_back
            .iter()
            .map(|it| {
                let packages: Vec<String> = it.packages.iter().map(Cpv::to_string).collect();
                format!("{} {}", it.guest, packages.join(","))
            })
            .collect();
        assert_eq!(told, ["web a/a-2", "db a/a-1", "web a/a-1,b/b-1"]);
        assert_eq!((view.held.len(), view.waiting()), (1, 3));
    }
}
