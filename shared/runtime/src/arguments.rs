//! The arguments that every binary takes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use gentoo_updater_fleet::config::{self, Settings};

use crate::logging::{self, LogFormat};
use crate::machines;

/// Where the configuration is looked for.
pub const DEFAULT_CONFIGURATION: &str = "/etc/gentoo-updater/fleet.toml";

/// The arguments that every binary takes.
#[derive(Debug, Clone, Args)]
pub struct CommonArguments {
    /// The configuration of the fleet
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = DEFAULT_CONFIGURATION,
        env = "GENTOO_UPDATER_CONFIG"
    )]
    pub config: PathBuf,

    /// How log lines are written to standard error; RUST_LOG says which
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

impl CommonArguments {
    /// Starts logging and reads the configuration, addresses included.
    ///
    /// # Errors
    /// A cause that names file, line or key.
    pub fn start(&self) -> anyhow::Result<Arc<Settings>> {
        logging::start(self.log_format, "info")?;
        self.load()
    }

    /// As [`CommonArguments::start`], with warnings only: for commands whose output is for people.
    ///
    /// # Errors
    /// A cause that names file, line or key.
    pub fn start_quietly(&self) -> anyhow::Result<Arc<Settings>> {
        logging::start(self.log_format, "warn")?;
        self.load()
    }

    fn load(&self) -> anyhow::Result<Arc<Settings>> {
        let settings = config::load(&self.config)?;
        machines::check_addresses(&settings).with_context(|| self.config.display().to_string())?;
        Ok(Arc::new(settings))
    }
}

/// The exit codes of every worker, as its help and its manual page have them.
const WORKER_EXIT_CODES: &str = "Exit codes: 0 was told to stop, and did; 2 could not work, because \
    the broker refuses it or the state directory cannot be used (a broker that is away is waited \
    for); 64 wrong usage or configuration, such as a name that the configuration does not know";

/// What follows the help of a worker: its own text, and the exit codes of all.
pub fn worker_help(own: &str) -> String {
    format!("{own}\n\n{WORKER_EXIT_CODES}")
}

/// The arguments that every worker takes.
#[derive(Debug, Clone, Args)]
pub struct WorkerArguments {
    /// Configuration and logging.
    #[command(flatten)]
    pub common: CommonArguments,

    /// Whether it is watched.
    #[command(flatten)]
    pub monitor: MonitorArguments,
}

/// The arguments of every process that lives for long.
#[derive(Debug, Clone, Args)]
pub struct MonitorArguments {
    /// Answer /metrics (Prometheus) and /health over HTTP here, for example 127.0.0.1:9180; each
    /// process of a machine needs a port of its own
    #[arg(long, value_name = "ADDRESS:PORT", env = "GENTOO_UPDATER_METRICS")]
    pub metrics: Option<SocketAddr>,
}
