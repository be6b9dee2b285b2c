//! Settings of a machine as its Portage sees them.

use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_hosts::{ExitStatus, Host};
use gentoo_updater_portage::command::{VariableName, portageq_envvars};
use gentoo_updater_portage::envvar::Settings;

use crate::emerge::in_own_environment;
use crate::machines::ask;

/// Asks Portage on a machine for its settings. `machine` names it in a failure: `builder fast`.
///
/// # Errors
/// When the machine cannot be asked; a failure of the machine when its Portage does not answer.
pub async fn portage_settings(
    host: &dyn Host,
    machine: &str,
    names: &[&str],
    limit: Duration,
) -> Result<Settings, Failure> {
    let unusable = |what: String| {
        let message = format!(
            "Portage on {machine} cannot tell its settings: {what}; try `portageq envvar CHOST` \
             there"
        );
        Failure::new(FailureClass::Machine, "PortageUnusable", message)
    };
    let variables: Result<Vec<VariableName>, _> = names.iter().map(|name| name.parse()).collect();
    let variables = variables.map_err(|error| unusable(error.to_string()))?;
    let question = in_own_environment(portageq_envvars(&variables), &[]).timeout(limit);
    let output = ask(host, &question).await?;
    let said = || output.stderr_text().trim().to_owned();
    let ExitStatus::Code(status) = output.status else {
        return Err(unusable(said()));
    };
    Settings::parse(&output.stdout, status, names)
        .map_err(|error| unusable(format!("{error} {}", said())))
}
