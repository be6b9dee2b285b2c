//! The bus over a real RabbitMQ.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by them"
)]

mod access;
mod alarm;
mod commands;
mod consumers;
mod dead_letters;
mod events;
mod examine;
mod faults;
mod forged_headers;
mod history;
mod replaced;
mod support;
mod tls;
mod topology;
mod unroutable;
