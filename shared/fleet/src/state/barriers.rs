//! What the guests of a run want that must not be mixed over a fleet.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Fleet;
use super::progress::JobProgress;
use super::run::Run;
use crate::message::{Purpose, Update};
use crate::name::{GuestName, JobId};

/// An update of a guest that goes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarrierUpdate {
    /// The update.
    pub update: Arc<Update>,
    /// Its job.
    pub job: JobId,
    /// Why, in words.
    pub why: String,
}

/// What goes first on the guests of a run, whether or not it can be had. Guests without such an update
/// are not there.
pub type Barriers = BTreeMap<GuestName, Vec<BarrierUpdate>>;

impl Run {
    /// What goes first on its guests, as far as they were asked.
    pub fn barriers(&self) -> Arc<Barriers> {
        // Once there is a batch no guest says anything new.
        if self.jobs.is_some() {
            let known = &self.known.barriers;
            return known.get_or_init(|| self.find_barriers()).clone();
        }
        self.find_barriers()
    }

    fn find_barriers(&self) -> Arc<Barriers> {
        if self.rollout.barriers.is_empty() {
            return Arc::default();
        }
        let of_guest = |name: &GuestName| {
            let guest = self.guests.get(name)?;
            let scan = guest.scan.as_ref()?;
            let wanted = scan.updates.iter();
            let wanted = wanted.filter(|update| update.purpose == Purpose::Runtime);
            let barriers = wanted.filter_map(|update| {
                let barrier = self.rollout.barrier_of(update, &scan.installed)?;
                Some(BarrierUpdate {
                    update: update.clone(),
                    job: JobId::of(&guest.platform, &update.key),
                    why: barrier.to_string(),
                })
            });
            let barriers: Vec<BarrierUpdate> = barriers.collect();
            (!barriers.is_empty()).then_some(barriers)
        };
        let guests = self.guests.keys();
        let found = guests.filter_map(|name| Some((name.clone(), of_guest(name)?)));
        Arc::new(found.collect())
    }

    /// Whether what goes first may still be had, as far as it is known. What is held, was put back, waits
    /// for an approval or has no binary lets the rest pass.
    pub(super) fn may_go_first(
        &self,
        fleet: &Fleet,
        guest: &GuestName,
        barrier: &BarrierUpdate,
    ) -> bool {
        let is_hopeless = matches!(
            self.progress().get(&barrier.job),
            Some(JobProgress::Failed | JobProgress::HeldBack(_))
        );
        !is_hopeless
            && self.unwanted(fleet, guest, &barrier.update).is_none()
            && !self.needs_approval(fleet, guest, &barrier.update)
    }

    /// Whether nothing is installed yet because something may go first, and not all of the batch is
    /// built: what goes first needs others, and takes along what it would break.
    pub fn awaits_barriers(&self, fleet: &Fleet) -> bool {
        let may_go_first = || {
            let barriers = self.barriers();
            let mut all = barriers.iter().flat_map(|(guest, its)| {
                let its = its.iter();
                its.map(move |barrier| (guest, barrier))
            });
            all.any(|(guest, barrier)| self.may_go_first(fleet, guest, barrier))
        };
        !self.rollout.barriers.is_empty() && !self.progress().is_over() && may_go_first()
    }
}
