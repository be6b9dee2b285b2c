//! Saying that a worker lives.

use std::collections::BTreeSet;
use std::sync::Arc;

use gentoo_updater_fleet::message::{Event, WorkKey, WorkerAlive};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::WorkerSpec;
use crate::seam::{Bus, BusError};

/// What a worker works on. Planner and command line learn it from the signs of life.
pub(super) type WorkingOn = watch::Sender<BTreeSet<WorkKey>>;

/// Marks work as worked on for as long as it lives.
pub(super) struct Working {
    set: Arc<WorkingOn>,
    work: WorkKey,
}

impl Working {
    /// `None` when this worker works on it already.
    pub(super) fn begin(set: &Arc<WorkingOn>, work: &WorkKey) -> Option<Self> {
        let begun = set.send_if_modified(|set| set.insert(work.clone()));
        begun.then(|| Self {
            set: set.clone(),
            work: work.clone(),
        })
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.set.send_if_modified(|set| set.remove(&self.work));
    }
}

/// Says that the worker lives, at every beat and whenever its work changes.
pub(super) async fn beat(
    bus: Arc<dyn Bus>,
    spec: WorkerSpec,
    set: Arc<WorkingOn>,
) -> Result<(), BusError> {
    let mut changes = set.subscribe();
    let mut beats = interval(spec.heartbeat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = beats.tick() => {}
            // The set lives as long as this future, so this cannot fail.
            _ = changes.changed() => beats.reset(),
        }
        let working_on = changes.borrow_and_update().iter().cloned().collect();
        let alive = WorkerAlive {
            worker: spec.id.clone(),
            role: spec.role,
            working_on,
        };
        bus.publish(&spec.speaker().say(Event::WorkerAlive(alive)))
            .await?;
    }
}
