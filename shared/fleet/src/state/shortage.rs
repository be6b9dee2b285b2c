//! What builds that failed have taught of what they need.

use super::Fleet;
use crate::message::BuildFailed;
use crate::needs::{Capacity, Kind, learnt};

impl Fleet {
    /// Notes that a build had too little memory or space. It counts whatever became of its run: the
    /// package is the same in the next one.
    pub(super) fn note_shortage(&mut self, event: &BuildFailed) {
        let (Some(kind), Some(had), Some(whole)) =
            (event.failure.lacked(), event.had, self.capacity_of(event))
        else {
            return;
        };
        let job = self.runs.get(&event.run).and_then(|run| {
            let jobs = run.jobs.as_ref()?;
            jobs.get(&event.job)
        });
        let Some(package) = job.map(|job| job.key.cpv.category_package.clone()) else {
            return;
        };
        let needs = self.needs.entry(package).or_default();
        let (known, had, whole) = match kind {
            Kind::Memory => (
                &mut needs.memory_megabytes,
                had.memory_megabytes,
                whole.memory_megabytes,
            ),
            Kind::Disk => (
                &mut needs.disk_megabytes,
                had.disk_megabytes,
                whole.disk_megabytes,
            ),
        };
        *known = (*known).max(Some(learnt(had, whole)));
    }

    /// What all slots of the builder have together.
    fn capacity_of(&self, event: &BuildFailed) -> Option<Capacity> {
        let mut machines = self.workers.values().filter_map(|w| w.machine.as_ref());
        let machine = machines.find(|machine| Some(&machine.builder) == event.builder.as_ref())?;
        machine.capacity
    }
}
