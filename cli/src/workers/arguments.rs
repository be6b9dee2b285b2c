//! The command line of `workers`.

use clap::Args;

#[derive(Debug, Default, Args)]
pub(crate) struct WorkersOptions {
    /// Listen this long for signs of life; a bit more than one heartbeat by default
    #[arg(long, value_name = "SECONDS")]
    pub(crate) wait: Option<u64>,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}
