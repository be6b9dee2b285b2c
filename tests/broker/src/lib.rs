//! Private RabbitMQ brokers for tests: own nodes, own ports, own folders, no system service.
//!
//! A [`Broker`] is one node, a [`Cluster`] three of them, a [`Vhost`] what one test has for
//! itself, and a [`Network`] a place where packets can be made to vanish. All of it ends with the
//! value that stands for it, also when the test panics; what a test left that was killed itself
//! is swept away by the next one ([`owner`]).
//!
//! The broker is the one that Debian installed, or, where the variable
//! `GENTOO_UPDATER_TEST_RABBITMQ_ROOT` names the root folder of another system, the one of that
//! system (`tests/brokers.sh` makes such folders).

mod broker;
mod cluster;
mod epmd;
mod installation;
mod life;
mod management;
mod network;
pub mod owner;
mod ports;
mod vhost;
mod wait;

pub use broker::{Broker, Place};
pub use cluster::Cluster;
pub use network::{Link, Network};
pub use ports::free_port;
pub use vhost::Vhost;
pub use wait::until;
