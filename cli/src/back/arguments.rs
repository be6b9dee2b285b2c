//! The command lines of `rollback` and `bisect`.

use clap::Args;
use gentoo_updater_fleet::inspect::RunName;
use gentoo_updater_fleet::name::GuestName;

#[derive(Debug, Args)]
pub(crate) struct RollbackOptions {
    /// The guest
    pub(crate) guest: GuestName,

    /// The run before which it was as it is to be, by its id or the end of it; the last one of which the
    /// guest has kept what it had, unless given
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<RunName>,

    /// Print JSON: what is gone again
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BisectOptions {
    /// The guest
    pub(crate) guest: GuestName,

    /// What fails since the update: the name of a check of the configuration, or a shell command that ends
    /// with 0 on a guest that is well. It runs on the guest. Where a service has to be restarted to show
    /// it, the command does that
    #[arg(long, value_name = "COMMAND")]
    pub(crate) check: String,

    /// How often the check is tried before it has failed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tries: u32,

    /// How long one try may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: u64,

    /// The run whose update is searched, by its id or the end of it; the last one of which the guest has
    /// kept what it had, unless given
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<RunName>,

    /// Print JSON: the states that were tried, and what is to blame
    #[arg(long)]
    pub(crate) json: bool,
}
