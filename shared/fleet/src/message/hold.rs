//! What is held, and what is held back for what reason.

use std::fmt;

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::cpv::Cpv;
use serde::{Deserialize, Serialize};

use crate::name::{GuestName, RunId, WaveName};

/// What an operator holds, and approves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum HoldTarget {
    /// One run: nothing is begun on its guests.
    Run(RunId),
    /// A wave, in whatever run.
    Wave(WaveName),
    /// A guest, in whatever run.
    Guest(GuestName),
    /// The packages that an atom matches, on whatever guest.
    Package(Atom),
}

impl HoldTarget {
    /// As an argument of a command in a shell, to which `>` and `~` mean something else.
    pub fn in_shell(&self) -> String {
        match self {
            Self::Package(atom) => format!("package {}", quoted(atom)),
            other => other.to_string(),
        }
    }
}

fn quoted(atom: &Atom) -> String {
    let text = atom.to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_+./:=".contains(c);
    match text.chars().all(is_plain) {
        true => text,
        false => format!("'{text}'"),
    }
}

impl fmt::Display for HoldTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(run) => write!(f, "run {run}"),
            Self::Wave(wave) => write!(f, "wave {wave}"),
            Self::Guest(guest) => write!(f, "guest {guest}"),
            Self::Package(atom) => write!(f, "package {atom}"),
        }
    }
}

/// An update that a guest does not get in this run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HeldBack {
    /// The package.
    pub cpv: Cpv,
    /// Why.
    pub reason: HoldReason,
}

/// Why an update is held back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "why", content = "package")]
pub enum HoldReason {
    /// Its own build failed.
    BuildFailed,
    /// It needs a package that failed or is held back itself.
    Needs(Cpv),
    /// Its new subslot would break an installed package that has no rebuilt binary.
    WouldBreak(Cpv),
    /// An operator holds the packages that this atom matches.
    Held(Atom),
    /// This guest got it and had to be put back.
    RolledBack(GuestName),
    /// This version cannot be undone, the guest is put back when a check fails, and nobody has
    /// approved it.
    Irreversible(Cpv),
    /// This package must not be mixed over the fleet: it goes first, as a step of its own.
    Barrier(Cpv),
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuildFailed => f.write_str("its build failed"),
            Self::Needs(cpv) => write!(f, "it needs {cpv}"),
            Self::WouldBreak(cpv) => {
                write!(
                    f,
                    "its new subslot would break {cpv}, which has no rebuilt binary"
                )
            }
            Self::RolledBack(guest) => write!(
                f,
                "{guest} got it and had to be put back; `gentoo-updater approve guest {guest}` lets \
                 all of that update come again, `gentoo-updater approve package NAME` one of it"
            ),
            Self::Irreversible(cpv) => write!(
                f,
                "nothing puts a guest back to what was before it; `gentoo-updater approve package \
                 ={cpv}` lets it come"
            ),
            Self::Barrier(cpv) => write!(
                f,
                "{cpv} goes first, as a step of its own; where that goes well the rest follows by itself \
                 in a further round"
            ),
            Self::Held(atom) => write!(
                f,
                "{atom} is held; `gentoo-updater approve package {}` ends that",
                quoted(atom)
            ),
        }
    }
}
