//! Reading a dependency string.

use std::str::FromStr;

use super::{GroupKind, Leaf, Node, Tree};
use crate::atom::AtomError;
use crate::name::NameError;
use crate::text::excerpt;

/// How deep brackets may be nested. The deepest in the Gentoo repository are below ten.
pub const MAXIMUM_DEPTH: usize = 100;

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
    /// A flag, the name of a licence or another name is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The operator is not permitted in this variable (PMS 8.2).
    #[error("{0:?} is not permitted in this variable")]
    NotPermitted(&'static str),
    /// An operator or a condition is not followed by a group in brackets.
    #[error("{0:?} is not followed by an opening bracket")]
    NoGroup(String),
    /// A group holds nothing.
    #[error("the group in brackets is empty")]
    EmptyGroup,
    /// A bracket is closed that was not opened.
    #[error("the bracket was not opened")]
    NotOpened,
    /// A bracket is not closed.
    #[error("{0} brackets are not closed at the end")]
    NotClosed(usize),
    /// The brackets are nested too deeply.
    #[error("brackets are nested deeper than {MAXIMUM_DEPTH}")]
    TooDeep,
    /// `->` does not stand between one URI and one file name.
    #[error("\"->\" has to stand between a URI and a file name without a slash")]
    NotOneFileName,
}

/// The words of a dependency string, which [`DependencyError::word`] counts.
///
/// They are separated by what Python's `str.split()`, and so Portage, splits at.
pub fn words(input: &str) -> impl Iterator<Item = &str> {
    let is_separator = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    input.split(is_separator).filter(|word| !word.is_empty())
}

impl<L: Leaf> FromStr for Tree<L> {
    type Err = DependencyError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        let mut reader = Reader {
            open: vec![(GroupKind::All, Vec::new())],
            expected: Expected::Any,
        };
        let mut word = 0;
        for text in words(input) {
            word += 1;
            reader
                .read(text)
                .map_err(|cause| DependencyError { word, cause })?;
        }
        word += 1;
        reader
            .end()
            .map_err(|cause| DependencyError { word, cause })
    }
}

/// What the next word has to be.
enum Expected<'a> {
    /// Anything; a file name after `->` only if the last word was a leaf.
    Any,
    /// Anything, or `->`.
    AnyOrArrow,
    /// The bracket after an operator or a condition, which is given.
    Group(GroupKind, &'a str),
    /// The file name after `->`.
    FileName,
}

struct Reader<'a, L> {
    /// The groups that are open, with what they hold so far. The first is the string itself.
    open: Vec<(GroupKind, Vec<Node<L>>)>,
    expected: Expected<'a>,
}

impl<'a, L: Leaf> Reader<'a, L> {
    fn read(&mut self, word: &'a str) -> Result<(), DependencyErrorCause> {
        match std::mem::replace(&mut self.expected, Expected::Any) {
            Expected::Group(kind, _) if word == "(" => return self.open_group(kind),
            Expected::Group(_, operator) => {
                return Err(DependencyErrorCause::NoGroup(excerpt(operator)));
            }
            Expected::FileName if matches!(word, "(" | ")" | "->") || is_operator(word) => {
                return Err(DependencyErrorCause::NotOneFileName);
            }
            Expected::FileName => return self.name_last(word),
            Expected::AnyOrArrow if word == "->" => {
                self.expected = Expected::FileName;
                return Ok(());
            }
            Expected::Any if word == "->" => return Err(DependencyErrorCause::NotOneFileName),
            Expected::Any | Expected::AnyOrArrow => {}
        }
        match word {
            "(" => return self.open_group(GroupKind::All),
            ")" => return self.close_group(),
            _ => {}
        }
        if let Some(kind) = group_kind::<L>(word)? {
            self.expected = Expected::Group(kind, word);
        } else {
            let leaf = L::read(word)?;
            self.append(Node::Leaf(leaf));
            self.expected = Expected::AnyOrArrow;
        }
        Ok(())
    }

    fn open_group(&mut self, kind: GroupKind) -> Result<(), DependencyErrorCause> {
        if self.open.len() > MAXIMUM_DEPTH {
            return Err(DependencyErrorCause::TooDeep);
        }
        self.open.push((kind, Vec::new()));
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), DependencyErrorCause> {
        let closed = if self.open.len() > 1 {
            self.open.pop()
        } else {
            None
        };
        let (kind, nodes) = closed.ok_or(DependencyErrorCause::NotOpened)?;
        if nodes.is_empty() && !L::EMPTY_GROUPS {
            return Err(DependencyErrorCause::EmptyGroup);
        }
        self.append(Node::Group(kind, nodes));
        Ok(())
    }

    /// Gives the leaf that was read last its file name.
    fn name_last(&mut self, file_name: &str) -> Result<(), DependencyErrorCause> {
        let last = self.open.last_mut().and_then(|(_, nodes)| nodes.pop());
        let Some(Node::Leaf(leaf)) = last else {
            return Err(DependencyErrorCause::NotOneFileName);
        };
        let leaf = leaf.named(file_name)?;
        self.append(Node::Leaf(leaf));
        Ok(())
    }

    fn append(&mut self, node: Node<L>) {
        if let Some((_, nodes)) = self.open.last_mut() {
            nodes.push(node);
        }
    }

    fn end(mut self) -> Result<Tree<L>, DependencyErrorCause> {
        match self.expected {
            Expected::Group(_, operator) => {
                return Err(DependencyErrorCause::NoGroup(excerpt(operator)));
            }
            Expected::FileName => return Err(DependencyErrorCause::NotOneFileName),
            Expected::Any | Expected::AnyOrArrow => {}
        }
        match self.open.pop() {
            Some((_, nodes)) if self.open.is_empty() => Ok(Tree { nodes }),
            _ => Err(DependencyErrorCause::NotClosed(self.open.len())),
        }
    }
}

/// Whether a word stands before a group.
fn is_operator(word: &str) -> bool {
    matches!(word, "||" | "^^") || word.ends_with('?')
}

/// What a word says about the group that follows, if it does.
fn group_kind<L: Leaf>(word: &str) -> Result<Option<GroupKind>, DependencyErrorCause> {
    let permitted = |operator, is_permitted, kind| {
        if is_permitted {
            Ok(Some(kind))
        } else {
            Err(DependencyErrorCause::NotPermitted(operator))
        }
    };
    match word {
        "||" => return permitted("||", L::ANY_OF, GroupKind::AnyOf),
        "^^" => return permitted("^^", L::EXACTLY_ONE_OF, GroupKind::ExactlyOneOf),
        "??" => return permitted("??", L::EXACTLY_ONE_OF, GroupKind::AtMostOneOf),
        _ => {}
    }
    Ok(match word.strip_suffix('?') {
        None => None,
        Some(flag) => Some(match flag.strip_prefix('!') {
            None => GroupKind::IfEnabled(flag.parse()?),
            Some(flag) => GroupKind::IfDisabled(flag.parse()?),
        }),
    })
}
