//! Whether the broker takes messages, as the connections of a process learn it.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::seam::Health;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It sends messages. The broker blocks this one when it is in alarm.
    Publishing,
    /// It gets messages.
    Consuming,
}

/// What both connections say, and what follows from it.
#[derive(Debug, Default)]
pub(super) struct HealthBoard {
    said: Mutex<Said>,
    merged: watch::Sender<Health>,
}

#[derive(Debug, Default)]
struct Said {
    publishing: Health,
    consuming: Health,
}

impl HealthBoard {
    /// Notes what one connection says.
    pub(super) fn say(&self, purpose: Purpose, health: Health) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        match purpose {
            Purpose::Publishing => said.publishing = health,
            Purpose::Consuming => said.consuming = health,
        }
        let merged = match &said.publishing {
            Health::Good => said.consuming.clone(),
            bad => bad.clone(),
        };
        self.merged.send_if_modified(|told| {
            let is_news = *told != merged;
            *told = merged;
            is_news
        });
    }

    /// The worse of both, as it changes.
    pub(super) fn watch(&self) -> watch::Receiver<Health> {
        self.merged.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bus_is_good_when_both_connections_are() {
        let board = HealthBoard::default();
        let watched = board.watch();
        let gone = Health::Disconnected("reset".to_owned());
        let blocked = Health::Blocked("low on memory".to_owned());
        board.say(Purpose::Consuming, gone.clone());
        assert_eq!(*watched.borrow(), gone);
        board.say(Purpose::Publishing, blocked.clone());
        assert_eq!(*watched.borrow(), blocked);
        board.say(Purpose::Publishing, Health::Good);
        assert_eq!(*watched.borrow(), gone);
        board.say(Purpose::Consuming, Health::Good);
        assert_eq!(*watched.borrow(), Health::Good);
    }
}
