//! Whether an update has begun on a guest that nobody has looked at since.

use gentoo_updater_fleet::message::Failure;
use gentoo_updater_hosts::{Command, ExitStatus, Host};

use crate::machines::ask;

/// Where a guest notes an update from its beginning until somebody has looked what came of it.
pub const FILE: &str = "/var/lib/gentoo-updater/unsettled";

/// Whether one is noted.
///
/// # Errors
/// When the machine cannot be asked.
pub async fn is_noted(host: &dyn Host) -> Result<bool, Failure> {
    let output = ask(host, &Command::new("test").args(["-e", FILE])).await?;
    Ok(output.status == ExitStatus::Code(0))
}
