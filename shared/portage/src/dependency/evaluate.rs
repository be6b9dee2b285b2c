//! How conditions and empty groups are decided.

use std::fmt;

use super::{GroupKind, Leaf};
use crate::name::UseFlag;

/// How USE-conditional groups are decided.
#[derive(Clone, Copy)]
pub enum Conditions<'a> {
    /// By the flags of the package, of which the function tells whether they are enabled.
    Flags(&'a dyn Fn(&UseFlag) -> bool),
    /// Every group counts, whatever its condition (`matchall` of Portage's `use_reduce`). The
    /// conditions within atoms stay as they are.
    AllActive,
    /// No group with a condition counts (`matchnone` of Portage's `use_reduce`), and the
    /// conditions within atoms are evaluated with every flag disabled.
    NoneActive,
}

impl fmt::Debug for Conditions<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Flags(_) => "Flags(…)",
            Self::AllActive => "AllActive",
            Self::NoneActive => "NoneActive",
        })
    }
}

/// What `|| ( )` counts for when all parts of it had conditions that were not met (PMS 8.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmptyAnyOf {
    /// As satisfied: EAPI 0 to 6.
    Satisfied,
    /// As never to be satisfied: EAPI 7 and later.
    #[default]
    Unsatisfied,
}

impl EmptyAnyOf {
    /// What the EAPI of an ebuild says; an unknown EAPI is taken for a new one.
    #[must_use]
    pub fn of_eapi(eapi: &str) -> Self {
        match eapi {
            "0" | "1" | "2" | "3" | "4" | "5" | "6" => Self::Satisfied,
            _ => Self::Unsatisfied,
        }
    }
}

/// How a dependency string is evaluated.
#[derive(Debug, Clone, Copy)]
pub struct Evaluation<'a> {
    /// How conditions are decided.
    pub conditions: Conditions<'a>,
    /// What an any-of group without parts counts for.
    pub empty_any_of: EmptyAnyOf,
}

impl<'a> Evaluation<'a> {
    /// With the flags that are `enabled`, and for an ebuild of EAPI 7 or later.
    #[must_use]
    pub fn with_flags(enabled: &'a dyn Fn(&UseFlag) -> bool) -> Self {
        Self {
            conditions: Conditions::Flags(enabled),
            empty_any_of: EmptyAnyOf::default(),
        }
    }

    /// Whether a group takes part.
    pub(super) fn is_active(&self, kind: &GroupKind) -> bool {
        match kind {
            GroupKind::IfEnabled(flag) => self.is_met(flag, true),
            GroupKind::IfDisabled(flag) => self.is_met(flag, false),
            _ => true,
        }
    }

    /// Whether a flag is as it is wanted.
    pub(super) fn is_met(&self, flag: &UseFlag, wanted: bool) -> bool {
        match self.conditions {
            Conditions::Flags(enabled) => enabled(flag) == wanted,
            Conditions::AllActive => true,
            Conditions::NoneActive => false,
        }
    }

    /// The leaf with the conditions inside of it evaluated.
    pub(super) fn leaf<L: Leaf>(&self, leaf: &L) -> L {
        match self.conditions {
            Conditions::Flags(enabled) => leaf.evaluated(enabled),
            Conditions::AllActive => leaf.clone(),
            Conditions::NoneActive => leaf.evaluated(&|_| false),
        }
    }

    /// Whether a group holds of which `total` parts count and `holding` hold.
    pub(super) fn group_holds(&self, kind: &GroupKind, holding: usize, total: usize) -> bool {
        if total == 0 && self.empty_any_of == EmptyAnyOf::Satisfied {
            return true;
        }
        match kind {
            GroupKind::AnyOf => holding > 0,
            GroupKind::ExactlyOneOf => holding == 1,
            GroupKind::AtMostOneOf => holding <= 1,
            GroupKind::All | GroupKind::IfEnabled(_) | GroupKind::IfDisabled(_) => holding == total,
        }
    }
}
