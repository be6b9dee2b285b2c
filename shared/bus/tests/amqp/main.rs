//! The bus over a real RabbitMQ.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by them"
)]

mod alarm;
mod commands;
mod consumers;
mod events;
mod faults;
mod support;
mod tls;
mod topology;
mod unroutable;
