//! The library as who uses it has it, each part by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod build_key;
mod decisive;
mod emerge_log;
mod envvar;
mod grammar;
mod md5_cache;
mod outcome;
mod plan_document;
