//! What builds left on a builder beside packages.

use serde::{Deserialize, Serialize};

/// Files that builds left on the machine itself and no package owns, and what else is not as before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cruft {
    /// What was archived and removed; what was found, where that is only reported.
    pub found: Listed<String>,
    /// The archives that hold it.
    pub archives: Vec<CruftArchive>,
    /// What is new, owned by nobody, and left alone.
    pub stays: Listed<Staying>,
    /// What was there before and has other content, another owner or mode now, although its package
    /// was not updated, or is gone although its package has it.
    pub changed: Listed<ChangedFile>,
    /// Users that were not there before, and of which no package is installed (`acct-user`).
    pub users: Vec<String>,
    /// Groups that were not there before, and of which no package is installed (`acct-group`).
    pub groups: Vec<String>,
    /// Users and groups that were there before and are defined otherwise now.
    pub accounts_changed: Vec<String>,
    /// Why nothing could be looked for, or be archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// How many there are, and the first of them. Whoever makes it bounds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed<T> {
    /// How many there are.
    pub count: u64,
    /// The first of them. A path holds bytes that are no text, and control characters, as `\xNN`.
    pub first: Vec<T>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            count: 0,
            first: Vec::new(),
        }
    }
}

/// A file that is new and left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staying {
    /// Its path.
    pub path: String,
    /// Why it stays.
    pub why: String,
}

/// A file that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// Its path.
    pub path: String,
    /// What is another: `content`, `owner`, `mode`, `kind`; or `gone`.
    pub what: Vec<String>,
}

/// An archive on a builder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CruftArchive {
    /// Its file on the builder.
    pub path: String,
    /// How many files, links and folders in it were removed from the machine.
    pub files: u64,
    /// Its size in bytes.
    pub size: u64,
}

impl Cruft {
    /// Whether there is nothing to tell.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
