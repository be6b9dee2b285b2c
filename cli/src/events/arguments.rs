//! The command line of `events`.

use clap::Args;
use clap::builder::PossibleValuesParser;
use gentoo_updater_fleet::inspect::RunName;
use gentoo_updater_fleet::message::Event;
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_portage::atom::Atom;

use crate::time::Moment;

#[derive(Debug, Args)]
pub(crate) struct EventsOptions {
    /// Wait for further events, until interrupted
    #[arg(long)]
    pub(crate) follow: bool,

    /// Only events since then: 2h or 3d ago, or a time such as '2026-01-05 12:30' (UTC)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,

    /// Only events of this run; the last twelve characters of its id will do
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<RunName>,

    /// Only what concerns this guest: its scan, its installation, and the jobs that it wants
    #[arg(long, value_name = "NAME")]
    pub(crate) guest: Option<GuestName>,

    /// Only what concerns packages that this atom speaks of: their jobs, and what guests need or
    /// got
    #[arg(long, value_name = "ATOM")]
    pub(crate) package: Option<Atom>,

    /// Only events of this type; may be given more than once
    #[arg(
        long = "kind",
        value_name = "KIND",
        value_parser = PossibleValuesParser::new(Event::KEPT_KINDS),
        ignore_case = true
    )]
    pub(crate) kinds: Vec<String>,

    /// Print each event as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}
