//! What operators hold and approve, and how far the waves of a run are.

use std::sync::Arc;

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::build_key::BuildKey;
use jiff::Timestamp;

use super::run::Run;
use super::{Fleet, Hold};
use crate::message::{Envelope, Event, GuestsLeftOut, HoldRequested, HoldTarget, WaveEnded};
use crate::name::{RunId, WaveName};
use crate::needs::speaks_of;

impl Fleet {
    pub(super) fn hold(&mut self, event: &HoldRequested, said: &Envelope<Event>) {
        if let HoldTarget::Run(run) = &event.target
            && self.open(*run).is_none()
        {
            return;
        }
        if let HoldTarget::Package(atom) = &event.target {
            self.take_approval_back(atom);
        }
        let hold = Hold {
            by: said.sender.clone(),
            since: said.at,
            reason: event.reason.clone(),
        };
        // What is held again is held by whoever said so last, and for their reason.
        self.holds.insert(event.target.clone(), hold);
    }

    /// What is held is not held any more; what is not held waits for no approval any more. Who lifts the
    /// hold of a guest, a package or a run has not said by that that what guests had to be put back from
    /// may come again, or what cannot be undone.
    pub(super) fn approve(&mut self, target: &HoldTarget) {
        let was_held = self.holds.remove(target).is_some();
        if was_held && !matches!(target, HoldTarget::Wave(_)) {
            return;
        }
        self.trust(target);
        match target {
            HoldTarget::Run(run) => {
                let run = self.open(*run);
                run.into_iter().for_each(|run| run.approve(|_| true));
            }
            HoldTarget::Wave(wave) => {
                let open: Vec<RunId> = self.unfinished().map(|run| run.id).collect();
                for run in open {
                    let run = self.open(run);
                    run.into_iter()
                        .for_each(|run| run.approve(|name| name == wave));
                }
            }
            HoldTarget::Package(atom) => self.approve_package(atom),
            HoldTarget::Guest(_) => {}
        }
    }

    /// By which atom an operator holds this package, if one does.
    pub fn held_by(&self, key: &BuildKey) -> Option<&Atom> {
        let mut atoms = self.holds.keys().filter_map(|target| match target {
            HoldTarget::Package(atom) => Some(atom),
            _ => None,
        });
        atoms.find(|atom| speaks_of(atom, key))
    }

    /// A run that is over cannot be held.
    pub(super) fn forget_hold_of(&mut self, run: RunId) {
        self.holds.remove(&HoldTarget::Run(run));
    }

    pub(super) fn wave_ended(&mut self, event: &WaveEnded, at: Timestamp) {
        let Some(run) = self.open(event.run) else {
            return;
        };
        // Two planners may have said it of one wave.
        let next = run.rollout.waves.get(run.ended_waves.len());
        if next.is_some_and(|wave| wave.name == event.wave) {
            run.ended_waves.push(at);
            run.progressed(at);
        }
    }

    pub(super) fn left_out(&mut self, event: &GuestsLeftOut, at: Timestamp) {
        let Some(run) = self.open(event.run) else {
            return;
        };
        let failure = Arc::new(event.failure.clone());
        for name in &event.guests {
            if let Some(guest) = run.guests.get_mut(name) {
                guest.left_out.get_or_insert_with(|| failure.clone());
            }
        }
        run.progressed(at);
    }
}

impl Run {
    fn approve(&mut self, is_meant: impl Fn(&WaveName) -> bool) {
        let waves = self.rollout.waves.iter().map(|wave| &wave.name);
        let meant = waves.filter(|name| is_meant(name)).cloned();
        self.approved.extend(meant.collect::<Vec<_>>());
    }

    /// Something of it has come to its end.
    pub(super) fn progressed(&mut self, at: Timestamp) {
        self.progressed_at = self.progressed_at.max(at);
    }
}
