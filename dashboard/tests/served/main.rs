//! The dashboard over HTTP: who gets what, and who may change something.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod broker_away;
mod events;
mod pages;
mod scripts;
mod support;
