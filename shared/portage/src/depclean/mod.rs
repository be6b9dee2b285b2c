//! The output of `emerge --depclean`: what was removed, and what keeps the others.
//!
//! The writers are `action_depclean` and `_calc_depclean` in `_emerge/actions.py`, and
//! `_unmerge_display` in `_emerge/unmerge.py`. The wording is that of Portage 2.2.0 to 3.0.83:
//! the equals signs in `All selected packages:` came in 2.2.12, `Packages in profile:` in 2.2.16,
//! the hint on cycles in 3.0.83.

mod error;
mod lines;
mod reason;
mod stderr;
mod stdout;

pub use error::{DepcleanError, Missing, Stream};
pub use reason::{Kept, Need, Parent, Reason};

use std::collections::BTreeSet;

use crate::cpv::Cpv;
use crate::name::CategoryPackage;
use crate::text::{excerpt, without_escape_sequences};
use crate::version::Version;

/// What `emerge --depclean` did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Depclean {
    /// The packages that were removed, in that order; with `--pretend`, those that would be.
    pub removed: Vec<Cpv>,
    /// What else is installed of each of them.
    pub blocks: Vec<Block>,
    /// The packages that stay, and what needs them. Complete with `--verbose` only.
    pub kept: Vec<Kept>,
    /// Packages that are needed only by packages which they need themselves: all that have to be
    /// given at once, so that they go.
    pub cycles: Vec<Cycle>,
    /// The arguments that match nothing installed, as they were given.
    pub not_installed: Vec<String>,
    /// Libraries that an installed package needs and nothing brings. A warning only.
    pub broken_libraries: Vec<Kept>,
    /// The numbers at the end. Absent where nothing was selected in a call with arguments, and in a
    /// quiet one.
    pub summary: Option<Summary>,
}

/// The installed versions of a package of which some go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The package.
    pub package: CategoryPackage,
    /// The versions that go.
    pub selected: Vec<Version>,
    /// The versions that were asked for, and stay.
    pub protected: Vec<Version>,
    /// The other versions.
    pub omitted: Vec<Version>,
}

/// Packages that need each other, and that nothing else needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// The package that was asked for.
    pub cpv: Cpv,
    /// All packages of the cycle, it included.
    pub members: Vec<Cpv>,
}

/// The numbers at the end of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// The packages that are installed now.
    pub installed: usize,
    /// The atoms of the set `@selected`, which the output calls world.
    pub world: usize,
    /// The atoms of the set `@system`.
    pub system: usize,
    /// The atoms of the set `@profile`, where it is not empty.
    pub profile: Option<usize>,
    /// The packages that are needed.
    pub required: usize,
    /// The packages that were removed, or would be.
    pub removed: usize,
    /// Nothing was done (`--pretend`).
    pub pretended: bool,
}

/// How much emerge was told to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// `--quiet`: a call that finds nothing to remove writes nothing at all.
    Quiet,
    /// Without `--quiet`.
    Normal,
}

/// Reads what `emerge --depclean` printed, and its exit status.
///
/// Status 1 with `No packages selected` is no error: the packages are needed, or not installed.
///
/// # Errors
///
/// See [`DepcleanError`]. The lists, the line of all packages, and the numbers must agree.
pub fn parse(
    stdout: &str,
    stderr: &str,
    status: i32,
    verbosity: Verbosity,
) -> Result<Depclean, DepcleanError> {
    let stdout = without_escape_sequences(stdout);
    let stderr = without_escape_sequences(stderr);
    let out = stdout::read(&stdout)?;
    let said = stderr::read(&stderr)?;
    if !said.missing.is_empty() {
        return Err(DepcleanError::Unresolved(said.missing));
    }
    let nothing = out.listed.is_empty() && out.blocks.is_empty() && out.unmerged.is_empty();
    let silent = verbosity == Verbosity::Quiet && stdout.trim().is_empty() && said.is_calm;
    match status {
        0 if out.summary.is_some() || silent => {}
        1 if nothing && (out.nothing_selected || silent) => {}
        0 => {
            return Err(DepcleanError::Incomplete {
                listed: out.listed.len(),
                counted: None,
            });
        }
        _ => {
            let words = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
            return Err(DepcleanError::Failed {
                status,
                words: excerpt(&words),
                begun: out.unmerged,
            });
        }
    }
    let removed = agreed(&out)?;
    let mut kept = out.kept;
    kept.extend(said.kept);
    Ok(Depclean {
        removed,
        blocks: out.blocks,
        kept,
        cycles: out.cycles,
        not_installed: said.not_installed,
        broken_libraries: said.broken_libraries,
        summary: out.summary,
    })
}

/// The packages that go, as three lists and a number have them.
fn agreed(out: &stdout::Stdout) -> Result<Vec<Cpv>, DepcleanError> {
    let counted = out.summary.map_or(0, |summary| summary.removed);
    let incomplete = |listed| DepcleanError::Incomplete {
        listed,
        counted: Some(counted),
    };
    if out.listed.len() != counted {
        return Err(incomplete(out.listed.len()));
    }
    let listed: BTreeSet<&Cpv> = out.listed.iter().collect();
    let blocks = out.blocks.iter().flat_map(|block| {
        block.selected.iter().map(|version| Cpv {
            category_package: block.package.clone(),
            version: version.clone(),
        })
    });
    let in_blocks: BTreeSet<Cpv> = blocks.collect();
    if in_blocks.iter().ne(listed.iter().copied()) {
        return Err(incomplete(in_blocks.len()));
    }
    let pretended = out.summary.is_none_or(|summary| summary.pretended);
    if pretended {
        return Ok(out.listed.clone());
    }
    let unmerged: BTreeSet<&Cpv> = out.unmerged.iter().collect();
    if unmerged != listed || out.unmerged.len() != counted {
        return Err(incomplete(out.unmerged.len()));
    }
    Ok(out.unmerged.clone())
}
