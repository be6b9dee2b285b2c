//! The bus: how workers exchange events and commands, and the loop that every worker runs.
//!
//! [`Bus`] is the one seam; it has two implementations, RabbitMQ ([`amqp`]) and one process
//! without a broker ([`embedded`]).
//!
//! **Invariant:** only `amqp/` names lapin, only `embedded/` names rusqlite.

pub mod amqp;
pub mod blocking;
mod clock;
pub mod definitions;
pub mod embedded;
pub mod follow;
pub mod meters;
mod news;
pub mod permissions;
mod pulse;
pub mod run_index;
mod seam;
pub mod spans;
#[cfg(test)]
mod testing;
pub mod topology;
mod unusable;
pub mod worker;

pub use clock::{Clock, Speaker, SystemClock};
pub use pulse::{Doing, Pulse, Turn};
pub use seam::{
    Alive, Bus, BusError, CommandDelivery, Commands, DeadLetter, Health, History, HistoryItem,
    Inspect, LetterId, NoWayBack, Position, QueueState, Retried, Settle, Wakeup, Wakeups,
};
pub use unusable::{Refused, Unusable};
