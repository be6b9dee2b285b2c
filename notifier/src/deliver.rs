//! One try at telling somebody something.

use std::fmt;

use gentoo_updater_fleet::config::{Notification, Way};
use tokio::time::timeout;

use crate::causes::REACH;
use crate::render::Message;
use crate::secret::Secrets;
use crate::{command, mail, webhook};

/// What the other side answered, in one line of plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer(pub String);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why it was not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// In one line, with what to do where that is known.
    pub cause: String,
    /// Whether another try may do better.
    pub again: bool,
}

impl Failed {
    /// Which another try may mend.
    pub(crate) fn passing(cause: impl fmt::Display) -> Self {
        Self {
            cause: cause.to_string(),
            again: true,
        }
    }

    /// Which would be the same in every try.
    pub(crate) fn for_good(cause: impl fmt::Display) -> Self {
        Self {
            cause: cause.to_string(),
            again: false,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for Failed {}

/// How much of an answer is kept.
const MOST: usize = 300;

/// A text of somebody else in one line, without control characters.
fn line(text: &str) -> String {
    let words = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>();
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MOST).collect()
}

/// Tries once.
///
/// # Errors
/// [`Failed`].
pub async fn deliver(notification: &Notification, message: &Message) -> Result<Answer, Failed> {
    let limit = notification.timeout;
    let mut secrets = Secrets::default();
    let told = async {
        match &notification.way {
            Way::Mail(mail) => mail::send(mail, message, limit, &mut secrets).await,
            Way::Webhook(webhook) => webhook::post(webhook, message, &mut secrets).await,
            Way::Command(command) => command::run(command, message).await,
        }
    };
    let told = timeout(limit, told).await.unwrap_or_else(|_| {
        let (place, remedy) = match &notification.way {
            Way::Mail(mail) => (mail::place(mail), REACH),
            Way::Webhook(webhook) => (webhook::place(webhook), REACH),
            Way::Command(command) => {
                let program = command.first().cloned().unwrap_or_default();
                (
                    program,
                    "it was ended; where it needs longer, raise timeout_seconds",
                )
            }
        };
        let seconds = limit.as_secs();
        Err(Failed::passing(format!(
            "{place}: no answer within {seconds} s; {remedy}"
        )))
    });
    // Before anything is cut off, which could leave a part of one.
    let clean = |text: &str| line(&secrets.hide(text));
    match told {
        Ok(Answer(words)) => Ok(Answer(clean(&words))),
        Err(Failed { cause, again }) => Err(Failed {
            cause: clean(&cause),
            again,
        }),
    }
}
