//! Runs by calendar: what is decided, and what the state keeps of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod decisions;
mod generated;
mod scene;
