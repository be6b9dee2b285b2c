//! Whether what is written of a notification fits together.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{
    Encryption, Kind, Mail, Notification, NotificationFragment, Secret, Templates, Way, Webhook,
    WebhookUrl,
};
use crate::config::invalid::Invalid;
use crate::name::NotificationName;
use crate::notice::Occasion;

/// The notifications of a configuration.
pub(in crate::config) fn check(
    fragments: &BTreeMap<NotificationName, NotificationFragment>,
) -> Result<BTreeMap<NotificationName, Notification>, Invalid> {
    let check = |(name, fragment): (&NotificationName, &NotificationFragment)| {
        let checked = check_one(fragment).map_err(|cause| Invalid::Notification {
            notification: name.clone(),
            cause,
        });
        Ok((name.clone(), checked?))
    };
    fragments.iter().map(check).collect()
}

fn check_one(fragment: &NotificationFragment) -> Result<Notification, String> {
    refuse_what_is_of_others(fragment)?;
    let way = match fragment.kind {
        Kind::Mail => Way::Mail(mail(fragment)?),
        Kind::Webhook => Way::Webhook(webhook(fragment)?),
        Kind::Command => match fragment.command.as_deref() {
            Some([program, ..]) if program.starts_with('/') => {
                Way::Command(fragment.command.clone().unwrap_or_default())
            }
            _ => {
                return Err(
                    "command must be a list that begins with the absolute path of a program"
                        .to_owned(),
                );
            }
        },
    };
    for (key, value) in [
        ("timeout_seconds", fragment.timeout_seconds),
        ("attempts", fragment.attempts.map(u64::from)),
    ] {
        if value == Some(0) {
            return Err(format!("{key} is 0; it must be at least 1"));
        }
    }
    let templates = Templates {
        subject: fragment.subject.clone(),
        text: fragment.text_template.clone(),
        html: fragment.html_template.clone(),
    };
    let paths = [
        &templates.text,
        &templates.html,
        &fragment.ca,
        &fragment.password_file,
        &fragment.secret_file,
        &fragment.url_file,
    ];
    if let Some(path) = paths.into_iter().flatten().find(|path| !path.is_absolute()) {
        return Err(format!("{} must be an absolute path", path.display()));
    }
    let on = fragment.on.clone();
    let on = on.unwrap_or_else(|| Occasion::ALL.into_iter().collect());
    if on.is_empty() {
        return Err("on is empty; leave it out for all occasions".to_owned());
    }
    Ok(Notification {
        on,
        way,
        templates,
        timeout: Duration::from_secs(fragment.timeout_seconds.unwrap_or(30)),
        attempts: fragment.attempts.unwrap_or(5),
    })
}

/// A key that this type does not look at would be one that somebody counts on.
fn refuse_what_is_of_others(fragment: &NotificationFragment) -> Result<(), String> {
    let given = [
        ("server", fragment.server.is_some(), &[Kind::Mail][..]),
        ("port", fragment.port.is_some(), &[Kind::Mail]),
        ("encryption", fragment.encryption.is_some(), &[Kind::Mail]),
        ("user", fragment.user.is_some(), &[Kind::Mail]),
        (
            "password_file",
            fragment.password_file.is_some(),
            &[Kind::Mail],
        ),
        (
            "password_variable",
            fragment.password_variable.is_some(),
            &[Kind::Mail],
        ),
        ("from", fragment.from.is_some(), &[Kind::Mail]),
        ("to", fragment.to.is_some(), &[Kind::Mail]),
        ("url", fragment.url.is_some(), &[Kind::Webhook]),
        ("url_file", fragment.url_file.is_some(), &[Kind::Webhook]),
        (
            "secret_file",
            fragment.secret_file.is_some(),
            &[Kind::Webhook],
        ),
        (
            "secret_variable",
            fragment.secret_variable.is_some(),
            &[Kind::Webhook],
        ),
        ("ca", fragment.ca.is_some(), &[Kind::Mail, Kind::Webhook]),
        ("command", fragment.command.is_some(), &[Kind::Command]),
    ];
    let wrong = given
        .iter()
        .find(|(_, is_given, kinds)| *is_given && !kinds.contains(&fragment.kind));
    match wrong {
        Some((key, ..)) => Err(format!("{key} is of no use with this type")),
        None => Ok(()),
    }
}

fn mail(fragment: &NotificationFragment) -> Result<Mail, String> {
    let missing = |key: &str| format!("{key} is missing");
    let server = fragment.server.clone().ok_or_else(|| missing("server"))?;
    let encryption = fragment.encryption.unwrap_or(Encryption::Starttls);
    if encryption == Encryption::None && !is_this_machine(&server) {
        return Err(format!(
            "encryption is \"none\", and {server} is another machine: write \"starttls\" or \"tls\""
        ));
    }
    let port = match encryption {
        Encryption::Starttls => 587,
        Encryption::Tls => 465,
        Encryption::None => 25,
    };
    let password = secret(
        "password",
        fragment.password_file.as_ref(),
        fragment.password_variable.as_ref(),
    )?;
    let login = match (&fragment.user, password) {
        (Some(user), Some(password)) => Some((user.clone(), password)),
        (None, None) => None,
        (Some(_), None) => {
            return Err("user has no password: add password_file or password_variable".to_owned());
        }
        (None, Some(_)) => return Err(missing("user")),
    };
    let to = fragment.to.clone().unwrap_or_default();
    if to.is_empty() {
        return Err(missing("to"));
    }
    Ok(Mail {
        server,
        port: fragment.port.unwrap_or(port),
        encryption,
        ca: fragment.ca.clone(),
        login,
        from: fragment.from.clone().ok_or_else(|| missing("from"))?,
        to,
    })
}

fn is_this_machine(server: &str) -> bool {
    server == "localhost" || server.parse().is_ok_and(|it: IpAddr| it.is_loopback())
}

fn webhook(fragment: &NotificationFragment) -> Result<Webhook, String> {
    let url = match (&fragment.url, &fragment.url_file) {
        (Some(url), None) if url.starts_with("https://") || url.starts_with("http://") => {
            WebhookUrl::Given(url.clone())
        }
        (None, Some(file)) => WebhookUrl::File(file.clone()),
        _ => {
            return Err(
                "it must have one of url, which begins with https:// or http://, and url_file"
                    .to_owned(),
            );
        }
    };
    Ok(Webhook {
        url,
        secret: secret(
            "secret",
            fragment.secret_file.as_ref(),
            fragment.secret_variable.as_ref(),
        )?,
        ca: fragment.ca.clone(),
    })
}

fn secret(
    what: &str,
    file: Option<&PathBuf>,
    variable: Option<&String>,
) -> Result<Option<Secret>, String> {
    match (file, variable) {
        (None, None) => Ok(None),
        (Some(file), None) => Ok(Some(Secret::File(file.clone()))),
        (None, Some(variable)) => Ok(Some(Secret::Variable(variable.clone()))),
        (Some(_), Some(_)) => Err(format!(
            "it has both {what}_file and {what}_variable; leave one out"
        )),
    }
}
