//! The output of `portageq envvar -v NAME…`: settings of a machine as Portage sees them.
//!
//! One assignment for each name, in the order of the call, quoted for a shell: since Portage 3.0.67
//! as Python's `shlex.quote` does (single quotes; a single quote as `'"'"'`), before in double
//! quotes with a backslash before `"`, `\`, `$` and a backquote. A value that needs no quotes has
//! none. A value can hold line feeds.
//! The source is `bin/portageq` and, for the older form, `_shell_quote` in `portage/__init__.py`.

mod words;

use std::collections::BTreeMap;

use crate::text::excerpt;

/// The settings that a machine answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<String, String>,
    some_are_unset: bool,
}

/// An answer that is not understood, or not all of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvvarError {
    /// What was asked for is not the name of a shell variable; a pattern (`PORTAGE_*`) is none.
    #[error("{0:?} is not the name of a variable")]
    Name(String),
    /// portageq failed.
    #[error("portageq ended with status {status} and wrote {words:?}")]
    Failed {
        /// Its exit status.
        status: i32,
        /// The beginning of what it wrote.
        words: String,
    },
    /// A line is not UTF-8.
    #[error("line {0} is not UTF-8")]
    NotUtf8(usize),
    /// A line is not the assignment that was expected there.
    #[error("line {number} is not an assignment to {name}: {line:?}")]
    Line {
        /// The number of the line, from 1.
        number: usize,
        /// The variable that was expected.
        name: String,
        /// The line, shortened.
        line: String,
    },
    /// The answer ends within a value, or before the last variable: it was cut.
    #[error("the answer ends before the end of {0}: it was cut")]
    Truncated(String),
    /// There is more than was asked for.
    #[error("line {number} was not asked for: {line:?}")]
    More {
        /// The number of the line, from 1.
        number: usize,
        /// The line, shortened.
        line: String,
    },
    /// The exit status says that a variable is not set, and all have values.
    #[error("portageq says that a variable is not set, and all have values")]
    NothingUnset,
}

impl Settings {
    /// Reads what `portageq envvar -v` printed for `names`, and its exit status. A name that is
    /// asked for twice is answered twice.
    ///
    /// # Errors
    ///
    /// See [`EnvvarError`].
    pub fn parse(
        stdout: impl AsRef<[u8]>,
        status: i32,
        names: &[impl AsRef<str>],
    ) -> Result<Self, EnvvarError> {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        if let Some(name) = names.iter().find(|name| !is_name(name)) {
            return Err(EnvvarError::Name(excerpt(name)));
        }
        let stdout = stdout.as_ref();
        if !matches!(status, 0 | 1) || names.is_empty() {
            let words = excerpt(String::from_utf8_lossy(stdout).trim());
            return Err(EnvvarError::Failed { status, words });
        }
        let text = std::str::from_utf8(stdout).map_err(|error| {
            let before = &stdout[..error.valid_up_to()];
            EnvvarError::NotUtf8(1 + memchr::memchr_iter(b'\n', before).count())
        })?;
        let mut values = BTreeMap::new();
        let mut rest = text;
        let mut number = 1;
        for name in names {
            let line = || excerpt(rest.lines().next().unwrap_or_default());
            let wrong = || EnvvarError::Line {
                number,
                name: (*name).to_owned(),
                line: line(),
            };
            let cut = || EnvvarError::Truncated((*name).to_owned());
            if !rest.contains('\n') {
                return Err(cut());
            }
            let word = rest
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('='))
                .ok_or_else(wrong)?;
            let (value, after) = match words::read(word) {
                words::Word::Whole { value, rest } => (value, rest),
                words::Word::Cut => return Err(cut()),
                words::Word::NotQuotedByPortage => return Err(wrong()),
            };
            number +=
                memchr::memchr_iter(b'\n', &rest.as_bytes()[..rest.len() - after.len()]).count();
            values.insert((*name).to_owned(), value);
            rest = after;
        }
        if !rest.is_empty() {
            return Err(EnvvarError::More {
                number,
                line: excerpt(rest.lines().next().unwrap_or_default()),
            });
        }
        let some_are_unset = status == 1;
        if some_are_unset && values.values().all(|value| !value.is_empty()) {
            return Err(EnvvarError::NothingUnset);
        }
        Ok(Self {
            values,
            some_are_unset,
        })
    }

    /// The value of a variable that was asked for; nothing where it is empty or not set. Portage
    /// prints the same for both.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.values.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// Whether at least one of those without a value is not set at all (exit status 1). Portage
    /// before 2.2.28 does not tell.
    #[must_use]
    pub fn some_are_unset(&self) -> bool {
        self.some_are_unset
    }

    /// All that was asked for, sorted by name, empty ones included.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
