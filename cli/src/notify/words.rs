//! A notification in words, none of which is a secret.

use gentoo_updater_fleet::config::{Notification, Way};

/// By what way it goes.
pub(crate) fn of_notification(notification: &Notification) -> String {
    match &notification.way {
        Way::Mail(mail) => {
            let to = mail.to.join(", ");
            format!("mail to {to} by {}:{}", mail.server, mail.port)
        }
        // Its address may hold a token.
        Way::Webhook(webhook) => match webhook.secret {
            Some(_) => "webhook, signed".to_owned(),
            None => "webhook, NOT signed".to_owned(),
        },
        Way::Command(command) => format!("command {}", command.first().map_or("", String::as_str)),
    }
}

/// At which occasions.
pub(crate) fn occasions(notification: &Notification) -> String {
    let on: Vec<String> = notification.on.iter().map(ToString::to_string).collect();
    on.join(", ")
}
