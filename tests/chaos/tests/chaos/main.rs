//! What a fleet does when its broker, its network and its workers are hurt.
//!
//! Real planner, real worker loops and real detached programs, each worker a process of its own,
//! on a real RabbitMQ (`gentoo-updater-test-broker`). Whatever happens: every job is built as
//! often as it may be, every guest has one outcome, the run comes to its end, and nothing is
//! dead. What was measured is in `target/chaos/VERSION.txt` afterwards.
//!
//! The tests in `network` make network namespaces and need root.

mod broker;
mod cluster;
mod killed;
mod network;
mod queues;
mod support;
