//! Secrets: reading one where it is used, and keeping it out of what is said.

use anyhow::{Context as _, ensure};
use gentoo_updater_fleet::config::Secret;

/// What stands where a secret was.
const HIDDEN: &str = "[secret]";
/// What is shorter is in words that are none.
const SHORTEST: usize = 6;

/// What the other side must not get into a log: a server may answer with what it was sent.
#[derive(Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Hides this from now on, unless it is so short that ordinary words have it.
    pub(crate) fn add(&mut self, secret: impl Into<String>) {
        let secret = secret.into();
        if secret.len() >= SHORTEST {
            self.0.push(secret);
            // What holds another goes first.
            self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// The text without them.
    pub(crate) fn hide(&self, text: &str) -> String {
        let hide = |text: String, secret: &String| text.replace(secret.as_str(), HIDDEN);
        self.0.iter().fold(text.to_owned(), hide)
    }
}

/// Reads a secret, which is hidden from then on.
///
/// # Errors
/// With where it should be, and never with what is there.
pub(crate) fn read(secret: &Secret, secrets: &mut Secrets) -> anyhow::Result<String> {
    let (text, place) = match secret {
        Secret::File(path) => {
            let place = path.display().to_string();
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("the secret in {place} cannot be read"))?;
            (text, place)
        }
        Secret::Variable(name) => {
            // The error of a variable that is no text holds what it is.
            let text = std::env::var(name).ok().with_context(|| {
                format!(
                    "the variable {name} of the environment, which holds a secret, is not set or no text"
                )
            })?;
            (text, name.clone())
        }
    };
    let line = text.lines().next().unwrap_or_default().trim();
    ensure!(!line.is_empty(), "the secret in {place} is empty");
    secrets.add(line);
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_within_another_leaves_nothing_of_it() {
        let mut secrets = Secrets::default();
        for secret in ["hunter2", "/hook?token=hunter2", "x"] {
            secrets.add(secret);
        }
        let said = secrets.hide("no /hook?token=hunter2 here, x: hunter2hunter2");
        assert_eq!(said, "no [secret] here, x: [secret][secret]");
    }
}
