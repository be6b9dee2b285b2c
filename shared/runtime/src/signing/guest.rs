//! Whom a guest trusts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gentoo_updater_fleet::fingerprint::Fingerprint;
use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_hosts::{Command, ExitStatus, Host};

use super::NO_SIGNING;
use crate::machines::ask;
use crate::portage_settings;

const TEACH: &str = include_str!("teach.sh");

const LIMIT: Duration = Duration::from_secs(120);

/// Where Portage looks for whom it trusts, when nobody says otherwise (make.globals).
pub const VERIFY_HOME: &str = "/etc/portage/gnupg";

/// What a guest does about signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demands {
    /// Whether it installs what is signed only, as its FEATURES say.
    pub requires: bool,
    /// The home of gpg by which its Portage verifies.
    pub home: PathBuf,
}

impl Demands {
    /// The variables of Portage that say it.
    pub const VARIABLES: [&str; 2] = ["FEATURES", "BINPKG_GPG_VERIFY_GPG_HOME"];

    /// As these variables say.
    pub fn of<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Self {
        let [features, home] = Self::VARIABLES;
        let features = value(features).unwrap_or_default();
        let home = value(home).filter(|home| home.starts_with('/'));
        Self {
            requires: features
                .split_whitespace()
                .any(|feature| feature == "binpkg-request-signature"),
            home: home.unwrap_or(VERIFY_HOME).into(),
        }
    }

    /// Those of a guest.
    ///
    /// # Errors
    /// When its Portage cannot be asked.
    pub async fn ask(host: &dyn Host, machine: &str) -> Result<Self, Failure> {
        let settings = portage_settings(host, machine, &Self::VARIABLES, LIMIT).await?;
        Ok(Self::of(|name| settings.get(name)))
    }
}

/// Teaches a guest these keys, armored, and to trust those that are named. Gives the fingerprints and
/// names of keys of other builders that it has.
///
/// # Errors
/// When gpg is missing there, or cannot do it.
pub async fn teach(
    host: &dyn Host,
    home: &Path,
    armored: &str,
    trusted: &[Fingerprint],
) -> Result<Vec<String>, Failure> {
    let parameters = std::iter::once(home.display().to_string());
    let parameters = parameters.chain(trusted.iter().map(ToString::to_string));
    let command = Command::shell("teach", TEACH, parameters)
        .stdin(armored)
        .timeout(LIMIT);
    let output = ask(host, &command).await?;
    let cause = match output.status {
        ExitStatus::Code(0) => {
            let text = output.stdout_text();
            let others = text.lines().filter_map(|line| line.strip_prefix("other "));
            return Ok(others.map(str::to_owned).collect());
        }
        ExitStatus::Code(50) => NO_SIGNING,
        _ => "KeysNotTaught",
    };
    let said = output.stderr_text();
    Err(Failure::new(FailureClass::Permanent, cause, said.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_requires_signatures_when_its_features_say_so() {
        let of = |features: &'static str, home: &'static str| {
            Demands::of(|name| match name {
                "FEATURES" => Some(features),
                _ => Some(home),
            })
        };
        let asks = of("news binpkg-request-signature strict", "/root/keys");
        assert!(asks.requires);
        assert_eq!(asks.home, Path::new("/root/keys"));
        let asks_not = of("binpkg-request-signatures", "");
        assert!(!asks_not.requires);
        assert_eq!(asks_not.home, Path::new(VERIFY_HOME));
    }
}
