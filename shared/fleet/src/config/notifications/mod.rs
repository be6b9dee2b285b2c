//! Who is told what, as it is configured: the tables `[notifications.NAME]`.

mod check;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::notice::Occasion;

pub(super) use check::check;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NotificationFragment {
    #[serde(rename = "type")]
    kind: Kind,
    on: Option<BTreeSet<Occasion>>,
    server: Option<String>,
    port: Option<u16>,
    encryption: Option<Encryption>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    password_variable: Option<String>,
    from: Option<String>,
    to: Option<Vec<String>>,
    url: Option<String>,
    url_file: Option<PathBuf>,
    secret_file: Option<PathBuf>,
    secret_variable: Option<String>,
    ca: Option<PathBuf>,
    command: Option<Vec<String>>,
    subject: Option<String>,
    text_template: Option<PathBuf>,
    html_template: Option<PathBuf>,
    timeout_seconds: Option<u64>,
    attempts: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Mail,
    Webhook,
    Command,
}

/// One way by which operators are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// At which occasions.
    pub on: BTreeSet<Occasion>,
    /// How.
    pub way: Way,
    /// What is said, where it is not what is built in.
    pub templates: Templates,
    /// How long one try may take.
    pub timeout: Duration,
    /// How often it is tried.
    pub attempts: u32,
}

/// The templates of a notification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Templates {
    /// The line that a mail has as its subject.
    pub subject: Option<String>,
    /// The file of its text.
    pub text: Option<PathBuf>,
    /// The file of its HTML.
    pub html: Option<PathBuf>,
}

/// How operators are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// By mail.
    Mail(Mail),
    /// By a POST request.
    Webhook(Webhook),
    /// By a program with these arguments, without a shell.
    Command(Vec<String>),
}

/// A mail server, and who writes to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The server.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// The authorities of its certificate, in PEM, beside those of the system.
    pub ca: Option<PathBuf>,
    /// Who logs in, and where the password is.
    pub login: Option<(String, Secret)>,
    /// Who writes.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
}

/// How the connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// Before anything else is said, by the command STARTTLS (RFC 3207).
    Starttls,
    /// From the beginning (RFC 8314).
    Tls,
    /// Not at all: for servers of this machine alone.
    None,
}

/// Where a request goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The address, which may hold a token.
    pub url: WebhookUrl,
    /// What the body is signed with.
    pub secret: Option<Secret>,
    /// The authorities of its certificate, in PEM, beside those of the system.
    pub ca: Option<PathBuf>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a token.
        f.debug_struct("Webhook")
            .field("secret", &self.secret)
            .field("ca", &self.ca)
            .finish_non_exhaustive()
    }
}

/// The address of a webhook.
#[derive(Clone, PartialEq, Eq)]
pub enum WebhookUrl {
    /// As it is configured.
    Given(String),
    /// In a file.
    File(PathBuf),
}

/// Where a secret is. The secret itself is read when it is used, and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// The first line of a file.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
}
