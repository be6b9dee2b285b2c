//! What an operator wants of one process, as far as the process knows it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use gentoo_updater_fleet::message::{Event, PauseTarget, Role};
use gentoo_updater_fleet::name::WorkerId;
use gentoo_updater_fleet::state;
use tokio::time::Instant;

/// Since when a process has known of each pause that is meant for it.
#[derive(Debug)]
pub struct Orders {
    id: Option<WorkerId>,
    role: Role,
    pauses: Mutex<BTreeMap<PauseTarget, Instant>>,
}

impl Orders {
    /// Of a process that has read nothing yet. Planners have no name that an operator knows.
    pub fn new(id: Option<WorkerId>, role: Role) -> Self {
        Self {
            id,
            role,
            pauses: Mutex::default(),
        }
    }

    fn is_mine(&self, target: &PauseTarget) -> bool {
        match target {
            PauseTarget::Role(role) => *role == self.role,
            PauseTarget::Worker(worker) => self.id.as_ref() == Some(worker),
        }
    }

    /// The process reads an event of the history.
    pub fn hear(&self, event: &Event) {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::PauseRequested(event) if self.is_mine(&event.target) => {
                let target = event.target.clone();
                pauses.entry(target).or_insert_with(Instant::now);
            }
            // Whoever resumes a role resumes all of its workers.
            Event::ResumeRequested(event) if event.target == PauseTarget::Role(self.role) => {
                pauses.clear();
            }
            Event::ResumeRequested(event) => {
                pauses.remove(&event.target);
            }
            _ => {}
        }
    }

    /// The process begins with a snapshot.
    pub fn begin(&self, fleet: &state::Fleet) {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let mine = fleet.pauses.keys().filter(|target| self.is_mine(target));
        *pauses = mine.map(|target| (target.clone(), now)).collect();
    }

    /// Whether the process has known of a pause for longer than a moment.
    pub fn is_paused(&self) -> bool {
        let pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.values().any(|since| *since < Instant::now())
    }
}
