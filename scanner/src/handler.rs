//! The order of steps of one scan.

use async_trait::async_trait;
use gentoo_updater_bus::worker::Handler;
use gentoo_updater_fleet::message::{Command, Event, Failure, GuestScanned};
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_portage::command::plan_world;
use gentoo_updater_runtime::portage_api::{Question, ask_portage};
use gentoo_updater_runtime::{Context, wrong_command};

use crate::document::Document;
use crate::interpret::{Answer, interpret};

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
        let question = Question::Plan(plan_world(wants_build_dependencies));
        let timeout = self.context.settings.policy.scan_timeout;
        let document: Document = ask_portage(host.as_ref(), question, timeout).await?;
        interpret(&document, wants_build_dependencies)
    }
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
