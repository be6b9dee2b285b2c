//! The command line of `store`.

use clap::{Args, Subcommand};
use gentoo_updater_fleet::name::{GuestName, PlatformName};

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Show what lies in each store, and what keeps it there
    #[command(
        after_help = "Examples:\n  gentoo-updater store status\n  gentoo-updater store status --platform arm64 --json"
    )]
    Status(StatusOptions),

    /// Delete binaries that nobody needs, and files that nobody can use
    ///
    /// All guests are asked what they have installed. Never deleted is that, what the newest updates
    /// of the fleet built (policy.keep_binaries_runs), what guests had before them, and what somebody
    /// else has put into the store. Of the rest goes what is older than policy.keep_binaries_days,
    /// and, where a store is larger than policy.keep_binaries_gigabytes, the oldest.
    ///
    /// A guest that cannot be asked counts with what it had when a run asked it last. Where no run
    /// is known that did, nothing goes: --without leaves such a guest out.
    #[command(
        after_help = "Examples:\n  gentoo-updater store gc --dry-run\n  gentoo-updater store gc\n  gentoo-updater store gc --platform arm64 --without old-laptop --json\n\nExit codes: 0 done, or nothing to do; 1 in a store nothing could go; 2 could not be done; 64 wrong usage"
    )]
    Gc(GcOptions),
}

#[derive(Debug, Args)]
pub(crate) struct StatusOptions {
    /// The store of this platform alone
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Option<PlatformName>,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GcOptions {
    /// The store of this platform alone
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Option<PlatformName>,

    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Leave this guest out: what only it has installed may go
    #[arg(long, value_name = "GUEST")]
    pub(crate) without: Vec<GuestName>,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}
