//! Dependency strings: DEPEND and its kin, REQUIRED_USE, LICENSE, RESTRICT, SRC_URI (PMS 8.2).
//!
//! They share one grammar and differ in what stands at the leaves and in the operators that they
//! permit, so there is one tree, [`Tree`], generic over its [`Leaf`]. PMS gives, with `item`
//! separated by white space:
//!
//! ```text
//! item      = leaf | [ operator | condition ] "(" item+ ")"
//! operator  = "||" | "^^" | "??"
//! condition = [ "!" ] flag "?"
//! ```
//!
//! [`Tree::reduce`] evaluates the conditions as Portage's `use_reduce` does;
//! [`Tree::satisfaction`] says what a set of packages satisfies, and [`Tree::reached`] which of
//! them a string speaks of; [`Tree::unsatisfied`] is REQUIRED_USE's `check_required_use`.

mod evaluate;
mod leaf;
mod parse;
mod reach;
mod reduce;
mod required_use;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::atom::Atom;
use crate::name::UseFlag;

pub use evaluate::{Conditions, EmptyAnyOf, Evaluation};
pub use leaf::{FlagState, Leaf, LicenseName, RestrictToken, SourceUri};
pub use parse::{DependencyError, DependencyErrorCause, MAXIMUM_DEPTH, words};
pub use reach::Satisfaction;
pub use reduce::Reduced;
pub use required_use::UnknownFlag;

/// The value of DEPEND, RDEPEND, BDEPEND, PDEPEND or IDEPEND.
pub type Dependency = Tree<Atom>;
/// The value of REQUIRED_USE (PMS 7.3.4).
pub type RequiredUse = Tree<FlagState>;
/// The value of LICENSE (PMS 7.3).
pub type License = Tree<LicenseName>;
/// The value of RESTRICT (PMS 7.3.6) or PROPERTIES (PMS 7.3.5).
pub type Restrict = Tree<RestrictToken>;
/// The value of SRC_URI (PMS 7.3.2).
pub type SourceUris = Tree<SourceUri>;

/// A dependency string as a tree: all of its nodes are needed.
///
/// It comes from parsing alone, so it is never deeper than [`MAXIMUM_DEPTH`], which bounds every
/// recursion over it, and printing and parsing are inverse (but for the kind and amount of white
/// space).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree<L> {
    nodes: Vec<Node<L>>,
}

/// One part of a dependency string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node<L> {
    /// What stands outside of brackets and is no operator: an atom, in a dependency.
    Leaf(L),
    /// A group in brackets.
    Group(GroupKind, Vec<Node<L>>),
}

/// What a group in brackets means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupKind {
    /// `( … )`: all of it (PMS 8.2.1).
    All,
    /// `|| ( … )`: at least one part of it (PMS 8.2.3).
    AnyOf,
    /// `^^ ( … )`: exactly one part of it (PMS 8.2.4). In REQUIRED_USE only.
    ExactlyOneOf,
    /// `?? ( … )`: at most one part of it (PMS 8.2.5). In REQUIRED_USE only.
    AtMostOneOf,
    /// `flag? ( … )`: all of it, if the flag is enabled (PMS 8.2.2).
    IfEnabled(UseFlag),
    /// `!flag? ( … )`: all of it, if the flag is disabled (PMS 8.2.2).
    IfDisabled(UseFlag),
}

impl<L> Tree<L> {
    /// The parts of the string, in the order written.
    #[must_use]
    pub fn nodes(&self) -> &[Node<L>] {
        &self.nodes
    }

    /// Whether the string is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

impl<L> Default for Tree<L> {
    /// The empty string, which asks for nothing.
    fn default() -> Self {
        Self { nodes: Vec::new() }
    }
}

impl<L: fmt::Display> fmt::Display for Tree<L> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_separated(&self.nodes, formatter)
    }
}

impl<L: fmt::Display> fmt::Display for Node<L> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(leaf) => write!(formatter, "{leaf}"),
            Self::Group(kind, nodes) => {
                write!(formatter, "{kind}")?;
                write_group(nodes, formatter)
            }
        }
    }
}

/// What stands before the opening bracket, with a space after it; nothing for [`GroupKind::All`].
impl fmt::Display for GroupKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => Ok(()),
            Self::AnyOf => formatter.write_str("|| "),
            Self::ExactlyOneOf => formatter.write_str("^^ "),
            Self::AtMostOneOf => formatter.write_str("?? "),
            Self::IfEnabled(flag) => write!(formatter, "{flag}? "),
            Self::IfDisabled(flag) => write!(formatter, "!{flag}? "),
        }
    }
}

fn write_group<T: fmt::Display>(items: &[T], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    formatter.write_str("( ")?;
    write_separated(items, formatter)?;
    formatter.write_str(if items.is_empty() { ")" } else { " )" })
}

fn write_separated<T: fmt::Display>(
    items: &[T],
    formatter: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        let separator = if index == 0 { "" } else { " " };
        write!(formatter, "{separator}{item}")?;
    }
    Ok(())
}

impl<L: Leaf> TryFrom<String> for Tree<L> {
    type Error = DependencyError;

    fn try_from(input: String) -> Result<Self, Self::Error> {
        input.parse()
    }
}

impl<L: Leaf> TryFrom<&str> for Tree<L> {
    type Error = DependencyError;

    fn try_from(input: &str) -> Result<Self, Self::Error> {
        input.parse()
    }
}

impl<L: fmt::Display> From<Tree<L>> for String {
    fn from(value: Tree<L>) -> Self {
        value.to_string()
    }
}

impl<L: fmt::Display> Serialize for Tree<L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, L: Leaf> Deserialize<'de> for Tree<L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
