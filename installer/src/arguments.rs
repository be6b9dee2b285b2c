//! The command line of `gentoo-updater-installer`.

use clap::Parser;
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_runtime::{WorkerArguments, host_name};

/// Installs finished binaries: on one guest as an agent, or on all guests over ssh
#[derive(Debug, Parser)]
#[command(
    name = "gentoo-updater-installer",
    version,
    after_help = "Examples:\n  gentoo-updater-installer                  all guests of the configuration\n  gentoo-updater-installer --guest web      one guest, which may be this machine\n  gentoo-updater-installer --guest web --agent   the same, with a user of its own on the broker"
)]
pub struct Arguments {
    /// Configuration, logging and monitoring.
    #[command(flatten)]
    pub worker: WorkerArguments,

    /// Only these guests; all without any
    #[arg(long = "guest", value_name = "NAME")]
    pub guests: Vec<GuestName>,

    /// Run as the guest's own agent: under the user of the guest, without access to the history
    #[arg(long, requires = "guests", conflicts_with = "instance")]
    pub agent: bool,

    /// Tells several installers apart, by default the name of this machine; keep it over restarts
    #[arg(long, value_name = "NAME", default_value_t = host_name(), hide_default_value = true)]
    pub instance: String,
}
