//! The command line of `store`.

use std::net::SocketAddr;

use clap::{Args, Subcommand};
use gentoo_updater_fleet::name::{GuestName, PlatformName};
use gentoo_updater_runtime::MonitorArguments;

use super::keys::KeysCommand;
use crate::listen::Encryption;

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Show what lies in each store, and what keeps it there
    #[command(
        after_help = "Examples:\n  gentoo-updater store status\n  gentoo-updater store status --platform arm64 --json"
    )]
    Status(StatusOptions),

    /// Delete binaries and sources that nobody needs, and files that nobody can use
    ///
    /// All guests are asked what they have installed. Never deleted is that, what the newest updates
    /// of the fleet built (policy.keep_binaries_runs), what guests had before them, and what somebody
    /// else has put into the store. Of the rest goes what is older than policy.keep_binaries_days,
    /// and, where a store is larger than policy.keep_binaries_gigabytes, the oldest; and what this
    /// program has put there and no record names: duplicates of one key, and what a crash left.
    ///
    /// Of the sources that builders have fetched goes what nothing has used for
    /// policy.keep_distfiles_days, but for what an ebuild names of packages that a builder has
    /// installed or built of late, and what cannot be fetched again (RESTRICT="fetch").
    ///
    /// A run does all that by itself in the end (policy.collect_stores).
    ///
    /// A guest that cannot be asked counts with what it had when a run asked it last. Where no run
    /// is known that did, nothing goes: --without leaves such a guest out.
    #[command(
        after_help = "Examples:\n  gentoo-updater store gc --dry-run\n  gentoo-updater store gc\n  gentoo-updater store gc --platform arm64 --without old-laptop --json\n\nExit codes: 0 done, or nothing to do; 1 in a store nothing could go; 2 could not be done; 64 wrong usage"
    )]
    Gc(GcOptions),

    /// Read every binary, and compare it with what the index and the records say
    ///
    /// Each file is read once, on a builder, by all of its processors, others' binaries included.
    /// Compared are its size and all digests that the index `Packages` names (MD5 and SHA1), and the
    /// SHA-256 of this program's record. What builders change meanwhile is no finding.
    #[command(
        after_help = "Examples:\n  gentoo-updater store verify\n  gentoo-updater store verify --platform arm64 --json\n\nExit codes: 0 nothing is wrong; 1 something is; 2 could not be done; 64 wrong usage"
    )]
    Verify(VerifyOptions),

    /// Mend what `store verify` finds
    ///
    /// Under the lock of the store the index is brought up to date, spoiled binaries of this program
    /// are removed with their records, so that they are built again when they are wanted, and records
    /// go that are about nothing. What is spoiled of others is moved to .gentoo-updater/quarantine in
    /// the store, and never deleted.
    #[command(
        after_help = "Examples:\n  gentoo-updater store repair --dry-run\n  gentoo-updater store repair\n\nExit codes: 0 nothing is wrong any more; 1 something is; 2 could not be done; 64 wrong usage"
    )]
    Repair(RepairOptions),

    /// Make, show, teach and change the keys with which builders sign binaries
    #[command(
        after_help = "Examples:\n  gentoo-updater store keys init\n  gentoo-updater store keys teach web mail\n  gentoo-updater store keys list"
    )]
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },

    /// Serve the stores of this machine to guests over HTTPS
    ///
    /// Read only: the index and the binaries of each platform below /PLATFORM, and nothing else. Guests
    /// with store = "http" fetch from there, and so does their own emerge --getbinpkg. /health answers
    /// 200 while it is served.
    ///
    /// Without a certificate it listens on this machine alone (--listen 127.0.0.1:8080), or for everybody
    /// with --plain-http: then only the signatures of binaries, and the checksums that a run knows,
    /// protect what is fetched. The certificate is read again on SIGHUP.
    #[command(
        after_help = "Examples:\n  gentoo-updater store serve --certificate /etc/gentoo-updater/store.pem --key /etc/gentoo-updater/store.key\n  gentoo-updater store serve --platform amd64 --listen [::]:443 --certificate store.pem --key store.key\n  gentoo-updater store serve --listen 127.0.0.1:8080      behind a proxy that speaks TLS\n\nExit codes: 0 was told to stop, and did; 2 could not serve; 64 wrong usage"
    )]
    Serve(ServeOptions),
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
pub(crate) struct ServeOptions {
    /// Where guests come to
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8443")]
    pub(crate) listen: SocketAddr,

    /// The store of this platform alone, which may be given several times; all that lie on this
    /// machine without any
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Vec<PlatformName>,

    #[command(flatten)]
    pub(crate) encryption: Encryption,

    /// How many clients are served at once; more wait
    #[arg(long, value_name = "NUMBER", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) connections: u16,

    /// How many of them one address has, but for those of this machine; more are told to come again. 0
    /// for any number, where guests come through a proxy or a router that gives them one address
    #[arg(long, value_name = "NUMBER", default_value_t = 32)]
    pub(crate) connections_per_address: u16,

    #[command(flatten)]
    pub(crate) monitor: MonitorArguments,
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

#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// The store of this platform alone
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Option<PlatformName>,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RepairOptions {
    /// The store of this platform alone
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Option<PlatformName>,

    /// Show what is wrong and what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}
