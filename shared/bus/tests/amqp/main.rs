//! The bus over a real RabbitMQ.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by them"
)]

mod commands;
mod dead_letters;
mod events;
mod faults;
mod history;
mod support;
mod topology;
