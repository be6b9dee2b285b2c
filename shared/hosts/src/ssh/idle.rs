//! Connections that nobody uses at the moment.
//!
//! A worker for a whole fleet speaks with each machine for a short while. To keep all connections
//! would hold memory here and a process of the server on each machine, for work that comes once a
//! day. So those that were used last are kept, and a machine whose connection was closed gets
//! another one when there is something to say.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::connection::Connection;

/// How many connections are kept, as long as nobody uses more of them at once.
const KEPT: usize = 8;

/// Where a machine's connection is, while there is one.
pub(super) type Place = tokio::sync::Mutex<Option<Arc<Connection>>>;

/// The places of connections, the one that was used last at the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Idle(Arc<Mutex<VecDeque<Weak<Place>>>>);

impl Idle {
    /// Says that a connection was used, and closes those that have not been used for the longest
    /// time where there are too many.
    pub(super) fn used(&self, place: &Arc<Place>) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|other| other.strong_count() > 0 && other.as_ptr() != Arc::as_ptr(place));
        places.push_back(Arc::downgrade(place));
        let mut too_many = places.len().saturating_sub(KEPT);
        places.retain(|place| {
            if too_many == 0 {
                return true;
            }
            let is_closed = place.upgrade().is_none_or(|place| close(&place));
            too_many -= usize::from(is_closed);
            !is_closed
        });
    }
}

/// Closes a connection unless somebody uses it.
fn close(place: &Place) -> bool {
    let Ok(mut connection) = place.try_lock() else {
        return false;
    };
    let is_used = connection
        .as_ref()
        .is_some_and(|connection| Arc::strong_count(connection) > 1);
    if !is_used {
        *connection = None;
    }
    !is_used
}
