//! Waves, windows, budgets, holds and approvals, on fleets that are made up, with a clock of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(unreachable_pub)]

#[path = "../common/mod.rs"]
mod common;

mod barriers;
mod generated;
mod irreversible;
mod operators;
mod scene;
mod suspects;
mod waves;
