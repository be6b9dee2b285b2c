//! What only a real ssh server, and the real tools of OpenSSH, can tell.

// Helpers of tests stand outside of test functions, where clippy.toml does not reach.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod certificates;
mod configuration;
mod jobs;
mod kept;
mod known_hosts;
mod left;
mod locks;
mod machine;
mod seed;
mod server;
mod ssh;
mod user_certificates;
mod verdicts;
mod ways;
