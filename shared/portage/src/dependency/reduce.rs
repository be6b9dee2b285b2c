//! A dependency string without its conditions: Portage's `use_reduce` (`portage/dep/__init__.py`).

use std::fmt;

use super::{EmptyAnyOf, Evaluation, GroupKind, Leaf, Node, Tree, write_group};

/// A part of a dependency string in which the conditions are evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reduced<L> {
    /// An atom, or whatever else the variable holds.
    Leaf(L),
    /// All of these. Stands within another group only.
    All(Vec<Reduced<L>>),
    /// At least one of these.
    AnyOf(Vec<Reduced<L>>),
    /// Exactly one of these.
    ExactlyOneOf(Vec<Reduced<L>>),
    /// At most one of these.
    AtMostOneOf(Vec<Reduced<L>>),
    /// What is never satisfied: an any-of group in EAPI 7 and later of which no part is left
    /// (PMS 8.2.3). Portage's `__const__/empty-any-of`.
    Never,
}

impl<L: Leaf> Tree<L> {
    /// Evaluates the conditions, and drops the brackets that mean nothing then.
    ///
    /// Groups that are left are dissolved into what is around them, an any-of group of one part
    /// into this part, an any-of group within another one into that one. The result has the
    /// structure of Portage's `use_reduce`: where that has `"||", [a, [b, c]]`, there is
    /// `AnyOf([Leaf(a), All([Leaf(b), Leaf(c)])])`.
    ///
    /// ```
    /// use gentoo_updater_portage::dependency::{Dependency, Evaluation};
    ///
    /// let text = "ssl? ( a/a[x?] ) !ssl? ( b/b ) || ( ( c/c d/d ) || ( e/e x? ( f/f ) ) )";
    /// let dependency: Dependency = text.parse()?;
    /// let reduced = dependency.reduce(&Evaluation::with_flags(&|flag| flag.as_str() == "ssl"));
    /// let printed: Vec<String> = reduced.iter().map(ToString::to_string).collect();
    /// assert_eq!(printed, ["a/a", "|| ( ( c/c d/d ) e/e )"]);
    /// # Ok::<(), gentoo_updater_portage::dependency::DependencyError>(())
    /// ```
    #[must_use]
    pub fn reduce(&self, evaluation: &Evaluation<'_>) -> Vec<Reduced<L>> {
        sequence(&self.nodes, evaluation, Brackets::Dissolved)
    }
}

/// What becomes of the brackets around the only alternative of an any-of group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Brackets {
    /// They go. So everywhere but within another any-of group.
    Dissolved,
    /// They stay, as Portage leaves them there.
    Kept,
}

/// All of `nodes`. The recursion is bounded by the depth of the tree.
fn sequence<L: Leaf>(
    nodes: &[Node<L>],
    evaluation: &Evaluation<'_>,
    brackets: Brackets,
) -> Vec<Reduced<L>> {
    let mut found = Vec::new();
    for node in nodes {
        let (kind, nodes) = match node {
            Node::Leaf(leaf) => {
                found.push(Reduced::Leaf(evaluation.leaf(leaf)));
                continue;
            }
            Node::Group(kind, nodes) => (kind, nodes),
        };
        match kind {
            GroupKind::All | GroupKind::IfEnabled(_) | GroupKind::IfDisabled(_) => {
                if evaluation.is_active(kind) {
                    found.append(&mut sequence(nodes, evaluation, brackets));
                }
            }
            GroupKind::AnyOf => {
                let mut parts = alternatives(nodes, evaluation);
                match (parts.pop(), parts.is_empty()) {
                    (None, _) => found.extend(empty_any_of(evaluation)),
                    (Some(Reduced::All(mut all)), true) if brackets == Brackets::Dissolved => {
                        found.append(&mut all);
                    }
                    (Some(only), true) => found.push(only),
                    (Some(last), false) => {
                        parts.push(last);
                        found.push(Reduced::AnyOf(parts));
                    }
                }
            }
            GroupKind::ExactlyOneOf => found.push(Reduced::ExactlyOneOf(parts(nodes, evaluation))),
            GroupKind::AtMostOneOf => found.push(Reduced::AtMostOneOf(parts(nodes, evaluation))),
        }
    }
    found
}

/// The parts of an any-of group.
fn alternatives<L: Leaf>(nodes: &[Node<L>], evaluation: &Evaluation<'_>) -> Vec<Reduced<L>> {
    let mut found = Vec::new();
    for node in nodes {
        if let Node::Group(GroupKind::AnyOf, nodes) = node {
            let mut nested = alternatives(nodes, evaluation);
            if nested.is_empty() {
                // In brackets of its own: this is where Portage leaves them.
                found.extend(empty_any_of(evaluation).map(|never| Reduced::All(vec![never])));
            }
            found.append(&mut nested);
            continue;
        }
        match part(node, evaluation) {
            Some(Reduced::AnyOf(mut nested)) => found.append(&mut nested),
            other => found.extend(other),
        }
    }
    found
}

/// The parts of a group that counts them.
fn parts<L: Leaf>(nodes: &[Node<L>], evaluation: &Evaluation<'_>) -> Vec<Reduced<L>> {
    nodes
        .iter()
        .filter_map(|node| part(node, evaluation))
        .collect()
}

/// One part of a group; nothing, where its conditions are not met.
fn part<L: Leaf>(node: &Node<L>, evaluation: &Evaluation<'_>) -> Option<Reduced<L>> {
    let mut found = sequence(std::slice::from_ref(node), evaluation, Brackets::Kept);
    let last = found.pop()?;
    if found.is_empty() {
        return Some(last);
    }
    found.push(last);
    Some(Reduced::All(found))
}

fn empty_any_of<L>(evaluation: &Evaluation<'_>) -> Option<Reduced<L>> {
    (evaluation.empty_any_of == EmptyAnyOf::Unsatisfied).then_some(Reduced::Never)
}

/// As Portage writes it into the metadata of a built package; [`Reduced::Never`] as `|| ( )`.
impl<L: fmt::Display> fmt::Display for Reduced<L> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, parts) = match self {
            Self::Leaf(leaf) => return write!(formatter, "{leaf}"),
            Self::Never => return formatter.write_str("|| ( )"),
            Self::All(parts) => (GroupKind::All, parts),
            Self::AnyOf(parts) => (GroupKind::AnyOf, parts),
            Self::ExactlyOneOf(parts) => (GroupKind::ExactlyOneOf, parts),
            Self::AtMostOneOf(parts) => (GroupKind::AtMostOneOf, parts),
        };
        write!(formatter, "{kind}")?;
        write_group(parts, formatter)
    }
}

impl<L: fmt::Display> Reduced<L> {
    /// What [`Tree::reduce`] gave as one dependency string again.
    ///
    /// It parses again unless it holds [`Reduced::Never`], which no string can say.
    #[must_use]
    pub fn text_of(parts: &[Self]) -> String {
        let texts: Vec<String> = parts.iter().map(ToString::to_string).collect();
        texts.join(" ")
    }
}
