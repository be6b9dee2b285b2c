//! The command line of `gentoo-updater-janitor`.

use clap::Parser;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_runtime::{WorkerArguments, host_name, worker_help, worker_id};

/// Removes what a run put on builders
#[derive(Debug, Parser)]
#[command(
    name = "gentoo-updater-janitor",
    version,
    after_help = worker_help(
        "Examples:\n  gentoo-updater-janitor                  all builders of the configuration\n  gentoo-updater-janitor --builder fast   one builder, which may be this machine"
    )
)]
pub struct Arguments {
    /// Configuration, logging and monitoring.
    #[command(flatten)]
    pub worker: WorkerArguments,

    /// Only these builders; all without any
    #[arg(long = "builder", value_name = "NAME")]
    pub builders: Vec<BuilderName>,

    /// Tells several janitors apart, by default the name of this machine; keep it over restarts
    #[arg(long, value_name = "NAME", default_value_t = host_name(), hide_default_value = true)]
    pub instance: String,
}

impl Arguments {
    /// The builders that this process cleans.
    ///
    /// # Errors
    /// When the configuration names no such builder, or the instance cannot be part of a name.
    pub fn served(&self, settings: &Settings) -> anyhow::Result<Vec<BuilderName>> {
        worker_id("janitor", &self.instance)?;
        for builder in &self.builders {
            settings.builder(builder)?;
        }
        Ok(match self.builders.as_slice() {
            [] => settings.builders.keys().cloned().collect(),
            named => named.to_vec(),
        })
    }
}
