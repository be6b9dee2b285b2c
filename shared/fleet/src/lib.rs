//! The fleet: its configuration, its messages, the state of its runs and what to do next.
//!
//! **Invariant:** nothing in this crate reads a clock or the network, and no file but the one
//! configuration that it is told to read.

pub mod message;
pub mod name;
