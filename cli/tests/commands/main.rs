//! The real program, command by command.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broker;
mod checking;
mod completions;
mod looking;
mod metrics;
mod notifying;
mod parse;
mod program;
mod scheduling;
mod secrecy;
mod serving;
mod trust;
mod with_broker;
