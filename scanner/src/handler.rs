//! The order of steps of one scan.

use async_trait::async_trait;
use gentoo_updater_bus::worker::Handler;
use gentoo_updater_fleet::message::{Command, Event, Failure, FailureClass, GuestScanned};
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_hosts::{ExitStatus, Output};
use gentoo_updater_portage::command::{CommandLine, plan_world};
use gentoo_updater_runtime::emerge::in_own_environment;
use gentoo_updater_runtime::{Context, ask, wrong_command};
use uuid::Uuid;

use crate::document::Document;
use crate::interpret::{Answer, interpret};

/// The program that runs on a guest.
const PROGRAM: &str = include_str!("scan.py");

/// Scans guests.
pub(crate) struct ScanHandler {
    context: Context,
}

impl ScanHandler {
    pub(crate) fn new(context: Context) -> Self {
        Self { context }
    }

    async fn scan(&self, guest: &GuestName) -> Result<Answer, Failure> {
        let host = self.context.machines.guest(guest).await?;
        let wants_build_dependencies = self
            .context
            .settings
            .guests
            .get(guest)
            .is_some_and(|guest| guest.build_dependencies);
        let marker = format!("gentoo-updater-{}", Uuid::now_v7().simple());
        let CommandLine { environment, argv } = plan_world(wants_build_dependencies);
        let request = serde_json::json!({
            "marker": marker,
            "with_bdeps": wants_build_dependencies,
            "emerge": { "argv": argv },
        });
        // Portage's API reads USE and its like from the environment as emerge does.
        let program = CommandLine {
            environment,
            argv: vec!["python3".to_owned(), "-".to_owned(), request.to_string()],
        };
        let command = in_own_environment(program, &[])
            .stdin(PROGRAM)
            .timeout(self.context.settings.policy.scan_timeout);
        let output = ask(host.as_ref(), &command).await?;
        interpret(&read_document(&output, &marker)?)
    }
}

/// The document between the markers. What stands around them was printed by the guest's shell.
fn read_document(output: &Output, marker: &str) -> Result<Document, Failure> {
    let text = String::from_utf8_lossy(&output.stdout);
    let between = text
        .split(marker)
        .nth(1)
        .filter(|_| text.matches(marker).count() == 2);
    let Some(json) = between else {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let tail: Vec<String> = stderr.lines().rev().take(15).map(str::to_owned).collect();
        let mut failure = Failure::new(
            FailureClass::Permanent,
            "GuestAnswersNot",
            match output.status {
                ExitStatus::Code(127) => {
                    "the guest has no python3, which Portage needs too".to_owned()
                }
                _ => "the guest's answer was cut off or never came".to_owned(),
            },
        );
        failure.log_tail = tail.into_iter().rev().collect();
        return Err(failure);
    };
    serde_json::from_str(json).map_err(|error| {
        let message = format!("the guest's answer cannot be read: {error}");
        Failure::new(FailureClass::Permanent, "DocumentNotUnderstood", message)
    })
}

#[async_trait]
impl Handler for ScanHandler {
    async fn handle(&self, command: &Command) -> Event {
        let Command::ScanGuest(scan) = command else {
            return self.failed(command, wrong_command(command));
        };
        match self.scan(&scan.guest).await {
            Ok(answer) => Event::GuestScanned(GuestScanned {
                run: scan.run,
                guest: scan.guest.clone(),
                attempt: scan.attempt,
                identity: answer.identity,
                updates: answer.updates,
                installed: answer.installed,
                findings: answer.findings,
            }),
            Err(failure) => scan.failed(failure),
        }
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        command.failed(None, failure)
    }
}
