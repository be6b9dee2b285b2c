//! `pause` and `resume`.

mod arguments;
mod words;

use std::sync::Arc;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::target_named;
use gentoo_updater_fleet::message::{Event, PauseRequested, PauseTarget, ResumeRequested};
use gentoo_updater_fleet::name::EventId;
use gentoo_updater_fleet::state::Fleet;
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::WrongUsage;
use crate::open::{self, Opened};
use crate::roles;
use crate::said;

pub(crate) use arguments::{PauseOptions, ResumeOptions};

/// What an operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// No new work.
    Pause,
    /// Work again.
    Resume,
}

/// The document of `pause --json` and `resume --json`.
#[derive(Debug, Serialize)]
struct PauseDocument {
    /// What was wanted.
    action: Action,
    /// Of whom.
    target: PauseTarget,
    /// The event that says it; absent where nothing had to be said.
    event: Option<EventId>,
    /// Whether it takes no new work now: it was paused, or is for another reason all the same.
    paused: bool,
    /// Why, in an operator's words, where it is paused by its own name.
    reason: Option<String>,
}

/// Lets somebody take no new work.
pub(crate) async fn pause(settings: &Arc<Settings>, options: &PauseOptions) -> anyhow::Result<u8> {
    let reason = options.reason.clone();
    carry_out(
        settings,
        Action::Pause,
        &options.target,
        reason,
        options.json,
    )
    .await
}

/// Lets somebody take work again.
pub(crate) async fn resume(
    settings: &Arc<Settings>,
    options: &ResumeOptions,
) -> anyhow::Result<u8> {
    carry_out(
        settings,
        Action::Resume,
        &options.target,
        None,
        options.json,
    )
    .await
}

async fn carry_out(
    settings: &Arc<Settings>,
    action: Action,
    target: &str,
    reason: Option<String>,
    json: bool,
) -> anyhow::Result<u8> {
    let opened = open::to_say(settings).await?;
    let done = say(settings, &opened, action, target, reason).await;
    opened.bus.close().await;
    let (document, words) = done?;
    let is_event = document.event.is_some();
    said::tell(settings, &opened, json, (&document, &words), is_event)
}

async fn say(
    settings: &Settings,
    opened: &Opened,
    action: Action,
    target: &str,
    reason: Option<String>,
) -> anyhow::Result<(PauseDocument, String)> {
    let view = FleetView::follow(opened.bus.clone(), CancellationToken::new()).await?;
    // With a broker the other workers are named by whoever starts them.
    let known = match &settings.broker {
        Some(_) => roles::builder_ids(settings).collect(),
        None => roles::worker_ids(settings),
    };
    let target = view
        .read(|fleet| target_named(target, fleet, known))
        .map_err(|error| WrongUsage(error.to_string()))?;
    let before = view.read(Fleet::clone);
    let message = match action {
        Action::Pause => Event::PauseRequested(PauseRequested {
            target: target.clone(),
            reason,
        }),
        Action::Resume => Event::ResumeRequested(ResumeRequested {
            target: target.clone(),
        }),
    };
    let event = if changes(&before, &message) {
        let envelope = open::operator()?.say(message);
        open::say(&view, opened, &envelope).await?;
        Some(envelope.id)
    } else {
        None
    };
    let after = view.read(Fleet::clone);
    let now = Timestamp::now();
    let words = match action {
        Action::Pause => words::paused(&before, &after, &target, now),
        Action::Resume => words::resumed(&before, &after, &target, now),
    };
    let own = after.pauses.get(&target);
    let document = PauseDocument {
        action,
        event,
        paused: own.is_some() || words::still_paused(&after, &target).is_some(),
        reason: own.and_then(|pause| pause.reason.clone()),
        target,
    };
    Ok((document, words))
}

/// Whether it has to be said: who is paused need not be paused again, unless there is a new reason.
fn changes(fleet: &Fleet, message: &Event) -> bool {
    match message {
        Event::PauseRequested(PauseRequested { target, reason }) => {
            let before = fleet.pauses.get(target);
            before.is_none_or(|pause| reason.is_some() && *reason != pause.reason)
        }
        Event::ResumeRequested(ResumeRequested { target }) => match target {
            // It ends the pauses of its workers, too.
            PauseTarget::Role(role) => fleet.pauses.keys().any(|paused| match paused {
                PauseTarget::Role(paused) => paused == role,
                PauseTarget::Worker(worker) => {
                    let worker = fleet.workers.get(worker);
                    worker.is_some_and(|worker| worker.role == *role)
                }
            }),
            PauseTarget::Worker(_) => fleet.pauses.contains_key(target),
        },
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::testing::golden;

    #[test]
    fn what_was_said_is_told_to_programs() {
        let document = PauseDocument {
            action: Action::Resume,
            target: PauseTarget::Worker("builder@b1".parse().unwrap()),
            event: Some(EventId(Uuid::nil())),
            paused: true,
            reason: None,
        };
        golden("resume", &document);
    }
}
