//! The configuration of a fleet: one TOML file, overridden by environment variables.
//!
//! It goes through three types: a [`fragment`](Fragment) in which everything is optional and an
//! unknown key is an error with its line; the merge with the environment; and the checked
//! [`Settings`] that the program works with.
//!
//! A variable names its key with two underscores between the parts and the prefix
//! `GENTOO_UPDATER`, for example `GENTOO_UPDATER__BROKER__URL`.

mod barriers;
mod check;
mod checks;
mod cruft;
mod environment;
mod fragment;
mod invalid;
mod named;
mod notifications;
mod packages;
mod rollout;
mod schedules;
mod secrecy;
mod settings;
mod url;

use std::path::{Path, PathBuf};

pub use checks::{Check, Probe};
pub use cruft::{ALWAYS_LEFT, CruftPolicy, CruftSettings};
pub use environment::{BuildEnvironment, BuildFeature};
pub use fragment::Fragment;
pub use invalid::Invalid;
pub use named::NotNamed;
pub use notifications::{
    Encryption, Mail, Notification, Secret, Templates, Way, Webhook, WebhookUrl,
};
pub use packages::{BuildLimits, Packages};
pub use secrecy::without_passwords;
pub use settings::{
    Access, Broker, Builder, CleanRoom, Depclean, Guest, History, Platform, Policy,
    RestartServices, Settings, Ssh, SshConfig, StoreAccess,
};
pub use url::StoreUrl;

/// The prefix of environment variables that override the file.
pub const ENVIRONMENT_PREFIX: &str = "GENTOO_UPDATER";

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such file, or it cannot be read.
    #[error(
        "the configuration {} cannot be read: {cause}; name another with --config, or begin with \
         packaging/fleet.toml of the sources", path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// It is no TOML, or has an unknown key, or a value of a wrong kind.
    #[error("{}: {detail}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, column, key and cause, without any text of the file: there may be passwords in it.
        detail: String,
    },
    /// A variable of the environment has an unknown name or a wrong value.
    #[error("the environment (variables {ENVIRONMENT_PREFIX}__…) does not fit: {detail}")]
    Environment {
        /// The cause.
        detail: String,
    },
    /// Each value is well-formed, and they do not fit together.
    #[error("{}: {}", path.display(), without_passwords(&invalid.to_string()))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The cause.
        invalid: Invalid,
    },
}

/// Reads, merges and checks the configuration.
///
/// # Errors
/// [`ConfigError`]; a missing file is one, and never an empty configuration.
pub fn load(path: &Path) -> Result<Settings, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::Unreadable {
        path: path.to_owned(),
        cause,
    })?;
    parse(path, &text, environment())
}

fn environment() -> config::Environment {
    config::Environment::with_prefix(ENVIRONMENT_PREFIX)
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true)
}

fn parse(
    path: &Path,
    text: &str,
    environment: config::Environment,
) -> Result<Settings, ConfigError> {
    // The file alone first: its own parser knows the line of a wrong key, the merged tree does not.
    toml::from_str::<Fragment>(text).map_err(|error| ConfigError::Malformed {
        path: path.to_owned(),
        detail: secrecy::of_toml(text, error),
    })?;
    let merged: Fragment = config::Config::builder()
        .add_source(config::File::from_str(text, config::FileFormat::Toml))
        .add_source(environment)
        .build()
        .and_then(config::Config::try_deserialize)
        .map_err(|error| ConfigError::Environment {
            detail: secrecy::without_values(&error.to_string()),
        })?;
    Settings::check(merged).map_err(|invalid| ConfigError::Invalid {
        path: path.to_owned(),
        invalid,
    })
}

#[cfg(test)]
mod tests;
