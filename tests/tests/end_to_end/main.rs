//! End-to-end tests: real Portage guests, a real RabbitMQ, the binaries of the workspace.
//!
//! They need root and `cargo build --workspace`. Each has a lab of its own, so that a few of them run
//! side by side: `cargo test -p gentoo-updater-tests -- --test-threads=3`.

mod afterwards;
mod agents;
mod bad_guests;
mod beforehand;
mod chatty_guest;
mod clean_rooms;
mod configuration;
mod cruft;
mod dashboard;
mod dead_letters;
mod distributed;
mod doctor;
mod failing_packages;
mod former_builds;
mod further_rounds;
mod heavy_builds;
mod main_job;
mod metrics;
mod odd_builders;
mod over_http;
mod platforms;
mod restarts;
mod retries;
mod rollback;
mod scale_out;
mod scanning;
mod signals;
mod signatures;
mod spoiled_binaries;
mod store_collection;
mod syncing;
mod trust;
mod two_builders;
mod waves;
