//! The command line of `queue`.

use clap::Args;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum QueueCommand {
    /// List all queues: what waits in them, and who works on what
    ///
    /// DEPTH and CONSUMERS are what the broker says. WAITING, OLDEST and WORKED ON come from the
    /// history: what was issued to the queue and is not claimed, and what was taken from it and
    /// has no result yet.
    #[command(
        after_help = "Examples:\n  gentoo-updater queue list\n  gentoo-updater queue list --json | jq '.queues[] | select(.depth > 0)'"
    )]
    List(ListOptions),

    /// Show the work that waits in a queue, without touching the queue
    ///
    /// Only queues of commands hold work: scan, build.*, install.*, clean.* and collect.*. What is in the others
    /// show `gentoo-updater events` (history and plan), `dead list` (dead) and `status` (snapshots).
    ///
    /// The work comes from the history: issued and not yet claimed. The number that the broker
    /// has stands beside it; where the two differ a warning says what that can mean, and the exit
    /// code is 1.
    #[command(
        after_help = "Examples:\n  gentoo-updater queue peek build.amd64\n  gentoo-updater queue peek install.web --json\n\nExit codes: 0 shown; 1 shown, and the broker has another number of messages than the history; 2 could not be asked; 64 there is no such queue, or none that holds work"
    )]
    Peek(PeekOptions),

    /// Take all waiting work off a queue
    ///
    /// What is worked on is not touched. The planner issues again what is still wanted, half a minute
    /// or more after the purge; the command says the time.
    #[command(
        after_help = "Examples:\n  gentoo-updater queue purge build.amd64\n  gentoo-updater queue purge build.amd64 --yes"
    )]
    Purge(PurgeOptions),
}

#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PeekOptions {
    /// The queue, as `queue list` shows it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PurgeOptions {
    /// The queue, as `queue list` shows it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,

    /// Print JSON: how many messages there were
    #[arg(long)]
    pub(crate) json: bool,
}
