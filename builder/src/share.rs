//! The share that a build has of its machine.
//!
//! A build that needs much takes several of the slots in which its worker works. The planner gives it
//! out when so many are free; where others came first it waits for them here.

use std::sync::Arc;

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_fleet::needs::{Capacity, Kind, Needs};
use gentoo_updater_portage::cpv::Cpv;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The slots of a worker.
pub(crate) struct Shares {
    slots: u16,
    free: Arc<Semaphore>,
}

/// What one build has. Its slots are free again when it is dropped.
pub(crate) struct Share {
    /// Memory and space, where the machine has said what it has.
    pub(crate) had: Option<Capacity>,
    _slots: Option<OwnedSemaphorePermit>,
}

impl Shares {
    pub(crate) fn new(slots: u16) -> Self {
        Self {
            slots,
            free: Arc::new(Semaphore::new(usize::from(slots))),
        }
    }

    /// How many slots a build takes of a machine that works in so many of them at once by now: all of
    /// them where it needs much and nobody knows yet what the machine has.
    pub(crate) fn slots_for(
        &self,
        needs: &Needs,
        capacity: Option<&Capacity>,
        at_once: u16,
    ) -> u16 {
        let slots = self.slots.min(at_once);
        match capacity {
            Some(capacity) => needs.slots(capacity, slots),
            None if needs.is_none() => 1,
            None => slots,
        }
    }

    /// Whether nothing is built.
    pub(crate) fn are_idle(&self) -> bool {
        self.free.available_permits() == usize::from(self.slots)
    }

    /// Waits until as many slots are free as the build takes of a machine that works in so many of them
    /// at once by now.
    pub(crate) async fn take(
        &self,
        needs: Needs,
        capacity: Option<Capacity>,
        at_once: u16,
    ) -> Share {
        let slots = self.slots.min(at_once);
        let taken = self.slots_for(&needs, capacity.as_ref(), at_once);
        // Nobody closes it.
        let free = self.free.clone().acquire_many_owned(u32::from(taken)).await;
        Share {
            had: capacity.map(|capacity| capacity.share(taken, slots)),
            _slots: free.ok(),
        }
    }
}

/// Refuses what this machine is too small for.
///
/// # Errors
/// A failure of the machine: another one may have more.
pub(crate) fn check(
    builder: &BuilderName,
    cpv: &Cpv,
    needs: &Needs,
    capacity: &Capacity,
) -> Result<(), Failure> {
    let Some(lack) = needs.lacking(capacity) else {
        return Ok(());
    };
    let cause = match lack.kind {
        Kind::Memory => "TooLittleMemory",
        Kind::Disk => "TooLittleSpace",
    };
    let message = format!(
        "builder {builder} does not build {cpv}: {lack}; give it more, or say in [[packages]] that the \
         package needs less"
    );
    Err(Failure::new(FailureClass::Machine, cause, message))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const CAPACITY: Capacity = Capacity {
        memory_megabytes: 8000,
        disk_megabytes: 100_000,
    };

    fn memory(megabytes: u64) -> Needs {
        Needs {
            memory_megabytes: Some(megabytes),
            disk_megabytes: None,
        }
    }

    #[test]
    fn a_build_that_needs_half_of_the_machine_waits_for_half_of_its_slots() {
        let shares = Shares::new(4);
        let take = |needs| shares.take(needs, Some(CAPACITY), 4);
        let (first, second) = (
            take(Needs::default()).now_or_never().unwrap(),
            take(memory(3900)).now_or_never().unwrap(),
        );
        assert_eq!(first.had.unwrap().memory_megabytes, 2000);
        assert_eq!(second.had.unwrap().memory_megabytes, 4000);
        assert!(take(memory(2001)).now_or_never().is_none());
        drop(first);
        assert!(take(memory(2001)).now_or_never().is_some());
    }

    #[test]
    fn a_build_that_needs_much_has_a_machine_alone_of_which_nothing_is_known() {
        let shares = Shares::new(4);
        assert_eq!(shares.slots_for(&memory(1), None, 4), 4);
        assert_eq!(shares.slots_for(&Needs::default(), None, 4), 1);
        assert!(shares.are_idle());
        let share = shares.take(memory(1), None, 4).now_or_never().unwrap();
        assert!(!shares.are_idle() && share.had.is_none());
    }

    #[test]
    fn a_machine_that_builds_one_by_one_gives_all_to_each() {
        let shares = Shares::new(4);
        let share = shares
            .take(memory(8000), Some(CAPACITY), 1)
            .now_or_never()
            .unwrap();
        assert_eq!(share.had, Some(CAPACITY));
    }

    #[test]
    fn a_machine_that_is_too_small_says_by_how_much() {
        let (builder, cpv) = ("b1".parse().unwrap(), "a/a-1".parse().unwrap());
        let check = |needs| check(&builder, &cpv, &needs, &CAPACITY);
        check(memory(8000)).unwrap();
        let failure = check(memory(8001)).unwrap_err();
        assert_eq!(failure.cause, "TooLittleMemory");
        assert!(failure.is_of_machine());
        for word in ["b1", "a/a-1", "8000 MB", "8001 MB", "[[packages]]"] {
            assert!(failure.message.contains(word), "{word}: {failure}");
        }
        let failure = check(Needs {
            memory_megabytes: None,
            disk_megabytes: Some(100_001),
        });
        assert_eq!(failure.unwrap_err().cause, "TooLittleSpace");
    }
}
