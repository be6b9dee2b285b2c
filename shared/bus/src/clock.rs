//! The time and the ids of messages, which a test can set.

use std::fmt;
use std::sync::Arc;

use gentoo_updater_fleet::message::{Envelope, WIRE_VERSION};
use gentoo_updater_fleet::name::{EventId, WorkerId};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Tells the time and makes ids.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// An id that no other message has, and that tells the time of its making (UUIDv7).
    fn event_id(&self) -> EventId;
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn event_id(&self) -> EventId {
        EventId::generate()
    }
}

/// Puts what one sender says into envelopes.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// Who speaks.
    pub id: WorkerId,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
}

impl Speaker {
    /// By this clock.
    pub fn new(id: WorkerId, clock: Arc<dyn Clock>) -> Self {
        Self { id, clock }
    }

    /// A new message, made now.
    pub fn say<T: Serialize + DeserializeOwned>(&self, message: T) -> Envelope<T> {
        Envelope {
            v: WIRE_VERSION,
            id: self.clock.event_id(),
            at: self.clock.now(),
            sender: self.id.clone(),
            message,
        }
    }
}
