//! The command line of `schedule`.

use clap::Args;
use gentoo_updater_runtime::MonitorArguments;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Show what comes next, what came of the last runs, and what was missed
    ///
    /// BEGINS is with jitter. Times are in the time zone of each schedule.
    #[command(
        after_help = "Examples:\n  gentoo-updater schedule list\n  gentoo-updater schedule list --json | jq '.schedules.nightly.next.begins'"
    )]
    List(ListOptions),

    /// Without a broker: stay here, begin what is due, and do the work of all roles for it
    ///
    /// With a broker the workers are processes of their own, and gentoo-updater-scheduler is the one that
    /// begins what is due. Beside this, `gentoo-updater run` asks this process for its run and follows it.
    #[command(
        after_help = "Examples:\n  gentoo-updater schedule serve\n  gentoo-updater schedule serve --metrics 127.0.0.1:9180\n\nExit codes: 0 was told to stop, and did; 2 could not work; 64 wrong usage or configuration"
    )]
    Serve(ServeOptions),
}

#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    pub(crate) monitor: MonitorArguments,
}
