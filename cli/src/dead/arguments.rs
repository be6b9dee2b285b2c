//! The command line of `dead`.

use clap::Args;

use crate::time::Age;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum DeadCommand {
    /// List the dead letters, oldest first
    #[command(
        after_help = "Examples:\n  gentoo-updater dead list\n  gentoo-updater dead list --queue build.amd64 --older 2h\n  gentoo-updater dead list --json"
    )]
    List(ListOptions),

    /// Show one dead letter with all that is known of it
    #[command(
        after_help = "Examples:\n  gentoo-updater dead show 3f9a\n  gentoo-updater dead show 3f9a0c1b2d4e --json\n\nExit codes: 0 shown; 1 there is no such dead letter; 2 could not be asked; 64 several begin like that"
    )]
    Show(ShowOptions),

    /// Put dead letters back into the queues that they came from
    #[command(
        after_help = "Examples:\n  gentoo-updater dead retry 3f9a 81c2\n  gentoo-updater dead retry --cause 'not be decoded' --dry-run\n  gentoo-updater dead retry --all\n\nExit codes: 0 put back; 1 nothing is chosen by that, or some were gone; 2 could not be done; 64 wrong usage"
    )]
    Retry(RetryOptions),

    /// Delete dead letters for good
    #[command(
        after_help = "Examples:\n  gentoo-updater dead drop 3f9a\n  gentoo-updater dead drop --kind ScanGuest --older 3d --yes\n  gentoo-updater dead drop --all --dry-run\n\nExit codes: 0 deleted; 1 nothing is chosen by that, or some were gone; 2 could not be done; 64 wrong usage"
    )]
    Drop(DropOptions),
}

/// Which dead letters, by what they are.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Filters {
    /// Only those that were in this queue
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,

    /// Only those whose cause holds this text
    #[arg(long, value_name = "SUBSTRING")]
    pub(crate) cause: Option<String>,

    /// Only messages of this type, such as BuildPackage
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,

    /// Only those that have been here for longer than this, such as 90m, 2h or 3d
    #[arg(long, value_name = "AGE")]
    pub(crate) older: Option<Age>,
}

/// Which dead letters are changed. Without any of it none are.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Choice {
    /// The ids of dead letters, or what only one of them begins with
    #[arg(value_name = "ID", conflicts_with_all = ["queue", "cause", "kind", "older", "all"])]
    pub(crate) ids: Vec<String>,

    #[command(flatten)]
    pub(crate) filters: Filters,

    /// All of them
    #[arg(long, conflicts_with_all = ["queue", "cause", "kind", "older"])]
    pub(crate) all: bool,

    /// Only say which these are
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    #[command(flatten)]
    pub(crate) filters: Filters,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowOptions {
    /// Its id, or what only it begins with
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// Print JSON; the body is in it as it was, in Base64
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RetryOptions {
    #[command(flatten)]
    pub(crate) choice: Choice,
}

#[derive(Debug, Args)]
pub(crate) struct DropOptions {
    #[command(flatten)]
    pub(crate) choice: Choice,

    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}
