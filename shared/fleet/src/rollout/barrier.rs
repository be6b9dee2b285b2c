//! What must not be mixed over a fleet, and goes first as a step of its own. Pure.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::name::UseFlag;
use serde::{Deserialize, Serialize};

use super::Rollout;
use crate::message::{Change, InstalledPackage, Update};
use crate::needs::speaks_of;

/// A change of packages that goes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", content = "of", rename_all = "snake_case")]
pub enum Barrier {
    /// Another version.
    Version(Vec<Atom>),
    /// Another slot beside the one that is there.
    Slot(Vec<Atom>),
    /// Another subslot, or another slot: what is bound to the one that is there is built anew.
    Subslot(Vec<Atom>),
    /// Of whatever package, flags that it has already and that are switched on or off.
    Flags(Vec<FlagPattern>),
}

impl Barrier {
    /// Whether an update of a guest that has these packages installed is one.
    fn is(&self, update: &Update, installed: &[Arc<InstalledPackage>]) -> bool {
        let speaks = |atoms: &[Atom]| atoms.iter().any(|atom| speaks_of(atom, &update.key));
        match self {
            Self::Version(atoms) => update.change.is_of_version() && speaks(atoms),
            Self::Slot(atoms) => update.change == Change::NewSlot && speaks(atoms),
            Self::Subslot(atoms) => {
                speaks(atoms)
                    && (update.change == Change::NewSlot || changes_subslot(update, installed))
            }
            Self::Flags(patterns) => {
                let mut switched = update.switched_flags.iter();
                switched.any(|flag| patterns.iter().any(|pattern| pattern.matches(flag)))
            }
        }
    }

    /// Whether it looks at what a guest has installed of a package.
    fn looks_at(&self, installed: &InstalledPackage) -> bool {
        match self {
            Self::Subslot(atoms) => {
                let name = &installed.cpv.category_package;
                atoms.iter().any(|atom| atom.category_package() == name)
            }
            Self::Version(_) | Self::Slot(_) | Self::Flags(_) => false,
        }
    }
}

fn changes_subslot(update: &Update, installed: &[Arc<InstalledPackage>]) -> bool {
    let (name, slot) = (&update.key.cpv.category_package, &update.key.slot);
    let mut before = installed
        .iter()
        .filter(|it| it.cpv.category_package == *name && it.slot.slot == slot.slot);
    before.any(|it| it.slot.subslot != slot.subslot)
}

/// Why it goes first, in words.
impl fmt::Display for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version(_) => "another version",
            Self::Slot(_) => "another slot",
            Self::Subslot(_) => "another subslot",
            Self::Flags(_) => "other USE flags",
        })
    }
}

/// A USE flag, or with `*` at its end all that begin so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FlagPattern {
    begin: UseFlag,
    is_open: bool,
}

/// Why a text is no pattern of USE flags.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no USE flags; write one in full, those of USE_EXPAND as python_targets_python3_13, or \
     their beginning with a * behind it, as python_targets_*"
)]
pub struct InvalidFlagPattern(String);

impl FlagPattern {
    /// Whether it speaks of this flag.
    pub fn matches(&self, flag: &UseFlag) -> bool {
        match self.is_open {
            true => flag.as_str().starts_with(self.begin.as_str()),
            false => *flag == self.begin,
        }
    }
}

impl FromStr for FlagPattern {
    type Err = InvalidFlagPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (begin, is_open) = match text.strip_suffix('*') {
            Some(begin) => (begin, true),
            None => (text, false),
        };
        let begin = begin
            .parse()
            .map_err(|_| InvalidFlagPattern(text.to_owned()))?;
        Ok(Self { begin, is_open })
    }
}

impl TryFrom<String> for FlagPattern {
    type Error = InvalidFlagPattern;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FlagPattern> for String {
    fn from(pattern: FlagPattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for FlagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.is_open { "*" } else { "" };
        write!(f, "{}{star}", self.begin)
    }
}

impl Rollout {
    /// As what an update goes first on a guest that has these packages installed, if it does.
    pub fn barrier_of(
        &self,
        update: &Update,
        installed: &[Arc<InstalledPackage>],
    ) -> Option<&Barrier> {
        let mut barriers = self.barriers.iter();
        barriers.find(|barrier| barrier.is(update, installed))
    }

    /// Whether what a guest has of this package can tell whether an update goes first.
    pub(crate) fn looks_at(&self, installed: &InstalledPackage) -> bool {
        self.barriers
            .iter()
            .any(|barrier| barrier.looks_at(installed))
    }
}

#[cfg(test)]
#[path = "barrier_tests.rs"]
mod tests;
