//! The bus over a real RabbitMQ.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by them"
)]

mod access;
mod commands;
mod events;
mod faults;
mod support;
mod topology;
