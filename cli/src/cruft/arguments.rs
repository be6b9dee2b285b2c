//! The command line of `cruft`.

use clap::{Args, Subcommand};
use gentoo_updater_fleet::inspect::RunName;
use gentoo_updater_fleet::name::BuilderName;

use crate::time::Age;

#[derive(Debug, Subcommand)]
pub(crate) enum CruftCommand {
    /// Show the archives of all builders, or what is in those of a run
    #[command(
        after_help = "Examples:\n  gentoo-updater cruft list\n  gentoo-updater cruft list --builder fast\n  gentoo-updater cruft list 8aee16bc3b6f --json"
    )]
    List(ListOptions),

    /// Put archived files back as they were, all of them or none
    ///
    /// A folder comes back with what was below it, and with the folders above it that went with it.
    /// Where something is in the way nothing comes back, unless --force lets it take that place; a
    /// folder is never replaced. What was restored is left alone from then on.
    #[command(
        after_help = "Examples:\n  gentoo-updater cruft restore 8aee16bc3b6f /etc/foo/foo.conf\n  gentoo-updater cruft restore 8aee16bc3b6f /var/lib/foo --builder fast --dry-run\n  gentoo-updater cruft restore 8aee16bc3b6f --all --force\n\nExit codes: 0 restored; 1 something is in the way or in no archive, and nothing was restored; 2 could not be done; 64 wrong usage"
    )]
    Restore(RestoreOptions),

    /// Delete archives for good
    ///
    /// The janitor does so by itself with those that are older than policy.keep_cruft_days.
    #[command(
        after_help = "Examples:\n  gentoo-updater cruft purge 8aee16bc3b6f\n  gentoo-updater cruft purge --older 30d --dry-run\n  gentoo-updater cruft purge --all --builder fast --yes"
    )]
    Purge(PurgeOptions),
}

#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    /// What is in the archives of this run; the last twelve characters of its id will do
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<RunName>,

    /// This builder alone
    #[arg(long, value_name = "NAME")]
    pub(crate) builder: Option<BuilderName>,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreOptions {
    /// The run that left the files; the last twelve characters of its id will do
    #[arg(value_name = "RUN")]
    pub(crate) run: RunName,

    /// Paths as `cruft list RUN` shows them
    #[arg(value_name = "PATH", required_unless_present = "all")]
    pub(crate) paths: Vec<String>,

    /// All that is in the archives of the run
    #[arg(long, conflicts_with = "paths")]
    pub(crate) all: bool,

    /// The builder, where the run has left files on several
    #[arg(long, value_name = "NAME")]
    pub(crate) builder: Option<BuilderName>,

    /// Take the place of what is there
    #[arg(long)]
    pub(crate) force: bool,

    /// Only say what would come back
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PurgeOptions {
    /// The archives of these runs
    #[arg(value_name = "RUN", required_unless_present_any = ["older", "all"])]
    pub(crate) runs: Vec<RunName>,

    /// Those that are older, as in 30d
    #[arg(long, value_name = "AGE", conflicts_with_all = ["runs", "all"])]
    pub(crate) older: Option<Age>,

    /// All of them
    #[arg(long, conflicts_with = "runs")]
    pub(crate) all: bool,

    /// This builder alone
    #[arg(long, value_name = "NAME")]
    pub(crate) builder: Option<BuilderName>,

    /// Only say which these are
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
