//! Asking Portage's own API on a machine: one round trip, one JSON document.

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_hosts::{ExitStatus, Host, Output};
use gentoo_updater_portage::command::{CommandLine, neutral_environment};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::RepositoryName;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

use crate::emerge::in_own_environment;
use crate::machines::ask;

/// The program that runs on the machine, on its standard input.
const PROGRAM: &str = include_str!("portage_api.py");

/// What to ask.
#[derive(Debug, Clone)]
pub enum Question {
    /// What the machine is and has, what this `emerge --pretend` says, and the metadata of every
    /// row of it.
    Plan(CommandLine),
    /// The metadata of one ebuild.
    Ebuild(Cpv, RepositoryName),
}

/// Asks, and reads the answer.
///
/// # Errors
/// When the machine cannot be asked, or gives no document of this kind. That Portage could not
/// answer stands in the document.
pub async fn ask_portage<T: DeserializeOwned>(
    host: &dyn Host,
    question: Question,
    timeout: Duration,
) -> Result<T, Failure> {
    let marker = format!("gentoo-updater-{}", Uuid::now_v7().simple());
    let request = match question {
        Question::Plan(line) => {
            let environment: BTreeMap<_, _> = line.environment.into_iter().collect();
            let emerge = serde_json::json!({ "argv": line.argv, "environment": environment });
            serde_json::json!({ "marker": marker, "emerge": emerge })
        }
        Question::Ebuild(cpv, repository) => {
            serde_json::json!({ "marker": marker, "packages": [[cpv, repository]] })
        }
    };
    // Portage's API reads USE and its like from the environment as emerge does, and tells what
    // FEATURES and PKGDIR are on the machine: those that a command line sets are for emerge alone.
    let environment = neutral_environment();
    let argv = vec!["python3".to_owned(), "-".to_owned(), request.to_string()];
    let command = in_own_environment(CommandLine { environment, argv }, &[])
        .stdin(PROGRAM)
        .timeout(timeout);
    let output = ask(host, &command).await?;
    read(&output, &marker)
}

/// The document between the markers. What stands around them was printed by something else.
fn read<T: DeserializeOwned>(output: &Output, marker: &str) -> Result<T, Failure> {
    let text = String::from_utf8_lossy(&output.stdout);
    let between = text
        .split(marker)
        .nth(1)
        .filter(|_| text.matches(marker).count() == 2);
    let Some(json) = between else {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<String> = stderr.lines().map(str::to_owned).collect();
        let mut failure = Failure::new(
            FailureClass::Permanent,
            "MachineAnswersNot",
            match output.status {
                ExitStatus::Code(127) => "the machine has no python3, which Portage needs too",
                _ => "the machine's answer was cut off or never came",
            },
        );
        failure.log_tail = lines[lines.len().saturating_sub(15)..].to_vec();
        return Err(failure);
    };
    serde_json::from_str(json).map_err(|error| {
        let message = format!("the machine's answer cannot be read: {error}");
        Failure::new(FailureClass::Permanent, "DocumentNotUnderstood", message)
    })
}
