//! The command line of `why`.

use clap::Args;
use gentoo_updater_fleet::inspect::RunName;
use gentoo_updater_fleet::name::GuestName;

#[derive(Debug, Args)]
pub(crate) struct WhyOptions {
    /// An atom, a package with its version, or the name of a package without its category
    #[arg(value_name = "PACKAGE")]
    pub(crate) package: String,

    /// This guest alone
    #[arg(long, value_name = "NAME")]
    pub(crate) guest: Option<GuestName>,

    /// This run instead of the newest that was about the package; the last twelve characters of its id
    /// will do
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<RunName>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
