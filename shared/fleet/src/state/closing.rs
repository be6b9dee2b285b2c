//! Closing the sets of the guests of a run: by what is built, what will never be, what operators want, and
//! what goes first.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use gentoo_updater_portage::cpv::Cpv;

use super::barriers::{BarrierUpdate, Barriers};
use super::progress::{JobProgress, Progress};
use super::run::{Installation, Run};
use super::wants::Plan;
use super::{Fleet, Guest};
use crate::closing::{self, ClosedSet};
use crate::message::{GuestScanned, HeldBack, HoldReason, Task, Update};
use crate::name::GuestName;

/// How the sets of the guests of one run are closed.
///
/// Where what one guest gets goes first, the run is a step of its own: each guest gets what goes first
/// on it, with what that needs and would break, and nothing else. Guests on which nothing goes first
/// wait, too: what a wave shows is then of one change alone, and what comes behind it comes to all
/// in the order of the waves.
pub struct Closing<'a> {
    fleet: &'a Fleet,
    run: &'a Run,
    progress: Arc<Progress>,
    barriers: Arc<Barriers>,
    first: OnceCell<Option<Cpv>>,
}

impl Run {
    /// How the sets of its guests are closed.
    pub fn closing<'a>(&'a self, fleet: &'a Fleet) -> Closing<'a> {
        Closing {
            fleet,
            run: self,
            progress: self.progress(),
            barriers: self.barriers(),
            first: OnceCell::new(),
        }
    }

    /// The same for one guest.
    pub fn close<'a>(
        &'a self,
        fleet: &'a Fleet,
        scan: &'a GuestScanned,
        plan: &Plan,
    ) -> ClosedSet<'a> {
        self.closing(fleet).close(scan, plan)
    }

    /// Why an update is not installed on a guest, however well it was built: an operator holds it, or
    /// somebody had to be put back who got it.
    pub(super) fn unwanted(
        &self,
        fleet: &Fleet,
        guest: &GuestName,
        update: &Update,
    ) -> Option<HoldReason> {
        if let Some(atom) = fleet.held_by(&update.key) {
            return Some(HoldReason::Held(atom.clone()));
        }
        let platform = &self.guests.get(guest)?.platform;
        let suspect = fleet.suspect_of(platform, &update.key.cpv)?;
        Some(HoldReason::RolledBack(suspect.guest.clone()))
    }
}

impl<'a> Closing<'a> {
    /// The set of a guest.
    pub fn close(&self, scan: &'a GuestScanned, plan: &Plan) -> ClosedSet<'a> {
        let closed = self.whole(scan, plan);
        let Some(first) = self.first() else {
            return closed;
        };
        let own = self.of_guest(&scan.guest);
        let goes_first = |update: &Update| own.iter().any(|it| *it.update == *update);
        let kept = closing::least(scan, &closed.install, goes_first);
        let own = kept.iter().find(|update| goes_first(update));
        let first = own.map_or(first, |update| &update.key.cpv);
        let stays: BTreeSet<&Cpv> = kept.iter().map(|update| &update.key.cpv).collect();
        let rest = closed.install.iter().map(|update| &update.key.cpv);
        let rest = rest.filter(|cpv| !stays.contains(cpv)).map(|cpv| HeldBack {
            cpv: cpv.clone(),
            reason: HoldReason::Barrier(first.clone()),
        });
        let mut held: Vec<HeldBack> = closed.held.into_iter().chain(rest).collect();
        held.sort();
        ClosedSet {
            install: kept,
            held,
        }
    }

    /// Whether a guest certainly gets nothing, because nothing goes first on it and something does on
    /// others.
    pub fn lets_others_go_first(&self, guest: &GuestName) -> bool {
        self.of_guest(guest).is_empty() && self.first().is_some()
    }

    /// Whether a guest, all of whose builds are over, gets nothing in this run: it need not wait for its
    /// turn.
    pub fn gets_nothing(&self, guest: &'a Guest) -> bool {
        let (Some(scan), Some(plan)) = (&guest.scan, &guest.plan) else {
            return false;
        };
        // Without one of these what is built is installed, and most of the time there is none.
        let fleet = self.fleet;
        let may_be_held = !(fleet.suspects.is_empty() && fleet.holds.is_empty());
        !scan.unsettled
            && (plan.wants.is_empty() || may_be_held)
            && self.close(scan, plan).install.is_empty()
    }

    /// Whether a guest gets the rest in a further round: something was held back for what goes first, and
    /// that is installed, or does not go first on this guest. Where it failed nothing comes behind it.
    pub fn waits_for_the_rest(&self, name: &GuestName, guest: &'a Guest) -> bool {
        let has_failed = self.run.failure(&Task::Install(name.clone())).is_some();
        let (Some(scan), Some(plan)) = (&guest.scan, &guest.plan) else {
            return false;
        };
        if self.first().is_none() || has_failed || guest.left_out.is_some() {
            return false;
        }
        let installation = guest.installation.as_ref();
        let held = match installation {
            Some(installation) => Cow::from(&installation.held),
            None => Cow::from(self.close(scan, plan).held),
        };
        let is_settled = |barrier: &BarrierUpdate| {
            let cpv = &barrier.update.key.cpv;
            let held = held.iter().find(|held| held.cpv == *cpv);
            match held.map(|held| &held.reason) {
                None => installation.is_some(),
                Some(HoldReason::RolledBack(_)) => false,
                Some(_) => true,
            }
        };
        let mut reasons = held.iter().map(|held| &held.reason);
        reasons.any(|reason| matches!(reason, HoldReason::Barrier(_)))
            && self.of_guest(name).iter().all(is_settled)
    }

    /// What goes first on the guests of the run: what is known to, or as long as that is not known, what
    /// may.
    pub fn goes_first(&self) -> impl Iterator<Item = (&GuestName, &BarrierUpdate)> {
        let is_known = self.run.jobs.is_some() && !self.run.awaits_barriers(self.fleet);
        let is_step = !is_known || self.first().is_some();
        let all = self.barriers.iter().filter(move |_| is_step);
        let all = all.flat_map(|(guest, its)| its.iter().map(move |it| (guest, it)));
        all.filter(|(guest, it)| self.run.may_go_first(self.fleet, guest, it))
    }

    fn of_guest(&self, guest: &GuestName) -> &[BarrierUpdate] {
        self.barriers.get(guest).map_or(&[], Vec::as_slice)
    }

    /// Something that goes first on a guest of the run; none where the run is no step of its own. Once a
    /// guest was made to wait all of them do, whatever becomes of what goes first: who comes later gets
    /// nothing that the wave before has not had.
    fn first(&self) -> Option<&Cpv> {
        self.first.get_or_init(|| self.find_first()).as_ref()
    }

    fn find_first(&self) -> Option<Cpv> {
        if self.barriers.is_empty() {
            return None;
        }
        let installations = self
            .run
            .guests
            .values()
            .filter_map(|g| g.installation.as_ref());
        let mut held = installations.flat_map(|installation| &installation.held);
        let told = held.find_map(|held| match &held.reason {
            HoldReason::Barrier(cpv) => Some(cpv.clone()),
            _ => None,
        });
        told.or_else(|| self.barriers.keys().find_map(|guest| self.first_of(guest)))
    }

    /// What goes first on a guest and can be installed.
    fn first_of(&self, name: &GuestName) -> Option<Cpv> {
        let its = self.of_guest(name).iter();
        let mut its = its
            .filter(|it| self.run.may_go_first(self.fleet, name, it))
            .peekable();
        its.peek()?;
        let guest = self.run.guests.get(name)?;
        let closed = self.whole(guest.scan.as_ref()?, guest.plan.as_ref()?);
        let mut installed = its.filter(|it| {
            let mut rows = closed.install.iter();
            rows.any(|update| **update == *it.update)
        });
        installed.next().map(|it| it.update.key.cpv.clone())
    }

    /// The set of a guest as if nothing went first.
    fn whole(&self, scan: &'a GuestScanned, plan: &Plan) -> ClosedSet<'a> {
        let (run, wanted) = (self.run, self.run.wanted(plan));
        let begun = run.begun_and_open(&scan.guest);
        closing::close(scan, |update| {
            let cpv = &update.key.cpv;
            // What has begun on a guest is brought to its end as it was begun, whatever operators and
            // other guests say meanwhile.
            let had = |it: &Installation| !it.held.iter().any(|held| held.cpv == *cpv);
            let is_begun = begun.is_some_and(had);
            if !is_begun && let Some(reason) = run.unwanted(self.fleet, &scan.guest, update) {
                return Some(reason);
            }
            let id = wanted.get(cpv).copied();
            if id.is_some_and(|id| run.built.contains_key(id)) {
                let waits = !is_begun && run.needs_approval(self.fleet, &scan.guest, update);
                return waits.then(|| HoldReason::Irreversible(cpv.clone()));
            }
            let cause = match id.and_then(|id| self.progress.get(id)) {
                Some(JobProgress::HeldBack(cause)) => run.jobs.as_ref()?.get(cause),
                _ => None,
            };
            Some(cause.map_or(HoldReason::BuildFailed, |job| {
                HoldReason::Needs(job.key.cpv.clone())
            }))
        })
    }
}
