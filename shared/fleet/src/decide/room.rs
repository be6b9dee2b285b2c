//! How many builds can be given out at once, and which.
//!
//! A queue hands out what came first, first. So the planner keeps builds until somebody is free to
//! begin one: then the most urgent goes, also when it could be built only since a moment ago.
//!
//! A build that needs much of its machine takes several of its slots, and is kept until a machine that
//! has so much has one free. It is given out then: on the machine it waits for the others, which are
//! given to nobody else meanwhile. Kept back here it would be overtaken by one light build after the
//! other.

use std::collections::BTreeMap;

use crate::liveness::Liveness;
use crate::message::{Failure, FailureClass, Job, Role, Task};
use crate::name::{PlatformName, WorkerId};
use crate::needs::{Capacity, Needs, of_build};
use crate::state::{Attempt, Fleet};

/// The builds that can be given out for each platform.
pub(super) struct Room<'a> {
    fleet: &'a Fleet,
    platforms: BTreeMap<&'a PlatformName, Platform<'a>>,
}

/// The builders of a platform that live and take work.
#[derive(Default)]
struct Platform<'a> {
    /// The slots in which nobody works, or will when everything is taken that is on its way. It is not
    /// known who takes that, so it is no sum of what each builder has free.
    free: usize,
    builders: Vec<Builder<'a>>,
}

struct Builder<'a> {
    worker: &'a WorkerId,
    slots: u16,
    free: u16,
    /// Absent where it did not say so.
    capacity: Option<Capacity>,
}

impl Builder<'_> {
    /// How many slots a build takes here; `None` where its machine has too little.
    fn slots_for(&self, needs: &Needs) -> Option<u16> {
        let Some(capacity) = &self.capacity else {
            return Some(1);
        };
        let fits = needs.lacking(capacity).is_none();
        fits.then(|| needs.slots(capacity, self.slots))
    }
}

/// Whether a build can be given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Now. The slots are taken.
    Now,
    /// When a build has ended.
    Later,
    /// No builder that lives and takes work has what it needs.
    Nowhere,
}

impl<'a> Room<'a> {
    /// The slots of the builders that live and take work, less those in which one works, or will
    /// when it has taken what is on its way.
    pub(super) fn of(fleet: &'a Fleet, liveness: &Liveness) -> Self {
        let mut platforms: BTreeMap<&PlatformName, Platform<'a>> = BTreeMap::new();
        for (worker, registered) in &fleet.workers {
            let takes_work = registered.role == Role::Builder
                && registered.paused.is_none()
                && fleet.pause_of(worker, registered.role).is_none()
                && liveness.may_be_alive(worker);
            if let (true, Some(machine)) = (takes_work, &registered.machine) {
                let slots = machine.slots.unwrap_or(1);
                let platform = platforms.entry(&machine.platform).or_default();
                platform.free += usize::from(slots);
                platform.builders.push(Builder {
                    worker,
                    slots,
                    free: slots,
                    capacity: machine.capacity,
                });
            }
        }
        let mut room = Self { fleet, platforms };
        for run in fleet.unfinished() {
            let Some(jobs) = &run.jobs else { continue };
            for (task, state) in &run.tasks {
                let Task::Build(id) = task else { continue };
                let newest = state.newest().filter(|_| state.outcome.is_none());
                if let (Some((number, attempt)), Some(job)) = (newest, jobs.get(id)) {
                    room.leave_out(job, number, attempt, state.before_retry);
                }
            }
        }
        room
    }

    /// Takes away what a build under way takes.
    fn leave_out(&mut self, job: &Job, number: u32, attempt: &Attempt, before_retry: u32) {
        let needs = self.needs(job);
        let Some(platform) = self.platforms.get_mut(&job.platform) else {
            return;
        };
        match (&attempt.failure, &attempt.claim) {
            (Some(_), _) => {}
            (None, Some(claim)) => platform.take_at(&claim.worker, &needs),
            // A further attempt can lie in its queue for long: whose machine failed leaves it to others,
            // as long as they are at work. It takes a slot when somebody claims it.
            (None, None) => {
                if attempt.issued.is_some() && number == before_retry.saturating_add(1) {
                    platform.take(&needs);
                }
            }
        }
    }

    /// What a build needs of its machine.
    pub(super) fn needs(&self, job: &Job) -> Needs {
        let learnt = self.fleet.needs.get(&job.key.cpv.category_package);
        let learnt = learnt.copied().unwrap_or_default();
        match self.platforms.get(&job.platform) {
            Some(platform) => {
                let builders = platform.builders.iter();
                let machines = builders.filter_map(|builder| builder.capacity.as_ref());
                of_build(job.needs, learnt, machines)
            }
            None => job.needs.or(learnt),
        }
    }

    /// Whether a further build can be given out at all. Where no builder is known that takes work, all
    /// of them can: they wait in the queue for whoever comes up, and are given up after a while.
    pub(super) fn is_there(&self, platform: &PlatformName) -> bool {
        self.platforms.get(platform).is_none_or(|it| it.free > 0)
    }

    /// Whether a builder that lives and takes work has what a build needs, or none is known at all.
    pub(super) fn is_anywhere(&self, job: &Job) -> bool {
        self.any(job, |_| true)
    }

    /// Whether such a builder has a slot free.
    pub(super) fn is_anywhere_now(&self, job: &Job) -> bool {
        self.any(job, |builder| builder.free > 0)
    }

    fn any(&self, job: &Job, is_it: impl Fn(&Builder<'_>) -> bool) -> bool {
        let needs = self.needs(job);
        self.platforms.get(&job.platform).is_none_or(|platform| {
            let mut builders = platform.builders.iter();
            builders.any(|builder| builder.slots_for(&needs).is_some() && is_it(builder))
        })
    }

    /// That nobody has what a build needs, with what each has.
    pub(super) fn nobody_has(&self, job: &Job) -> Failure {
        let needs = self.needs(job);
        let builders = self.platforms.get(&job.platform);
        let builders = builders.into_iter().flat_map(|platform| &platform.builders);
        let lacking = builders.filter_map(|builder| {
            let lack = needs.lacking(builder.capacity.as_ref()?)?;
            Some(format!("{}: {lack}", builder.worker))
        });
        let lacking: Vec<String> = lacking.collect();
        let message = format!(
            "no builder has the {needs} that the configuration says a build of {} needs ({}); give one \
             more, or say less in [[packages]] and run again",
            job.key.cpv,
            lacking.join("; ")
        );
        Failure::new(FailureClass::Permanent, "NoBuilderLargeEnough", message)
    }

    /// It is a build's turn, the most urgent one's first.
    pub(super) fn turn(&mut self, job: &Job) -> Turn {
        let needs = self.needs(job);
        match self.platforms.get_mut(&job.platform) {
            Some(platform) => platform.turn(&needs),
            None => Turn::Now,
        }
    }
}

impl<'a> Platform<'a> {
    fn turn(&mut self, needs: &Needs) -> Turn {
        if needs.is_none() {
            let is_free = self.free > 0;
            self.free = self.free.saturating_sub(1);
            return if is_free { Turn::Now } else { Turn::Later };
        }
        let Some((builder, slots)) = self.roomiest(needs) else {
            return Turn::Nowhere;
        };
        if builder.free == 0 || self.free == 0 {
            return Turn::Later;
        }
        let worker = builder.worker;
        self.take_slots(worker, slots);
        Turn::Now
    }

    /// Something was given out: the roomiest of the builders that have what it needs will take it.
    fn take(&mut self, needs: &Needs) {
        match self.roomiest(needs).filter(|_| !needs.is_none()) {
            Some((builder, slots)) => {
                let worker = builder.worker;
                self.take_slots(worker, slots);
            }
            None => self.free = self.free.saturating_sub(1),
        }
    }

    /// A builder works on something.
    fn take_at(&mut self, worker: &WorkerId, needs: &Needs) {
        let builder = self.builders.iter().find(|it| it.worker == worker);
        let Some(builder) = builder else { return };
        let (worker, slots) = (builder.worker, builder.slots_for(needs).unwrap_or(1));
        self.take_slots(worker, slots);
    }

    /// At most those that it has: what waits there for more of them takes none from others.
    fn take_slots(&mut self, worker: &'a WorkerId, slots: u16) {
        let builder = self.builders.iter_mut().find(|it| it.worker == worker);
        if let Some(builder) = builder {
            let taken = builder.free.min(slots);
            builder.free -= taken;
            self.free = self.free.saturating_sub(usize::from(taken));
        }
    }

    /// The builder that lacks the fewest slots for this, and how many it takes there.
    fn roomiest(&self, needs: &Needs) -> Option<(&Builder<'a>, u16)> {
        let could = self.builders.iter().filter_map(|builder| {
            let slots = builder.slots_for(needs)?;
            Some((builder, slots))
        });
        could.min_by_key(|(builder, slots)| (slots.saturating_sub(builder.free), builder.worker))
    }
}
