//! Whether somebody can be told by a notification, as far as that is seen without telling anybody.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use gentoo_updater_fleet::config::{Notification, Secret, Settings, Way, WebhookUrl};
use gentoo_updater_fleet::name::NotificationName;
use rustix::fs::{Access, access};

use crate::render::Rendering;
use crate::{mail, webhook};

/// Looks at the addresses of a notification, and tries its templates with all that it can be told.
///
/// # Errors
/// When nobody can ever be told by it; no secret is shown.
pub fn check(
    settings: &Settings,
    name: &NotificationName,
    notification: &Notification,
) -> anyhow::Result<()> {
    let checked = match &notification.way {
        Way::Mail(mail) => mail::check(mail),
        Way::Webhook(webhook) => webhook::check(webhook),
        Way::Command(_) => Ok(()),
    };
    // One line for whoever prints it.
    checked.map_err(|error| anyhow::anyhow!("notifications.{name}: {error:#}"))?;
    Rendering::trial(settings, name, notification).map(|_| ())
}

/// Looks at the files that a notification works with: secrets, authorities, a program.
///
/// # Errors
/// When whoever runs this cannot use one; no secret is shown.
pub fn check_files(notification: &Notification) -> anyhow::Result<()> {
    match &notification.way {
        Way::Mail(mail) => mail::check_files(mail),
        Way::Webhook(webhook) => webhook::check_files(webhook),
        Way::Command(command) => {
            let program = command.first().context("it names no program")?;
            let is_file = std::fs::metadata(program).map(|it| it.is_file());
            ensure!(
                is_file.with_context(|| format!("{program} cannot be started"))?,
                "{program} is no program"
            );
            access(program, Access::EXEC_OK).with_context(|| format!("{program} cannot be started"))
        }
    }
}

/// The files that a notification reads: templates, secrets and authorities.
pub fn files(notification: &Notification) -> Vec<&Path> {
    let templates = &notification.templates;
    let (secret, ca) = match &notification.way {
        Way::Mail(mail) => (mail.login.as_ref().map(|(_, secret)| secret), &mail.ca),
        Way::Webhook(webhook) => (webhook.secret.as_ref(), &webhook.ca),
        Way::Command(_) => (None, &None),
    };
    let secret = secret.and_then(|secret| match secret {
        Secret::File(path) => Some(path),
        Secret::Variable(_) => None,
    });
    let url = match &notification.way {
        Way::Webhook(webhook) => match &webhook.url {
            WebhookUrl::File(path) => Some(path),
            WebhookUrl::Given(_) => None,
        },
        Way::Mail(_) | Way::Command(_) => None,
    };
    let all = [
        secret,
        url,
        ca.as_ref(),
        templates.text.as_ref(),
        templates.html.as_ref(),
    ];
    all.into_iter().flatten().map(PathBuf::as_path).collect()
}
