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
                let kind = pending.take().map_or(GroupKind::All, |(kind, _)| kind);
                open.push((kind, Vec::new()));
                continue;
            }
            if let Some((_, operator)) = pending {
                return Err(fail(DependencyErrorCause::NoGroup(excerpt(operator))));
            }
            if text == ")" {
                let closed = if open.len() > 1 { open.pop() } else { None };
                let Some((kind, nodes)) = closed else {
                    return Err(fail(DependencyErrorCause::NotOpened));
                };
                append(&mut open, Node::Group(kind, nodes));
            } else if let Some(kind) = group_kind(text).map_err(|error| fail(error.into()))? {
                pending = Some((kind, text));
            } else {
                let atom = text.parse::<Atom>().map_err(|error| fail(error.into()))?;
                append(&mut open, Node::Atom(atom));
            }
        }
        let fail = |cause| DependencyError {
            word: words + 1,
            cause,
        };
        if let Some((_, operator)) = pending {
            return Err(fail(DependencyErrorCause::NoGroup(excerpt(operator))));
        }
        match open.pop() {
            Some((_, nodes)) if open.is_empty() => Ok(Self { nodes }),
            _ => Err(fail(DependencyErrorCause::NotClosed(open.len()))),
        }
    }
}

fn append(open: &mut [(GroupKind, Vec<Node>)], node: Node) {
    if let Some((_, nodes)) = open.last_mut() {
        nodes.push(node);
    }
}

/// What a word says about the group that follows, if it does.
fn group_kind(word: &str) -> Result<Option<GroupKind>, NameError> {
    Ok(Some(match word {
        "||" => GroupKind::AnyOf,
        "^^" => GroupKind::ExactlyOneOf,
        "??" => GroupKind::AtMostOneOf,
        _ => match word.strip_suffix('?') {
            None => return Ok(None),
            Some(flag) => match flag.strip_prefix('!') {
                None => GroupKind::IfEnabled(flag.parse()?),
                Some(flag) => GroupKind::IfDisabled(flag.parse()?),
            },
        },
    }))
}

impl Dependency {
    /// The packages that the string reaches, blockers aside: conditions are evaluated with
    /// `enabled`, and all branches of `||` and its kin are followed. In the order written, and as
    /// often as written.
    ///
    /// Conditions within an atom (`dev-libs/a[ssl?]`) are not evaluated.
    pub fn atoms(&self, enabled: impl Fn(&UseFlag) -> bool) -> Vec<&Atom> {
        let mut found = self.active(&enabled);
        found.retain(|atom| atom.blocker().is_none());
        found
    }

    /// The blockers that the string reaches; see [`Dependency::atoms`].
    pub fn blockers(&self, enabled: impl Fn(&UseFlag) -> bool) -> Vec<&Atom> {
        let mut found = self.active(&enabled);
        found.retain(|atom| atom.blocker().is_some());
        found
    }

    fn active(&self, enabled: &impl Fn(&UseFlag) -> bool) -> Vec<&Atom> {
        let mut found = Vec::new();
        collect(&self.nodes, enabled, &mut found);
        found
    }
}

/// Recursion is bounded by [`MAXIMUM_DEPTH`].
fn collect<'a>(nodes: &'a [Node], enabled: &impl Fn(&UseFlag) -> bool, found: &mut Vec<&'a Atom>) {
    for node in nodes {
        match node {
            Node::Atom(atom) => found.push(atom),
            Node::Group(kind, nodes) if kind.is_active(enabled) => collect(nodes, enabled, found),
            Node::Group(..) => {}
        }
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_nodes(&self.nodes, formatter)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, nodes) = match self {
            Self::Atom(atom) => return write!(formatter, "{atom}"),
            Self::Group(kind, nodes) => (kind, nodes),
        };
        match kind {
            GroupKind::All => {}
            GroupKind::AnyOf => formatter.write_str("|| ")?,
            GroupKind::ExactlyOneOf => formatter.write_str("^^ ")?,
            GroupKind::AtMostOneOf => formatter.write_str("?? ")?,
            GroupKind::IfEnabled(flag) => write!(formatter, "{flag}? ")?,
            GroupKind::IfDisabled(flag) => write!(formatter, "!{flag}? ")?,
        }
        formatter.write_str("( ")?;
        write_nodes(nodes, formatter)?;
        formatter.write_str(if nodes.is_empty() { ")" } else { " )" })
    }
}

fn write_nodes(nodes: &[Node], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, node) in nodes.iter().enumerate() {
        let separator = if index == 0 { "" } else { " " };
        write!(formatter, "{separator}{node}")?;
    }
    Ok(())
}

string_serialization!(Dependency, DependencyError);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reached(text: &str, enabled: &[&str]) -> String {
        let dependency: Dependency = text.parse().unwrap();
        let atoms = dependency.atoms(|flag| enabled.contains(&flag.as_str()));
        atoms
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn conditions_are_evaluated_and_alternatives_all_followed() {
        let text = "a/a:= ssl? ( b/b !c/c || ( d/d ( e/e nls? ( f/f ) ) ) ) !ssl? ( g/g ) !!h/h";
        assert_eq!(reached(text, &[]), "a/a:= g/g");
        assert_eq!(reached(text, &["ssl"]), "a/a:= b/b d/d e/e");
        assert_eq!(reached(text, &["ssl", "nls"]), "a/a:= b/b d/d e/e f/f");
        let dependency: Dependency = text.parse().unwrap();
        assert_eq!(dependency.blockers(|_| true).len(), 2);
        assert_eq!(dependency.blockers(|_| false).len(), 1);
    }

    #[test]
    fn nothing_is_no_dependency() {
        for text in ["", " ", "\n\t "] {
            assert_eq!(text.parse::<Dependency>().unwrap(), Dependency::default());
        }
        assert_eq!(reached("|| ( ) a? ( ) ( )", &["a"]), "");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, words) in [
            (
                "a/a )",
                "word 2 of the dependency string is wrong: the bracket was not opened",
            ),
            ("( a/a", "1 brackets are not closed"),
            ("|| a/a", "\"||\" is not followed"),
            (
                "a/a ssl?",
                "word 3 of the dependency string is wrong: \"ssl?\" is not followed",
            ),
            ("ssl? || ( a/a )", "\"ssl?\" is not followed"),
            ("||( a/a )", "not a valid package atom"),
            ("(a/a)", "not a valid package atom"),
            ("a/a;touch", "not a valid package name"),
            ("!? ( a/a )", "not a valid USE flag"),
            ("|| )", "\"||\" is not followed"),
            (">=a/a", "not a valid"),
        ] {
            let error = text.parse::<Dependency>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_megabyte_of_brackets_is_a_clear_error() {
        let deep = "( ".repeat(500_000);
        let error = deep.parse::<Dependency>().unwrap_err();
        assert_eq!(error.cause, DependencyErrorCause::TooDeep);
        assert_eq!(error.word, MAXIMUM_DEPTH + 1);
        let wide = "( ) ".repeat(250_000);
        assert_eq!(wide.parse::<Dependency>().unwrap().nodes.len(), 250_000);
        let deepest = format!(
            "{}a/a {}",
            "( ".repeat(MAXIMUM_DEPTH),
            ") ".repeat(MAXIMUM_DEPTH)
        );
        assert_eq!(reached(&deepest, &[]), "a/a");
    }

    fn trees() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec!["a/a", "!b/b", ">=c/c-1:0/2=", "d/d[x?,-y(+)]"])
            .prop_map(String::from);
        leaf.prop_recursive(5, 40, 4, |inner| {
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
