//! Saying that a worker lives.

use std::collections::BTreeMap;
use std::sync::Arc;

use gentoo_updater_fleet::message::{Event, Ongoing, WorkKey, WorkerAlive};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::{Handler, WorkerSpec};
use crate::news::News;
use crate::seam::{Bus, BusError, Health};

/// What a worker works on, and since when. Planner and command line learn it from the signs of
/// life.
pub(super) type WorkingOn = watch::Sender<BTreeMap<WorkKey, Timestamp>>;

/// Marks work as worked on for as long as it lives.
pub(super) struct Working {
    on: Arc<WorkingOn>,
    work: WorkKey,
}

impl Working {
    /// `None` when this worker works on it already.
    pub(super) fn begin(on: &Arc<WorkingOn>, work: &WorkKey, now: Timestamp) -> Option<Self> {
        let begun = on.send_if_modified(|on| {
            let is_new = !on.contains_key(work);
            on.entry(work.clone()).or_insert(now);
            is_new
        });
        begun.then(|| Self {
            on: on.clone(),
            work: work.clone(),
        })
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.on
            .send_if_modified(|on| on.remove(&self.work).is_some());
    }
}

/// Says that the worker lives, at every beat, and whenever its work changes or an operator pauses
/// or resumes it.
pub(super) async fn beat(
    bus: Arc<dyn Bus>,
    spec: WorkerSpec,
    handler: Arc<dyn Handler>,
    working_on: Arc<WorkingOn>,
    paused: Arc<News<bool>>,
) -> Result<(), BusError> {
    let (mut changes, mut is_paused) = (working_on.subscribe(), paused.get());
    let mut beats = interval(spec.heartbeat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = beats.tick() => {}
            // The set lives as long as this future, so this cannot fail.
            _ = changes.changed() => beats.reset(),
            _ = paused.until(|paused| *paused != is_paused) => beats.reset(),
        }
        is_paused = paused.get();
        let working_on = changes.borrow_and_update().iter().map(ongoing).collect();
        let alive = WorkerAlive {
            worker: spec.id.clone(),
            role: spec.role,
            working_on,
            slots: Some(spec.slots(handler.as_ref())),
            paused: is_paused,
            bus_trouble: match &*bus.health().borrow() {
                Health::Good => None,
                Health::Blocked(why) | Health::Disconnected(why) => Some(why.clone()),
            },
        };
        bus.publish(&spec.speaker().say(Event::WorkerAlive(alive)))
            .await?;
    }
}

fn ongoing((work, since): (&WorkKey, &Timestamp)) -> Ongoing {
    Ongoing {
        work: work.clone(),
        since: Some(*since),
    }
}
