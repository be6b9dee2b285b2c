//! The rules of a fleet: what follows from what was told, each on events that are made up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authority;
mod bounds;
mod collecting;
#[path = "../common/mod.rs"]
mod common;
mod deciding;
mod doctor;
mod expecting;
mod folding;
mod graph;
mod installing;
mod learning;
mod needs;
mod orders;
mod patience;
mod planning;
mod platforms;
mod retrying;
mod rings;
mod room;
mod rounds;
mod searching;
mod sharing;
mod syncing;
mod wanting;
