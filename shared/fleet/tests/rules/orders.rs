//! What the planner orders in a state.

use std::time::Duration;

use gentoo_updater_fleet::decide::{Order, Patience, decide};
use gentoo_updater_fleet::liveness::Liveness;
use gentoo_updater_fleet::message::Command;

use crate::common::History;

pub(crate) fn liveness() -> Liveness {
    Liveness::new(
        Duration::from_secs(30),
        Duration::from_secs(60),
        Duration::from_secs(1),
    )
}

pub(crate) fn orders(history: &History) -> Vec<Order> {
    decide(
        &history.fleet,
        &liveness(),
        &Patience::default(),
        history.now(),
    )
}

/// Those of the orders that are commands.
pub(crate) fn commands(history: &History) -> Vec<Command> {
    orders(history)
        .into_iter()
        .filter_map(|order| match order {
            Order::Issue(command) => Some(command),
            Order::Publish(_) | Order::Bury(..) => None,
        })
        .collect()
}
