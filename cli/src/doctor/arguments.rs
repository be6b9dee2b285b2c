//! The command line of `doctor`.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};
use gentoo_updater_fleet::doctor::Area;

#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    /// Only these guests and builders; all without any
    #[arg(value_name = "MACHINE")]
    pub(crate) machines: Vec<String>,

    /// Only this area; may be given more than once
    #[arg(long, value_name = "AREA", value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<AreaName>,

    /// How many seconds the broker, and each question to a machine, may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,

    /// Print the findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// An area, as it is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AreaName {
    /// The configuration
    Configuration,
    /// The broker, and who works on it
    Broker,
    /// The stores of binaries, and their signatures
    Stores,
    /// The ebuild repositories
    Trees,
    /// The machines that compile
    Builders,
    /// The machines that are kept up to date
    Guests,
}

impl From<AreaName> for Area {
    fn from(name: AreaName) -> Self {
        match name {
            AreaName::Configuration => Self::Configuration,
            AreaName::Broker => Self::Broker,
            AreaName::Stores => Self::Stores,
            AreaName::Trees => Self::Trees,
            AreaName::Builders => Self::Builders,
            AreaName::Guests => Self::Guests,
        }
    }
}

impl DoctorOptions {
    /// The areas that are looked at. Whoever names machines asks for what is about machines.
    pub(super) fn areas(&self) -> BTreeSet<Area> {
        if !self.only.is_empty() {
            return self.only.iter().map(|name| Area::from(*name)).collect();
        }
        let all = Area::ALL.into_iter();
        let is_of_machines = |area: &Area| !matches!(area, Area::Configuration | Area::Broker);
        all.filter(|area| self.machines.is_empty() || is_of_machines(area))
            .collect()
    }
}
