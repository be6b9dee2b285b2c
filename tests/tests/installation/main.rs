//! What is installed, as it is installed: `packaging/install.sh`, units of systemd and scripts of OpenRC
//! under the real systemd and OpenRC.
//!
//! They need root and `cargo build --workspace --bins`. What brings machines up has a lab of its own.

mod files;
mod openrc;
mod services;
mod systemd;
mod tree;
mod units;
