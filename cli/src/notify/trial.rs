//! `notify test`.

use futures_util::future::join_all;
use gentoo_updater_fleet::config::{Notification, Settings};
use gentoo_updater_fleet::name::NotificationName;
use gentoo_updater_notifier::{Rendering, deliver};
use serde::Serialize;

use super::service::warnings;
use crate::WrongUsage;
use crate::output;

/// The document of `notify test --json`.
#[derive(Debug, Serialize)]
struct TestDocument {
    /// What came of each way, by name.
    results: Vec<TestResult>,
}

/// What came of one way.
#[derive(Debug, Serialize)]
struct TestResult {
    /// Who was told.
    notification: NotificationName,
    /// Whether it was delivered.
    delivered: bool,
    /// What the other side answered, or why it was not delivered.
    answer: String,
}

/// Sends a trial by this way, or by all.
pub(super) async fn test(
    settings: &Settings,
    name: Option<&NotificationName>,
    json: bool,
) -> anyhow::Result<u8> {
    let all = settings.notifications.iter();
    let chosen: Vec<_> = all
        .filter(|(own, _)| name.is_none_or(|name| name == *own))
        .collect();
    if chosen.is_empty() {
        return Err(unknown(settings, name).into());
    }
    for (name, notification) in &chosen {
        for warning in warnings(settings, name, notification) {
            eprintln!("{}", output::harmless(&warning));
        }
    }
    let tried = join_all(
        chosen
            .into_iter()
            .map(|(name, it)| try_one(settings, name, it)),
    )
    .await;
    let results = tried.into_iter().collect::<Result<Vec<_>, WrongUsage>>()?;
    let is_delivered = results.iter().all(|result| result.delivered);
    if json {
        output::print_json(&TestDocument { results })?;
    } else {
        for result in &results {
            let word = if result.delivered {
                "delivered"
            } else {
                "NOT delivered"
            };
            let line = format!("{}: {word}. {}", result.notification, result.answer);
            output::print_line(&output::harmless(&line))?;
        }
    }
    Ok(match is_delivered {
        true => crate::EXIT_DONE,
        false => crate::EXIT_WITH_FAILURES,
    })
}

async fn try_one(
    settings: &Settings,
    name: &NotificationName,
    notification: &Notification,
) -> Result<TestResult, WrongUsage> {
    let message = Rendering::trial(settings, name, notification)
        .map_err(|error| WrongUsage(error.to_string()))?;
    let told = deliver(notification, &message).await;
    Ok(TestResult {
        notification: name.clone(),
        delivered: told.is_ok(),
        answer: told.map_or_else(|failed| failed.cause, |answer| answer.0),
    })
}

fn unknown(settings: &Settings, name: Option<&NotificationName>) -> WrongUsage {
    let known = settings.notifications.keys();
    let known: Vec<&str> = known.map(NotificationName::as_str).collect();
    let known = match known.as_slice() {
        [] => "it names none; add a table such as [notifications.ops]".to_owned(),
        known => format!("it names {}", known.join(", ")),
    };
    let name = name.map_or_else(String::new, |name| format!(" {name}"));
    WrongUsage(format!(
        "the configuration names no notification{name}: {known}"
    ))
}
