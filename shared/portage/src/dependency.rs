//! Dependency strings: the values of DEPEND, RDEPEND and their kin (PMS 8.2).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::atom::{Atom, AtomError};
use crate::name::{NameError, UseFlag, string_serialization};
use crate::text::excerpt;

/// How deep brackets may be nested. The deepest in the Gentoo repository are below ten.
pub const MAXIMUM_DEPTH: usize = 100;

/// A dependency string as a tree.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dependency {
    /// All of these are needed.
    pub nodes: Vec<Node>,
}

/// One part of a dependency string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A package, or a blocker.
    Atom(Atom),
    /// A group in brackets.
    Group(GroupKind, Vec<Node>),
}

/// What a group in brackets means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupKind {
    /// `( … )`: all of it.
    All,
    /// `|| ( … )`: at least one part of it.
    AnyOf,
    /// `^^ ( … )`: exactly one part of it.
    ExactlyOneOf,
    /// `?? ( … )`: at most one part of it.
    AtMostOneOf,
    /// `flag? ( … )`: all of it, if the flag is enabled.
    IfEnabled(UseFlag),
    /// `!flag? ( … )`: all of it, if the flag is disabled.
    IfDisabled(UseFlag),
}

impl GroupKind {
    /// Whether the group takes part, with `enabled` telling which flags are.
    fn is_active(&self, enabled: &impl Fn(&UseFlag) -> bool) -> bool {
        match self {
            Self::IfEnabled(flag) => enabled(flag),
            Self::IfDisabled(flag) => !enabled(flag),
            Self::All | Self::AnyOf | Self::ExactlyOneOf | Self::AtMostOneOf => true,
        }
    }
}

/// A text that is not a dependency string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("word {word} of the dependency string is wrong: {cause}")]
pub struct DependencyError {
    /// Which word is wrong, from 1; one more than there are where the end comes too early.
    pub word: usize,
    /// What is wrong with it.
    #[source]
    pub cause: DependencyErrorCause,
}

/// What is wrong with a word of a dependency string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DependencyErrorCause {
    /// It is neither bracket nor operator, and not an atom.
    #[error(transparent)]
    Atom(#[from] AtomError),
    /// The flag of a condition is not valid.
    #[error(transparent)]
    Flag(#[from] NameError),
    /// An operator or a condition is not followed by a group in brackets.
    #[error("{0:?} is not followed by an opening bracket")]
    NoGroup(String),
    /// A bracket is closed that was not opened.
    #[error("the bracket was not opened")]
    NotOpened,
    /// A bracket is not closed.
    #[error("{0} brackets are not closed at the end")]
    NotClosed(usize),
    /// The brackets are nested too deeply.
    #[error("brackets are nested deeper than {MAXIMUM_DEPTH}")]
    TooDeep,
}

impl FromStr for Dependency {
    type Err = DependencyError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        // The groups that are open, with what they hold so far. The first is the string itself.
        let mut open: Vec<(GroupKind, Vec<Node>)> = vec![(GroupKind::All, Vec::new())];
        // An operator or a condition whose bracket has to follow.
        let mut pending: Option<(GroupKind, &str)> = None;
        let mut words = 0;
        for text in input.split_ascii_whitespace() {
            words += 1;
            let fail = |cause| DependencyError { word: words, cause };
            if text == "(" {
                if open.len() > MAXIMUM_DEPTH {
                    return Err(fail(DependencyErrorCause::TooDeep));
                }
                let kind = prop::sample::select(vec!["", "|| ", "^^ ", "?? ", "a? ", "!b? "]);
            (kind, prop::collection::vec(inner, 0..4))
                .prop_map(|(kind, parts)| format!("{kind}( {} )", parts.join(" ")))
        })
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(text in trees()) {
            let parsed: Dependency = text.parse().unwrap();
            let printed = parsed.to_string();
            prop_assert_eq!(printed.parse::<Dependency>().unwrap(), parsed);
            prop_assert_eq!(
                printed.split_whitespace().collect::<Vec<_>>(),
                text.split_whitespace().collect::<Vec<_>>()
            );
        }

        #[test]
        fn no_text_panics(text in "([()|?!a-b/ ]|\\|\\| |\\( ){0,40}") {
            let _ = text.parse::<Dependency>();
        }
    }
}
