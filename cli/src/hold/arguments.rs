//! The command lines of `hold` and `approve`.

use clap::{Args, ValueEnum};
use gentoo_updater_fleet::inspect::HoldKind;

/// What kind of thing is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One run: its id, or the end of it that is shown on a screen
    Run,
    /// A wave of [rollout], in whatever run
    Wave,
    /// A guest, in whatever run
    Guest,
    /// Packages on whatever guest: an atom, as dev-libs/openssl or >=dev-libs/openssl-3.5
    Package,
}

impl From<Kind> for HoldKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Run => Self::Run,
            Kind::Wave => Self::Wave,
            Kind::Guest => Self::Guest,
            Kind::Package => Self::Package,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct HoldOptions {
    /// What kind of thing; without it, what is held and what waits for an approval is listed
    #[arg(value_enum, requires = "name")]
    pub(crate) kind: Option<Kind>,

    /// Its name
    pub(crate) name: Option<String>,

    /// Why, in your words; `status` shows it
    #[arg(long, value_name = "TEXT", requires = "name")]
    pub(crate) reason: Option<String>,

    /// Print JSON: what was said, or the list
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApproveOptions {
    /// What kind of thing
    #[arg(value_enum)]
    pub(crate) kind: Kind,

    /// Its name
    pub(crate) name: String,

    /// Print JSON: what was said
    #[arg(long)]
    pub(crate) json: bool,
}
