//! Versions that are not installed anywhere, because a guest that got them had to be put back.

use std::collections::{HashMap, HashSet};

use gentoo_updater_portage::cpv::Cpv;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Fleet;
use crate::message::{GuestRolledBack, HoldTarget, InstallFailed};
use crate::name::{GuestName, PlatformName, RunId};

/// How many are kept, the newest: of more than an update of everything brings.
pub const KEPT_SUSPECTS: usize = 5000;

/// A version that may be to blame for the rollback of one guest. One that several guests were put back
/// from is free when all of them are approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// The machines for which it was built.
    pub platform: PlatformName,
    /// The version.
    pub cpv: Cpv,
    /// The guest that was put back.
    pub guest: GuestName,
    /// The run that had brought it.
    pub run: RunId,
    /// When it was put back.
    pub at: Timestamp,
}

impl Fleet {
    /// A guest was put back: nobody gets what the update had brought until an operator approves it.
    pub(super) fn suspect(&mut self, event: &InstallFailed, at: Timestamp) {
        let (Some(rolled_back), Some(run)) = (&event.rolled_back, self.runs.get(&event.run)) else {
            return;
        };
        if let Some(guest) = run.guests.get(&event.guest) {
            // The agent of a guest says it, and what others get is none of its business.
            let updates = guest.scan.iter().flat_map(|scan| &scan.updates);
            let wanted: HashSet<&Cpv> = updates.map(|update| &update.key.cpv).collect();
            let packages = rolled_back.packages.iter();
            let packages = packages.filter(|cpv| wanted.contains(cpv)).cloned();
            let back = GuestRolledBack {
                run: event.run,
                guest: event.guest.clone(),
                platform: guest.platform.clone(),
                packages: packages.collect(),
                proven: false,
            };
            self.put_back(&back, at);
        }
    }

    /// An operator has put a guest back, or has found what is to blame.
    pub(super) fn put_back(&mut self, event: &GuestRolledBack, at: Timestamp) {
        if event.proven {
            let is_of_it = |it: &Suspect| it.run == event.run && it.guest == event.guest;
            self.suspects.retain(|suspect| !is_of_it(suspect));
        }
        for cpv in &event.packages {
            let is_known = |it: &Suspect| {
                it.cpv == *cpv
                    && it.run == event.run
                    && it.guest == event.guest
                    && it.platform == event.platform
            };
            if !self.suspects.iter().any(is_known) {
                self.suspects.push_back(Suspect {
                    platform: event.platform.clone(),
                    cpv: cpv.clone(),
                    guest: event.guest.clone(),
                    run: event.run,
                    at,
                });
            }
        }
        self.forget_old_suspects();
    }

    /// What several guests were put back from is said once before a version is forgotten.
    fn forget_old_suspects(&mut self) {
        let mut surplus = self.suspects.len().saturating_sub(KEPT_SUSPECTS);
        if surplus == 0 {
            return;
        }
        let version = |it: &Suspect| (it.platform.clone(), it.cpv.clone());
        let mut rows: HashMap<(PlatformName, Cpv), usize> = HashMap::new();
        for suspect in &self.suspects {
            *rows.entry(version(suspect)).or_default() += 1;
        }
        self.suspects.retain(|suspect| {
            let others = rows.get_mut(&version(suspect)).filter(|rows| **rows > 1);
            match others.filter(|_| surplus > 0) {
                Some(rows) => {
                    *rows -= 1;
                    surplus -= 1;
                    false
                }
                None => true,
            }
        });
        self.suspects.drain(..surplus);
    }

    /// Why nobody of this platform gets this version, if that is so.
    pub fn suspect_of(&self, platform: &PlatformName, cpv: &Cpv) -> Option<&Suspect> {
        let mut suspects = self.suspects.iter();
        suspects.find(|suspect| suspect.platform == *platform && suspect.cpv == *cpv)
    }

    /// What an operator approves is suspect no more, as far as no other guest was put back from it.
    pub(super) fn trust(&mut self, target: &HoldTarget) {
        self.suspects.retain(|suspect| !suspect.is_of(target));
    }

    /// What is suspect until this is approved.
    pub fn suspects_of(&self, target: &HoldTarget) -> impl Iterator<Item = &Suspect> {
        self.suspects.iter().filter(|suspect| suspect.is_of(target))
    }
}

impl Suspect {
    fn is_of(&self, target: &HoldTarget) -> bool {
        match target {
            HoldTarget::Run(run) => self.run == *run,
            HoldTarget::Guest(guest) => self.guest == *guest,
            HoldTarget::Package(atom) => atom.matches_version(&self.cpv),
            HoldTarget::Wave(_) => false,
        }
    }
}
