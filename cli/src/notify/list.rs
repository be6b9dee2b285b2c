//! `notify list`.

use std::collections::BTreeSet;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::name::NotificationName;
use gentoo_updater_fleet::notice::Occasion;
use gentoo_updater_fleet::words::counted;
use gentoo_updater_notifier::{Undelivered, Unreadable, undelivered};
use jiff::Timestamp;
use serde::Serialize;

use super::{occasions, of_notification};
use crate::output;
use crate::time::ago;

/// The document of `notify list --json`.
#[derive(Debug, Serialize)]
struct NotifyDocument<'a> {
    /// The ways of the configuration.
    notifications: Vec<NotificationView<'a>>,
    /// What the notifiers of this machine could not deliver, the oldest first.
    undelivered: &'a [Undelivered],
    /// The files of such that cannot be read.
    unreadable: &'a [Unreadable],
}

/// One way of the configuration.
#[derive(Debug, Serialize)]
struct NotificationView<'a> {
    /// Its name.
    name: &'a NotificationName,
    /// By what it goes, in words.
    way: String,
    /// At which occasions.
    on: &'a BTreeSet<Occasion>,
}

/// Shows who is told what, and what could not be delivered.
pub(super) fn list(settings: &Settings, json: bool) -> anyhow::Result<u8> {
    let all = undelivered(settings)?;
    let undelivered = all.notices;
    let code = match all.unreadable.is_empty() {
        true => crate::EXIT_DONE,
        false => crate::EXIT_WITH_FAILURES,
    };
    if json {
        let notifications = settings.notifications.iter();
        let notifications = notifications.map(|(name, notification)| NotificationView {
            name,
            way: of_notification(notification),
            on: &notification.on,
        });
        output::print_json(&NotifyDocument {
            notifications: notifications.collect(),
            undelivered: &undelivered,
            unreadable: &all.unreadable,
        })?;
        return Ok(code);
    }
    let mut text = String::new();
    if !settings.notifications.is_empty() {
        text.push_str(&output::table(&configured(settings)));
    }
    if !undelivered.is_empty() {
        text.push_str(&output::table(&given_up(&undelivered, Timestamp::now())));
    }
    let text = output::harmless(&text);
    output::print(|output| output.write_all(text.as_bytes()))?;
    if settings.notifications.is_empty() {
        eprintln!("Nobody is told anything: the configuration has no [notifications.NAME].");
    }
    let number = counted(undelivered.len(), "notification");
    eprintln!("{number} could not be delivered from this machine.");
    for Unreadable { path, cause } in &all.unreadable {
        let line = format!("{} cannot be read: {cause}; remove it", path.display());
        eprintln!("{}", output::harmless(&line));
    }
    Ok(code)
}

fn configured(settings: &Settings) -> Vec<[String; 3]> {
    let head = ["NOTIFICATION", "WAY", "ON"].map(str::to_owned);
    let rows = settings.notifications.iter().map(|(name, notification)| {
        [
            name.to_string(),
            of_notification(notification),
            occasions(notification),
        ]
    });
    std::iter::once(head).chain(rows).collect()
}

fn given_up(undelivered: &[Undelivered], now: Timestamp) -> Vec<[String; 5]> {
    let head = ["GIVEN UP", "TO", "TRIES", "WHAT", "WHY"].map(str::to_owned);
    let rows = undelivered.iter().map(|one| {
        [
            ago(one.at, now),
            one.notification.to_string(),
            one.tries.to_string(),
            one.headline.clone(),
            one.cause.clone(),
        ]
    });
    std::iter::once(head).chain(rows).collect()
}
