//! That a worker is there which takes no commands.

use std::sync::Arc;

use gentoo_updater_bus::{Bus, BusError, Health, Speaker};
use gentoo_updater_fleet::message::{Event, Role, WorkerAlive, WorkerRegistered};

use crate::context::Context;

/// Says of a worker that takes no commands that it is there, so that `gentoo-updater workers` shows it.
pub struct Presence {
    bus: Arc<dyn Bus>,
    role: Role,
    speaker: Speaker,
}

impl Presence {
    /// Of the worker that this speaker speaks for.
    pub fn new(context: &Context, role: Role, speaker: Speaker) -> Self {
        Self {
            bus: context.bus.clone(),
            role,
            speaker,
        }
    }

    /// Says that it has come up.
    ///
    /// # Errors
    /// When the bus cannot go on.
    pub async fn register(&self) -> Result<(), BusError> {
        let event = Event::WorkerRegistered(WorkerRegistered {
            worker: self.speaker.id.clone(),
            role: self.role,
            queues: Vec::new(),
            machine: None,
        });
        self.bus.publish(&self.speaker.say(event)).await
    }

    /// Says that it lives. To be called at every heartbeat.
    ///
    /// # Errors
    /// When the bus cannot go on.
    pub async fn say_alive(&self, paused: bool) -> Result<(), BusError> {
        let event = Event::WorkerAlive(WorkerAlive {
            worker: self.speaker.id.clone(),
            role: self.role,
            working_on: Vec::new(),
            slots: None,
            paused,
            bus_trouble: match &*self.bus.health().borrow() {
                Health::Good => None,
                Health::Blocked(why) | Health::Disconnected(why) => Some(why.clone()),
            },
        });
        self.bus.publish(&self.speaker.say(event)).await
    }
}
