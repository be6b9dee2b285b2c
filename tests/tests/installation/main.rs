//! What is installed, as it is installed: `packaging/install.sh`, units of systemd and scripts of OpenRC
//! under the real systemd and OpenRC, and the ebuild with the real Portage.
//!
//! They need root and `cargo build --workspace --bins`. What brings machines up has a lab of its own.

mod ebuild;
mod files;
mod openrc;
mod services;
mod systemd;
mod tree;
mod units;
