//! Which packages a dependency string speaks of, and what of it they satisfy.

use super::{Dependency, EmptyAnyOf, Evaluation, GroupKind, Node, Reduced, Tree};
use crate::atom::{Atom, Candidate};
use crate::name::UseFlag;

/// What a set of packages satisfies of a dependency string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Satisfaction<'a> {
    /// The atoms that hold and count: those of every alternative of `||` that holds as a whole,
    /// and blockers that block nothing. As often as written.
    pub satisfied: Vec<&'a Atom>,
    /// The parts that do not hold: atoms, and `||` groups of which no alternative holds.
    pub missing: Vec<&'a Node<Atom>>,
}

impl Satisfaction<'_> {
    /// Whether the whole string is satisfied.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }
}

impl Dependency {
    /// The atoms that the string reaches, blockers aside: conditions are evaluated with
    /// `enabled`, and all branches of `||` are followed. In the order written, and as often as
    /// written.
    ///
    /// Conditions within an atom (`dev-libs/a[ssl?]`) are not evaluated; see [`Atom::evaluated`].
    pub fn atoms(&self, enabled: impl Fn(&UseFlag) -> bool) -> Vec<&Atom> {
        let mut found = self.leaves(&Evaluation::with_flags(&enabled));
        found.retain(|atom| atom.blocker().is_none());
        found
    }

    /// The blockers that the string reaches; see [`Tree::atoms`].
    pub fn blockers(&self, enabled: impl Fn(&UseFlag) -> bool) -> Vec<&Atom> {
        let mut found = self.leaves(&Evaluation::with_flags(&enabled));
        found.retain(|atom| atom.blocker().is_some());
        found
    }

    /// Those of `packages` that the string reaches: that an atom of [`Tree::atoms`] matches for a
    /// dependant whose flags are `enabled`. In the order of `packages`.
    pub fn reached<'p, 'c>(
        &self,
        packages: &'p [Candidate<'c>],
        enabled: impl Fn(&UseFlag) -> bool,
    ) -> Vec<&'p Candidate<'c>> {
        matching(&self.atoms(&enabled), packages, &enabled)
    }

    /// Those of `packages` that a blocker of the string blocks. In the order of `packages`.
    pub fn blocked<'p, 'c>(
        &self,
        packages: &'p [Candidate<'c>],
        enabled: impl Fn(&UseFlag) -> bool,
    ) -> Vec<&'p Candidate<'c>> {
        matching(&self.blockers(&enabled), packages, &enabled)
    }

    /// What of the string `packages` satisfy, for a dependant that is evaluated as given.
    ///
    /// An atom holds when one of the packages matches it, a blocker when none does.
    #[must_use]
    pub fn satisfaction<'a>(
        &'a self,
        packages: &[Candidate<'_>],
        evaluation: &Evaluation<'_>,
    ) -> Satisfaction<'a> {
        let holds = |atom: &Atom| {
            let evaluated = evaluation.leaf(atom);
            // The written atom knows which flags a candidate has to know; the evaluated one what
            // it wants of them.
            let is_there = packages
                .iter()
                .any(|package| atom.matches(package) && evaluated.matches(package));
            is_there != atom.blocker().is_some()
        };
        let mut satisfaction = Satisfaction {
            satisfied: Vec::new(),
            missing: Vec::new(),
        };
        visit_all(&self.nodes, evaluation, &holds, &mut satisfaction);
        satisfaction
    }
}

impl<L> Tree<L> {
    /// Every leaf that the string reaches, with the branches of all operators followed. In the
    /// order written, and as often as written.
    #[must_use]
    pub fn leaves(&self, evaluation: &Evaluation<'_>) -> Vec<&L> {
        let mut found = Vec::new();
        collect(&self.nodes, evaluation, &mut found);
        found
    }
}

/// The recursion is bounded by the depth of the tree.
fn collect<'a, L>(nodes: &'a [Node<L>], evaluation: &Evaluation<'_>, found: &mut Vec<&'a L>) {
    for node in nodes {
        match node {
            Node::Leaf(leaf) => found.push(leaf),
            Node::Group(kind, nodes) if evaluation.is_active(kind) => {
                collect(nodes, evaluation, found);
            }
            Node::Group(..) => {}
        }
    }
}

fn matching<'p, 'c>(
    atoms: &[&Atom],
    packages: &'p [Candidate<'c>],
    enabled: &impl Fn(&UseFlag) -> bool,
) -> Vec<&'p Candidate<'c>> {
    packages
        .iter()
        .filter(|package| atoms.iter().any(|atom| atom.matches_for(package, enabled)))
        .collect()
}

/// Notes what holds and what does not in `nodes`: how many count, and how many of them hold.
///
/// A group of which nothing counts does not count itself, as in [`Tree::reduce`].
fn visit_all<'a>(
    nodes: &'a [Node<Atom>],
    evaluation: &Evaluation<'_>,
    holds: &impl Fn(&Atom) -> bool,
    found: &mut Satisfaction<'a>,
) -> (usize, usize) {
    let (mut holding, mut total) = (0, 0);
    for node in nodes {
        let node_holds = match node {
            Node::Leaf(atom) => {
                let atom_holds = holds(atom);
                if atom_holds {
                    found.satisfied.push(atom);
                } else {
                    found.missing.push(node);
                }
                Some(atom_holds)
            }
            Node::Group(kind, _) if !evaluation.is_active(kind) => None,
            Node::Group(GroupKind::AnyOf, nodes) => {
                let (satisfied_before, missing_before) =
                    (found.satisfied.len(), found.missing.len());
                let any = visit_any(nodes, evaluation, holds, found);
                // One alternative is enough: what the others lack is not missing.
                found.missing.truncate(missing_before);
                if any == Some(false) {
                    found.satisfied.truncate(satisfied_before);
                    found.missing.push(node);
                }
                any
            }
            Node::Group(kind, nodes) => {
                let (holding, total) = visit_all(nodes, evaluation, holds, found);
                (total > 0).then(|| evaluation.group_holds(kind, holding, total))
            }
        };
        total += usize::from(node_holds.is_some());
        holding += usize::from(node_holds == Some(true));
    }
    (holding, total)
}

/// Whether one of `nodes` holds, if they count; the atoms of those that do not hold are not noted
/// as satisfied.
fn visit_any<'a>(
    nodes: &'a [Node<Atom>],
    evaluation: &Evaluation<'_>,
    holds: &impl Fn(&Atom) -> bool,
    found: &mut Satisfaction<'a>,
) -> Option<bool> {
    let (mut holding, mut total) = (0, 0);
    for node in nodes {
        let satisfied_before = found.satisfied.len();
        let one = std::slice::from_ref(node);
        let (node_holding, node_total) = visit_all(one, evaluation, holds, found);
        if node_holding < node_total {
            found.satisfied.truncate(satisfied_before);
        }
        holding += node_holding;
        total += node_total;
    }
    let counts = total > 0 || evaluation.empty_any_of == EmptyAnyOf::Unsatisfied;
    counts.then_some(holding > 0)
}

impl<L> Reduced<L> {
    /// Whether it holds, with `holds` telling which leaves do.
    pub fn is_satisfied(&self, holds: &impl Fn(&L) -> bool) -> bool {
        let count = |parts: &[Self]| parts.iter().filter(|part| part.is_satisfied(holds)).count();
        match self {
            Self::Leaf(leaf) => holds(leaf),
            Self::Never => false,
            Self::All(parts) => parts.iter().all(|part| part.is_satisfied(holds)),
            Self::AnyOf(parts) => parts.iter().any(|part| part.is_satisfied(holds)),
            Self::ExactlyOneOf(parts) => count(parts) == 1,
            Self::AtMostOneOf(parts) => count(parts) <= 1,
        }
    }
}
