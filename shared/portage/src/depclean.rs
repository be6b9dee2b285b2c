//! The output of `emerge --depclean --verbose`: what was removed, and what keeps the others.

use crate::atom::Atom;
use crate::cpv::Cpv;
use crate::text::{excerpt, without_escape_sequences};

/// What `emerge --depclean` did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Depclean {
    /// The packages that were removed; with `--pretend`, those that would be.
    pub removed: Vec<Cpv>,
    /// The packages that stay, and what needs them. Complete with `--verbose` only.
    pub kept: Vec<Kept>,
    /// The arguments that match nothing installed.
    pub not_installed: Vec<Atom>,
}

/// A package that stays, because others need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The package.
    pub cpv: Cpv,
    /// Who needs it, and as what.
    pub required_by: Vec<Requirement>,
}

/// Why a package stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// A package (`app-misc/hello-2.0`) or a set (`@selected`).
    pub parent: String,
    /// The atoms by which it asks for the package, separated by commas.
    pub atoms: String,
}

/// An output of `emerge --depclean` that is not understood, or one that says that it did nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepcleanError {
    /// emerge refused, or ended early, and removed nothing or not all.
    #[error("emerge --depclean ended with status {status}: {words}")]
    Failed {
        /// Its exit status.
        status: i32,
        /// The beginning of what it wrote to stderr.
        words: String,
    },
    /// The list of packages and their number differ, or one of them is missing: the output was cut.
    #[error("emerge --depclean names {listed} packages and counts {counted:?}: the output was cut")]
    Incomplete {
        /// The number of packages that it names.
        listed: usize,
        /// The number that it counts, if it does.
        counted: Option<usize>,
    },
    /// A line within a list is not understood.
    #[error("line {number} is not understood: {line:?}")]
    Line {
        /// The number of the line in stdout, from 1.
        number: usize,
        /// The line, shortened.
        line: String,
    },
}

/// Reads what `emerge --depclean` printed, and its exit status.
///
/// Status 1 with `No packages selected` is no error: the packages are needed, or not installed.
///
/// # Errors
///
/// See [`DepcleanError`].
pub fn parse(stdout: &str, stderr: &str, status: i32) -> Result<Depclean, DepcleanError> {
    let stdout = without_escape_sequences(stdout);
    let stderr = without_escape_sequences(stderr);
    let mut result = Depclean::default();
    let mut counted = None;
    let mut nothing_selected = false;
    let mut parents_of_kept = false;
    for (index, line) in stdout.lines().enumerate() {
        let wrong = || DepcleanError::Line {
            number: index + 1,
            line: excerpt(line),
        };
        if let Some(list) = line.strip_prefix("All selected packages:") {
            for atom in list.split_ascii_whitespace() {
                let cpv = atom.strip_prefix('=').ok_or_else(wrong)?;
                result.removed.push(cpv.parse().map_err(|_| wrong())?);
            }
        } else if let Some(number) = line
            .strip_prefix("Number removed:")
            .or_else(|| line.strip_prefix("Number to remove:"))
        {
            counted = Some(number.trim().parse::<usize>().map_err(|_| wrong())?);
        } else if line.starts_with(">>> No packages selected for removal by depclean") {
            nothing_selected = true;
        } else if let Some(cpv) = line
            .strip_prefix("  ")
            .and_then(|line| line.strip_suffix(" pulled in by:"))
            .filter(|cpv| !cpv.starts_with(' '))
        {
            let cpv = cpv.parse().map_err(|_| wrong())?;
            result.kept.push(Kept {
                cpv,
                required_by: Vec::new(),
            });
            parents_of_kept = true;
        } else if parents_of_kept && !line.trim().is_empty() {
            let (parent, atoms) = line.trim().split_once(" requires ").ok_or_else(wrong)?;
            let requirement = Requirement {
                parent: parent.to_owned(),
                atoms: atoms.to_owned(),
            };
            if let Some(kept) = result.kept.last_mut() {
                kept.required_by.push(requirement);
            }
        } else {
            parents_of_kept = false;
        }
    }
    for line in stderr.lines() {
        let atom = line
            .strip_prefix("--- Couldn't find '")
            .and_then(|rest| rest.strip_suffix("' to depclean."));
        result
            .not_installed
            .extend(atom.and_then(|atom| atom.parse::<Atom>().ok()));
    }
    let failed = || {
        let words = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        DepcleanError::Failed {
            status,
            words: excerpt(&words),
        }
    };
    match status {
        // The numbers come last, so that their absence tells that the output was cut.
        0 if counted == Some(result.removed.len()) => Ok(result),
        0 => Err(DepcleanError::Incomplete {
            listed: result.removed.len(),
            counted,
        }),
        1 if nothing_selected && result.removed.is_empty() => Ok(result),
        _ => Err(failed()),
    }
}
