//! End-to-end tests: real Portage guests, a real RabbitMQ, the binaries of the workspace.
//!
//! They need root and `cargo build --workspace`, and run one after the other:
//! `cargo test -p gentoo-updater-tests -- --test-threads=1`.

mod main_job;
