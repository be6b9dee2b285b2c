//! `hold` and `approve`.

mod arguments;
mod list;
mod words;

use std::sync::Arc;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::{HoldsView, hold_target, waits_for_approval};
use gentoo_updater_fleet::message::{ApprovalGiven, Event, HoldRequested, HoldTarget};
use gentoo_updater_fleet::name::EventId;
use gentoo_updater_fleet::state::Fleet;
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use self::arguments::Kind;
use crate::WrongUsage;
use crate::open::{self, Opened};
use crate::output;
use crate::said;

pub(crate) use arguments::{ApproveOptions, HoldOptions};

/// What an operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// Nothing is begun of it.
    Hold,
    /// It may go on.
    Approve,
}

/// The document of `hold --json` and `approve --json`.
#[derive(Debug, Serialize)]
struct HoldDocument {
    /// What was wanted.
    action: Action,
    /// Of what.
    target: HoldTarget,
    /// The event that says it; absent where nothing had to be said.
    event: Option<EventId>,
    /// Whether it is held now.
    held: bool,
    /// Why, in an operator's words.
    reason: Option<String>,
}

/// Lets nothing be begun of something.
pub(crate) async fn hold(settings: &Arc<Settings>, options: &HoldOptions) -> anyhow::Result<u8> {
    let reason = options.reason.clone();
    match options.kind.zip(options.name.as_deref()) {
        Some(named) => carry_out(settings, Action::Hold, named, reason, options.json).await,
        None => list(settings, options.json).await,
    }
}

/// Lists what is held and what waits.
async fn list(settings: &Arc<Settings>, json: bool) -> anyhow::Result<u8> {
    let Some(bus) = open::read_only(settings).await? else {
        return crate::nothing_kept(settings, json);
    };
    let view = FleetView::follow(bus.clone(), CancellationToken::new()).await;
    let view = view.map(|view| view.read(HoldsView::of));
    bus.close().await;
    let view = view?;
    if json {
        output::print_json(&view)?;
    } else {
        let text = output::harmless(&list::text(&view, Timestamp::now()));
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    Ok(crate::EXIT_DONE)
}

/// Lets something go on.
pub(crate) async fn approve(
    settings: &Arc<Settings>,
    options: &ApproveOptions,
) -> anyhow::Result<u8> {
    let named = (options.kind, options.name.as_str());
    carry_out(settings, Action::Approve, named, None, options.json).await
}

async fn carry_out(
    settings: &Arc<Settings>,
    action: Action,
    named: (Kind, &str),
    reason: Option<String>,
    json: bool,
) -> anyhow::Result<u8> {
    let opened = open::to_say(settings).await?;
    let done = say(settings, &opened, action, named, reason).await;
    opened.bus.close().await;
    let (document, words) = done?;
    let is_event = document.event.is_some();
    said::tell(settings, &opened, json, (&document, &words), is_event)
}

async fn say(
    settings: &Settings,
    opened: &Opened,
    action: Action,
    (kind, name): (Kind, &str),
    reason: Option<String>,
) -> anyhow::Result<(HoldDocument, String)> {
    let view = FleetView::follow(opened.bus.clone(), CancellationToken::new()).await?;
    let target = view
        .read(|fleet| hold_target(kind.into(), name, fleet, settings))
        .map_err(|error| WrongUsage(error.to_string()))?;
    let before = view.read(Fleet::clone);
    let message = match action {
        Action::Hold => Event::HoldRequested(HoldRequested {
            target: target.clone(),
            reason,
        }),
        Action::Approve => Event::ApprovalGiven(ApprovalGiven {
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
    let words = match action {
        Action::Hold => words::held(&before, &after, &target, Timestamp::now()),
        Action::Approve => words::approved(&before, &after, &target, event.is_some()),
    };
    let hold = after.holds.get(&target);
    let document = HoldDocument {
        action,
        event,
        held: hold.is_some(),
        reason: hold.and_then(|hold| hold.reason.clone()),
        target,
    };
    Ok((document, words))
}

/// Whether it has to be said: what is held need not be held again, unless there is a new reason.
fn changes(fleet: &Fleet, message: &Event) -> bool {
    match message {
        Event::HoldRequested(HoldRequested { target, reason }) => {
            let before = fleet.holds.get(target);
            before.is_none_or(|hold| reason.is_some() && *reason != hold.reason)
        }
        Event::ApprovalGiven(ApprovalGiven { target }) => {
            fleet.holds.contains_key(target) || waits_for_approval(fleet, target)
        }
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
        let document = HoldDocument {
            action: Action::Hold,
            target: HoldTarget::Package(">=dev-libs/openssl-3.5".parse().unwrap()),
            event: Some(EventId(Uuid::nil())),
            held: true,
            reason: Some("see bug 1".to_owned()),
        };
        golden("hold", &document);
    }
}
