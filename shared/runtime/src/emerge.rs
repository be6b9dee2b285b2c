//! From Portage's command lines to commands on a machine.

use std::path::Path;

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::command::CommandLine;
use gentoo_updater_portage::plan::{self, Plan, PlanError};

use crate::machines::ask;

/// Where Portage and what it calls are looked for.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The cause of a failure: emerge made no plan at all, and said why.
pub const PLAN_REFUSED: &str = "PlanRefused";

/// A command line in an environment of its own: USE or BUILD_ID of whoever started the worker
/// would change what Portage does, and end up in binaries.
pub fn in_own_environment(line: CommandLine, variables: &[(&str, &Path)]) -> Command {
    let path = format!("PATH={PATH}");
    let command = Command::new("env").args(["-i", &path, "HOME=/root"]);
    let given = line
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let own = variables
        .iter()
        .map(|(name, path)| format!("{name}={}", path.display()));
    command.args(given).args(own).args(line.argv)
}

/// Asks Portage what it would do. Gives the plan and the exit code, which both count.
///
/// # Errors
/// When the machine cannot be asked, or its answer cannot be understood as a whole.
pub async fn ask_for_plan(host: &dyn Host, command: &Command) -> Result<(Plan, i32), Failure> {
    let output = ask(host, command).await?;
    let ExitStatus::Code(status) = output.status else {
        let message = "emerge --pretend was ended by a signal".to_owned();
        return Err(Failure::new(FailureClass::Transient, "PlanKilled", message));
    };
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let plan = plan::parse(&stdout, &stderr, status).map_err(|error| {
        let cause = match error {
            PlanError::Refused { .. } => PLAN_REFUSED,
            _ => "PlanNotUnderstood",
        };
        Failure::new(FailureClass::Permanent, cause, error.to_string())
    })?;
    Ok((plan, status))
}
