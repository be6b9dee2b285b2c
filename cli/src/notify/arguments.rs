//! The command line of `notify`.

use clap::Args;
use gentoo_updater_fleet::name::NotificationName;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum NotifyCommand {
    /// Show who is told what, and what could not be delivered from this machine
    #[command(
        after_help = "Examples:\n  gentoo-updater notify list\n  gentoo-updater notify list --json | jq '.undelivered[].document'\n\nExit codes: 0 shown; 1 shown but for files that cannot be read, which are named"
    )]
    List(ListOptions),

    /// Send a trial by one way of the configuration or by all, and say what the other side answered
    #[command(
        after_help = "Examples:\n  gentoo-updater notify test ops\n  gentoo-updater notify test --json\n\nExit codes: 0 delivered; 1 not delivered, with the answer; 64 there is no such notification, or its templates cannot be used"
    )]
    Test(TestOptions),
}

#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TestOptions {
    /// The notification, as the configuration names it [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<NotificationName>,

    /// Print the answers as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
