//! The command line of `status`.

use clap::Args;
use gentoo_updater_fleet::inspect::RunName;
use gentoo_updater_fleet::name::GuestName;

#[derive(Debug, Args)]
pub(crate) struct StatusOptions {
    /// Stay and show it live, on the whole terminal; q ends
    #[arg(long, conflicts_with = "json")]
    pub(crate) watch: bool,

    /// Print JSON, with nothing left out
    #[arg(long)]
    pub(crate) json: bool,

    /// One run is told by `gentoo-updater report RUN`
    #[arg(long, value_name = "ID", hide = true)]
    pub(super) run: Option<RunName>,

    /// One guest is told by `gentoo-updater report --guest NAME`
    #[arg(long, value_name = "NAME", hide = true)]
    pub(super) guest: Option<GuestName>,
}

impl StatusOptions {
    /// The command that tells of one run or guest, where that is asked for.
    pub(super) fn report_instead(&self) -> Option<String> {
        let run = self.run.as_ref().map(|run| format!(" {run}"));
        let guest = self.guest.as_ref().map(|guest| format!(" --guest {guest}"));
        let json = if self.json { " --json" } else { "" };
        (run.is_some() || guest.is_some()).then(|| {
            format!(
                "gentoo-updater report{}{}{json}",
                run.unwrap_or_default(),
                guest.unwrap_or_default()
            )
        })
    }
}
