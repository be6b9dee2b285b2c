//! Whether anything has changed on a machine since it gave an answer.

use gentoo_updater_hosts::Command;
use gentoo_updater_portage::build_key::HexDigest;
use serde::{Deserialize, Serialize};

/// The shell script that looks. Its first lines say what it takes and prints.
const SCRIPT: &str = include_str!("look.sh");

/// The kinds of places that the script knows.
const KINDS: [&str; 4] = ["tree", "flat", "links", "packages"];

/// What an answer depended on, and what that looked like before the question was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    fingerprint: HexDigest,
    watch: Vec<Watched>,
}

/// `KIND:/PATH`, as the script takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Watched(String);

impl TryFrom<String> for Watched {
    type Error = WatchError;

    fn try_from(word: String) -> Result<Self, WatchError> {
        let is_good = word.split_once(':').is_some_and(|(kind, path)| {
            KINDS.contains(&kind) && path.starts_with('/') && !path.contains(char::is_control)
        });
        if is_good {
            Ok(Self(word))
        } else {
            Err(WatchError::Word(word))
        }
    }
}

impl From<Watched> for String {
    fn from(word: Watched) -> Self {
        word.0
    }
}

/// How long the list of what to look at may be, in bytes: it becomes a part of a command.
const LONGEST_WATCH: usize = 16 * 1024;

/// A machine named something to look at that nobody can.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// A word of another form.
    #[error("{0:?} is no kind and absolute path to look at")]
    Word(String),
    /// More than fits into a command.
    #[error("it names {0} bytes of places to look at, more than {LONGEST_WATCH}")]
    TooMuch(usize),
}

impl Look {
    /// A look as a machine tells of it.
    ///
    /// # Errors
    /// When a word is not `KIND:/PATH`, or holds control characters, or when there are too many.
    pub fn new(fingerprint: HexDigest, watch: Vec<String>) -> Result<Self, WatchError> {
        let bytes = watch.iter().map(|word| word.len() + 1).sum();
        if bytes > LONGEST_WATCH {
            return Err(WatchError::TooMuch(bytes));
        }
        let watch = watch.into_iter().map(Watched::try_from);
        let watch = watch.collect::<Result<_, _>>()?;
        Ok(Self { fingerprint, watch })
    }

    /// The places alone: nothing ever looks as they did.
    ///
    /// # Errors
    /// As [`Look::new`].
    pub fn of_places(watch: Vec<String>) -> Result<Self, WatchError> {
        Self::new(HexDigest::sha256(b"no look"), watch)
    }

    /// What it looked like.
    pub fn fingerprint(&self) -> &HexDigest {
        &self.fingerprint
    }

    /// What is looked at.
    pub(crate) fn words(&self) -> Vec<String> {
        self.watch.iter().map(|word| word.0.clone()).collect()
    }
}

/// The script's text, as a part of what a question is.
pub(crate) fn script() -> &'static str {
    SCRIPT
}

/// The beginning of a call that takes the fingerprint of what is named behind it.
pub fn take(question: &HexDigest) -> Vec<String> {
    call("-", "-", question)
}

/// A call that says between two lines with this marker that nothing has changed, or else runs the
/// command in its place, with the fingerprint as its last argument.
pub fn unless_unchanged(
    marker: &str,
    former: &Look,
    question: &HexDigest,
    command: &[String],
) -> Vec<String> {
    with_command(
        call(marker, former.fingerprint.as_str(), question),
        former,
        command,
    )
}

/// A call that runs the command in any case, with the fingerprint of what a former look looked at
/// as its last argument.
pub fn beforehand(former: &Look, question: &HexDigest, command: &[String]) -> Vec<String> {
    with_command(call("-", "-", question), former, command)
}

fn with_command(mut argv: Vec<String>, former: &Look, command: &[String]) -> Vec<String> {
    argv.extend(former.words());
    argv.push("--".to_owned());
    argv.extend_from_slice(command);
    argv
}

fn call(marker: &str, former: &str, question: &HexDigest) -> Vec<String> {
    Command::shell("look", SCRIPT, [marker, former, question.as_str()]).argv
}

#[cfg(test)]
mod tests;
