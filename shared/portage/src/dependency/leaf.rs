//! What can stand at the leaves of a dependency string, variable by variable (PMS 8.2).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::DependencyErrorCause;
use crate::atom::Atom;
use crate::name::{Alphabet, NameError, UseFlag, check_characters, validated_string};

/// A leaf of a dependency string, and what its variable permits around it.
pub trait Leaf: Clone + PartialEq + fmt::Display {
    /// Whether `||` is permitted.
    const ANY_OF: bool = false;
    /// Whether `^^` and `??` are permitted.
    const EXACTLY_ONE_OF: bool = false;
    /// Whether a group may hold nothing. PMS wants one item at least, and so does Portage but in
    /// REQUIRED_USE, where eclasses that write it leave empty groups behind.
    const EMPTY_GROUPS: bool = false;

    /// Reads one word which is no operator, no condition and no bracket.
    ///
    /// # Errors
    ///
    /// The word is not such a leaf.
    fn read(word: &str) -> Result<Self, DependencyErrorCause>;

    /// The leaf with the file name which follows it after `->`.
    ///
    /// # Errors
    ///
    /// Only SRC_URI permits that, and only a name without a slash.
    fn named(self, _file_name: &str) -> Result<Self, DependencyErrorCause> {
        Err(DependencyErrorCause::NotPermitted("->"))
    }

    /// The leaf with the conditions inside of it evaluated; see [`Atom::evaluated`].
    #[must_use]
    fn evaluated(&self, _enabled: &dyn Fn(&UseFlag) -> bool) -> Self {
        self.clone()
    }
}

impl Leaf for Atom {
    const ANY_OF: bool = true;

    fn read(word: &str) -> Result<Self, DependencyErrorCause> {
        Ok(word.parse()?)
    }

    fn evaluated(&self, enabled: &dyn Fn(&UseFlag) -> bool) -> Self {
        Self::evaluated(self, enabled)
    }
}

/// A flag that REQUIRED_USE wants enabled, `flag`, or disabled, `!flag`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlagState {
    /// The flag.
    pub flag: UseFlag,
    /// Whether it is to be enabled.
    pub is_enabled: bool,
}

impl std::str::FromStr for FlagState {
    type Err = NameError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        let (flag, is_enabled) = match input.strip_prefix('!') {
            Some(flag) => (flag, false),
            None => (input, true),
        };
        Ok(Self {
            flag: flag.parse()?,
            is_enabled,
        })
    }
}

impl fmt::Display for FlagState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.is_enabled { "" } else { "!" };
        write!(formatter, "{prefix}{}", self.flag)
    }
}

impl Leaf for FlagState {
    const ANY_OF: bool = true;
    const EXACTLY_ONE_OF: bool = true;
    const EMPTY_GROUPS: bool = true;

    fn read(word: &str) -> Result<Self, DependencyErrorCause> {
        Ok(word.parse()?)
    }
}

/// The name of a licence, as `GPL-2+`.
///
/// PMS 3.1.7: `[A-Za-z0-9+_.-]`, and it does not begin with a hyphen, a dot or a plus sign.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LicenseName(String);

impl LicenseName {
    fn check(input: &str) -> Result<(), NameError> {
        let refuse = |rule| Err(NameError::new("licence name", input, rule));
        check_characters(input, const { &Alphabet::with(b"+_.-") }, b"-.+").or_else(refuse)
    }
}

validated_string!(LicenseName, NameError);

impl Leaf for LicenseName {
    const ANY_OF: bool = true;

    fn read(word: &str) -> Result<Self, DependencyErrorCause> {
        Ok(word.parse()?)
    }
}

/// A word of RESTRICT or PROPERTIES, as `fetch` or `interactive`.
///
/// PMS (7.3.5, 7.3.6) lists words and wants unknown ones ignored, without an alphabet for them;
/// here it is that of licence names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RestrictToken(String);

impl RestrictToken {
    fn check(input: &str) -> Result<(), NameError> {
        let refuse = |rule| Err(NameError::new("word of RESTRICT", input, rule));
        check_characters(input, const { &Alphabet::with(b"+_.-") }, b"-.+").or_else(refuse)
    }
}

validated_string!(RestrictToken, NameError);

impl Leaf for RestrictToken {
    fn read(word: &str) -> Result<Self, DependencyErrorCause> {
        Ok(word.parse()?)
    }
}

/// One source file, as `mirror://gnu/a.tar.gz` or `https://host/v1.tgz -> a-1.tgz` (PMS 8.2).
///
/// The text is not checked further and belongs on no command line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceUri {
    uri: String,
    file_name: Option<String>,
}

impl SourceUri {
    /// The URI, with `fetch+` or `mirror+` before it where that is written; or a bare file name.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The name to store it under, where one is written.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }
}

impl fmt::Display for SourceUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file_name {
            Some(name) => write!(formatter, "{} -> {name}", self.uri),
            None => formatter.write_str(&self.uri),
        }
    }
}

impl Leaf for SourceUri {
    fn read(word: &str) -> Result<Self, DependencyErrorCause> {
        Ok(Self {
            uri: word.to_owned(),
            file_name: None,
        })
    }

    fn named(self, file_name: &str) -> Result<Self, DependencyErrorCause> {
        if self.file_name.is_some() || file_name.contains('/') {
            return Err(DependencyErrorCause::NotOneFileName);
        }
        Ok(Self {
            file_name: Some(file_name.to_owned()),
            ..self
        })
    }
}
