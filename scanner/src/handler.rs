//! The order of steps of one scan.

use std::sync::Arc;

use async_trait::async_trait;
use gentoo_updater_bus::worker::Handler;
use gentoo_updater_fleet::message::{
    Command, Event, Failure, FailureClass, GuestScanned, ScanGuest,
};
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_portage::command::plan_world;
use gentoo_updater_runtime::look::Look;
use gentoo_updater_runtime::portage_api::{self, Question, Reply, ask_portage_unless_unchanged};
use gentoo_updater_runtime::{Context, repositories, unsettled, wrong_command};
use jiff::Timestamp;
use serde_json::Value;

use crate::document::Document;
use crate::former::{Former, FormerAnswers};
use crate::interpret::{Answer, Wishes, interpret, read};

/// Scans guests.
pub(crate) struct ScanHandler {
    context: Context,
    answers: FormerAnswers,
}

/// What came of one scan.
struct Scanned {
    answer: Answer,
    /// When the guest gave this answer, if that was in a former scan.
    unchanged_since: Option<Timestamp>,
    /// Whether an update has begun on it that nobody has looked at since.
    unsettled: bool,
}

impl ScanHandler {
    pub(crate) fn new(context: Context, answers: FormerAnswers) -> Self {
        Self { context, answers }
    }

    async fn scan(&self, scan: &ScanGuest) -> Result<Scanned, Failure> {
        let guest = &scan.guest;
        let host = self.context.machines.guest(guest).await?;
        let settings = self.context.settings.guests.get(guest);
        let wishes = settings.map_or_else(Wishes::default, |guest| Wishes {
            build_dependencies: guest.build_dependencies,
            any_flags: guest.any_flags,
        });
        let question = Question::Plan(plan_world(wishes.build_dependencies));
        let policy = &self.context.settings.policy;
        if scan.sync {
            let (machine, table) = (format!("guest {guest}"), format!("guests.{guest}"));
            let limit = policy.sync_timeout;
            repositories::sync(host.as_ref(), scan.run, &machine, &table, limit).await?;
        }
        let timeout = policy.scan_timeout;
        let former = self.answers.read(guest).await;
        if scan.force {
            // Whoever asks so does not trust it, also if this scan fails.
            self.answers.forget(guest).await;
        }
        // What a former version of this program understood, this one may not.
        let former = former.and_then(|former| {
            let document = read(&former.document).ok()?;
            let answer = interpret(&document, wishes).ok()?;
            Some((former, answer))
        });
        let known = match &former {
            None => portage_api::Former::None,
            Some((former, _)) if scan.force => portage_api::Former::Outdated(&former.look),
            Some((former, _)) => portage_api::Former::Holds(&former.look),
        };
        let asked_at = self.context.clock.now();
        let unsettled = unsettled::is_noted(host.as_ref()).await?;
        let reply = ask_portage_unless_unchanged(host.as_ref(), question, known, timeout).await?;
        match (reply, former) {
            (Reply::Unchanged, Some((former, answer))) => Ok(Scanned {
                answer,
                unchanged_since: Some(former.at),
                unsettled,
            }),
            // The guest was not told of any.
            (Reply::Unchanged, None) => {
                let message = "the guest says that its former answer holds, and has given none";
                Err(Failure::new(
                    FailureClass::Permanent,
                    "DocumentNotUnderstood",
                    message,
                ))
            }
            (Reply::Answer(value), _) => {
                let document = read(&value)?;
                let answer = interpret(&document, wishes)?;
                self.keep(guest, asked_at, document, value).await;
                Ok(Scanned {
                    answer,
                    unchanged_since: None,
                    unsettled,
                })
            }
        }
    }

    /// Keeps a good answer for the next scan, where the guest can tell what it depends on.
    async fn keep(&self, guest: &GuestName, at: Timestamp, answer: Document, document: Value) {
        let look = match (answer.fingerprint, answer.unwatched) {
            (Some(fingerprint), _) => Look::new(fingerprint, answer.watch),
            // Something changed meanwhile, or the places did. The next scan looks there beforehand.
            (None, None) => Look::of_places(answer.watch),
            (None, Some(cause)) => return self.ask_again(guest, &cause).await,
        };
        match look {
            Ok(look) => {
                let former = Former { at, look, document };
                self.answers.keep(guest, former).await;
            }
            Err(cause) => self.ask_again(guest, &cause.to_string()).await,
        }
    }

    /// The guest cannot say what its answer depends on.
    async fn ask_again(&self, guest: &GuestName, cause: &str) {
        self.answers.forget(guest).await;
        tracing::info!(guest.name = %guest, cause, "the guest will be asked again next time");
    }
}

#[async_trait]
impl Handler for ScanHandler {
    async fn handle(&self, command: &Command) -> Event {
        let Command::ScanGuest(scan) = command else {
            return self.failed(command, wrong_command(command));
        };
        match self.scan(scan).await {
            Ok(Scanned {
                answer,
                unchanged_since,
                unsettled,
            }) => Event::GuestScanned(GuestScanned {
                run: scan.run,
                guest: scan.guest.clone(),
                attempt: scan.attempt,
                identity: answer.identity,
                updates: answer.updates.into_iter().map(Arc::new).collect(),
                installed: answer.installed.into_iter().map(Arc::new).collect(),
                findings: answer.findings,
                unchanged_since,
                unsettled,
            }),
            Err(failure) => scan.failed(failure),
        }
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        command.failed(None, failure)
    }
}
