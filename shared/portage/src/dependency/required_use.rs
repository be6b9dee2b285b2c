//! REQUIRED_USE: which flags go together (PMS 7.3.4, 8.2).

use super::{Evaluation, FlagState, GroupKind, Node, RequiredUse};
use crate::name::UseFlag;

/// A flag that is named and is not one of the package's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the USE flag {flag} is not in IUSE")]
pub struct UnknownFlag {
    /// The flag.
    pub flag: UseFlag,
}

impl RequiredUse {
    /// The parts of the string that do not hold, outermost first; none where it is satisfied.
    ///
    /// `known` tells whether a flag is one of the package's (IUSE_EFFECTIVE). The answer is that
    /// of Portage's `check_required_use`: a group without parts, be it empty or all of its
    /// conditions not met, counts for nothing around it; what `||` and `^^` without parts count
    /// for says the EAPI (`evaluation.empty_any_of`).
    ///
    /// # Errors
    ///
    /// A flag is named, anywhere, that is not known.
    ///
    /// ```
    /// use gentoo_updater_portage::dependency::{Evaluation, RequiredUse};
    ///
    /// let required: RequiredUse = "^^ ( qt gtk ) doc? ( python )".parse()?;
    /// let enabled = |flag: &gentoo_updater_portage::name::UseFlag| flag.as_str() != "python";
    /// let unsatisfied = required.unsatisfied(&Evaluation::with_flags(&enabled), |_| true)?;
    /// let printed: Vec<String> = unsatisfied.iter().map(ToString::to_string).collect();
    /// assert_eq!(printed, ["^^ ( qt gtk )", "doc? ( python )"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unsatisfied(
        &self,
        evaluation: &Evaluation<'_>,
        known: impl Fn(&UseFlag) -> bool,
    ) -> Result<Vec<&Node<FlagState>>, UnknownFlag> {
        check_flags(&self.nodes, &known)?;
        Ok(self
            .nodes
            .iter()
            .filter(|node| value(node, evaluation) == Some(false))
            .collect())
    }
}

fn check_flags(
    nodes: &[Node<FlagState>],
    known: &impl Fn(&UseFlag) -> bool,
) -> Result<(), UnknownFlag> {
    for node in nodes {
        let flag = match node {
            Node::Leaf(leaf) => Some(&leaf.flag),
            Node::Group(GroupKind::IfEnabled(flag) | GroupKind::IfDisabled(flag), _) => Some(flag),
            Node::Group(..) => None,
        };
        if let Some(flag) = flag.filter(|flag| !known(flag)) {
            return Err(UnknownFlag { flag: flag.clone() });
        }
        if let Node::Group(_, nodes) = node {
            check_flags(nodes, known)?;
        }
    }
    Ok(())
}

/// Whether a node holds; nothing, where it counts for nothing in the group around it.
fn value(node: &Node<FlagState>, evaluation: &Evaluation<'_>) -> Option<bool> {
    let (kind, nodes) = match node {
        Node::Leaf(wanted) => return Some(evaluation.is_met(&wanted.flag, wanted.is_enabled)),
        Node::Group(kind, nodes) => (kind, nodes),
    };
    if !evaluation.is_active(kind) {
        return None;
    }
    let values: Vec<bool> = nodes
        .iter()
        .filter_map(|node| value(node, evaluation))
        .collect();
    if values.is_empty() && *kind == GroupKind::All {
        return None;
    }
    let holding = values.iter().filter(|holds| **holds).count();
    Some(evaluation.group_holds(kind, holding, values.len()))
}
