//! The command line.

use clap::{Args, Parser};
use gentoo_updater_fleet::name::{GuestName, RunId};
use gentoo_updater_runtime::CommonArguments;

use crate::broker::BrokerCommand;
use crate::parse::ParseCommand;

/// Keeps a fleet of Gentoo machines up to date: every package is compiled once, on a builder,
/// and every guest installs the finished binaries
#[derive(Debug, Parser)]
#[command(
    name = "gentoo-updater",
    version,
    after_help = "Examples:\n  \
        gentoo-updater config check            check the configuration\n  \
        gentoo-updater trust web               teach the host keys of guest web\n  \
        gentoo-updater scan                    show what is pending, change nothing\n  \
        gentoo-updater run                     bring every guest up to date\n  \
        gentoo-updater status                  what happens, or what came of the last run\n\n\
        Exit codes: 0 all guests are up to date; 1 finished with failures; 2 could not run; \
        64 wrong usage or configuration"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: CommonArguments,

    #[command(subcommand)]
    pub(crate) subcommand: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Subcommand {
    /// Bring every guest up to date
    ///
    /// Without a broker all roles run in this process; a run that was interrupted goes on where
    /// it stopped, and a second `run` follows the first. With a broker the run is handed to the
    /// planner and followed to its end.
    #[command(
        after_help = "Examples:\n  gentoo-updater run\n  gentoo-updater run web mail\n  gentoo-updater run --json > report.json"
    )]
    Run(RunOptions),

    /// Show what is pending on each guest; change nothing
    #[command(after_help = "Examples:\n  gentoo-updater scan\n  gentoo-updater scan web --json")]
    Scan(RunOptions),

    /// Show what happens, or what came of the last run
    #[command(after_help = "Examples:\n  gentoo-updater status\n  gentoo-updater status --json")]
    Status(StatusOptions),

    /// Print the events of the history, oldest first
    #[command(
        after_help = "Examples:\n  gentoo-updater events\n  gentoo-updater events --follow --json"
    )]
    Events(EventsOptions),

    /// Show the host keys of a machine and, when you agree, trust them from now on
    #[command(
        after_help = "Examples:\n  gentoo-updater trust web\n  gentoo-updater trust ssh://root@10.0.0.7:2222\n\nCompare the fingerprints with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints on the machine itself."
    )]
    Trust(TrustOptions),

    /// Read a text of Portage as the scanner does, and print what it means
    ///
    /// For the day when the output of a guest is not understood, and for bug reports. Needs no
    /// configuration. What is not understood is named on standard error, with its line.
    #[command(after_help = "Examples:\n  \
            gentoo-updater parse plan --stdout plan.out --stderr plan.err --status 1\n  \
            gentoo-updater parse index /var/cache/binpkgs/Packages\n  \
            gentoo-updater parse depend 'ssl? ( dev-libs/openssl:= )' --use ssl\n  \
            gentoo-updater parse version 1.0_rc1 1.0\n\n\
            Exit codes: 0 understood; 1 not understood; 2 could not be read; 64 wrong usage \
            or no such file")]
    Parse {
        #[command(subcommand)]
        command: ParseCommand,
    },

    /// Make users of the broker, one for each role and each guest
    Broker {
        #[command(subcommand)]
        command: BrokerCommand,
    },

    /// Look after the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration and say what it means
    #[command(after_help = "Example:\n  gentoo-updater config check --config fleet.toml")]
    Check,
}

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// Only these guests; all without any
    #[arg(value_name = "GUEST")]
    pub(crate) guests: Vec<GuestName>,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatusOptions {
    /// This run instead of the newest
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<RunId>,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EventsOptions {
    /// Wait for further events, until interrupted
    #[arg(long)]
    pub(crate) follow: bool,

    /// Only events of this run
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<RunId>,

    /// Print each event as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TrustOptions {
    /// A guest or builder of the configuration, or an address such as ssh://root@web:22
    #[arg(value_name = "HOST")]
    pub(crate) host: String,

    /// Do not ask; only where the way to the machine cannot be tampered with
    #[arg(long)]
    pub(crate) yes: bool,
}
