//! Telling real servers and programs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authority;
mod command;
mod following;
mod hook;
mod mail;
mod python;
mod scene;
mod templates;
mod webhook;
