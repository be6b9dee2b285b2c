//! Connections that nobody uses at the moment.
//!
//! A worker for a whole fleet speaks with each machine for a short while. To keep all connections
//! would hold memory here and a process of the server on each machine, for work that comes once a
//! day. So those that were used last are kept, and a machine whose connection was closed gets
//! another one when there is something to say.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::connection::Connection;

/// How many connections there are, with those in use, before one that nobody uses is closed.
const KEPT: usize = 8;

/// How many that nobody uses are kept in any case: who follows a job on a machine says something to
/// it every few seconds.
const KEPT_IDLE: usize = 2;

/// Where a machine's connection is, while there is one.
pub(super) type Place = tokio::sync::Mutex<Option<Arc<Connection>>>;

/// The places of connections, the one that was used last at the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Idle(Arc<Mutex<VecDeque<Weak<Place>>>>);

impl Idle {
    /// Says that a connection is, or was, used, and closes those that have not been used for the
    /// longest time where there are too many.
    pub(super) fn used(&self, place: &Arc<Place>) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|other| other.as_ptr() != Arc::as_ptr(place));
        places.push_back(Arc::downgrade(place));
        let (mut busy, mut idle) = (0_usize, 0_usize);
        places.retain(|place| match place.upgrade().map(|place| state(&place)) {
            Some(State::Busy) => {
                busy += 1;
                true
            }
            Some(State::Idle) => {
                idle += 1;
                true
            }
            Some(State::Closed) | None => false,
        });
        let mut too_many = idle.saturating_sub(KEPT_IDLE.max(KEPT.saturating_sub(busy)));
        places.retain(|place| {
            let is_closed = too_many > 0 && place.upgrade().is_some_and(|place| close(&place));
            too_many -= usize::from(is_closed);
            !is_closed
        });
    }
}

enum State {
    /// Somebody opens or uses it.
    Busy,
    Idle,
    Closed,
}

fn state(place: &Place) -> State {
    match place.try_lock().as_deref() {
        Err(_) => State::Busy,
        Ok(None) => State::Closed,
        Ok(Some(connection)) if Arc::strong_count(connection) > 1 => State::Busy,
        Ok(Some(_)) => State::Idle,
    }
}

/// Closes a connection unless somebody uses it.
fn close(place: &Place) -> bool {
    let Ok(mut connection) = place.try_lock() else {
        return false;
    };
    let is_idle = |connection: &mut Arc<Connection>| Arc::strong_count(connection) == 1;
    connection.take_if(is_idle).is_some()
}
