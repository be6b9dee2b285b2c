//! What can be read from the words of a notice.

use serde::{Deserialize, Serialize};

use super::NoticeKind;
use crate::atom::Atom;
use crate::cpv::{Cpv, ExactPackage};
use crate::name::RepositoryName;

/// A package that is masked, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskedPackage {
    /// The package.
    pub cpv: Cpv,
    /// Its repository, where it is named.
    pub repository: Option<RepositoryName>,
    /// Why: `package.mask, ~amd64 keyword`.
    pub reason: String,
}

/// A change of configuration that emerge proposes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationChange {
    /// Which file it belongs into.
    pub file: ConfigurationFile,
    /// For which packages.
    pub atom: Atom,
    /// What follows the atom: flags, keywords or licences. Empty for masks.
    pub values: Vec<String>,
}

/// A file (or a folder) of `/etc/portage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConfigurationFile {
    /// USE flags.
    #[serde(rename = "package.use")]
    Use,
    /// Keywords.
    #[serde(rename = "package.accept_keywords")]
    Keywords,
    /// Masks to be lifted.
    #[serde(rename = "package.unmask")]
    Unmask,
    /// Licences.
    #[serde(rename = "package.license")]
    License,
}

/// Reads what the kind can hold from the lines of the notice. What the lines do not hold in a known
/// form is left out: the words stay.
pub(super) fn read_detail(kind: NoticeKind, lines: &[&str]) -> NoticeKind {
    match kind {
        NoticeKind::Masked { .. } => NoticeKind::Masked {
            atom: quoted_atom(lines),
            packages: masked_packages(lines),
        },
        NoticeKind::InstalledMasked { .. } => NoticeKind::InstalledMasked {
            packages: masked_packages(lines),
        },
        NoticeKind::Autounmask { .. } => NoticeKind::Autounmask {
            changes: changes(lines),
        },
        NoticeKind::SlotConflict { .. } => NoticeKind::SlotConflict {
            packages: packages_at(lines, 2),
        },
        NoticeKind::Blocked { .. } => NoticeKind::Blocked {
            packages: packages_at(lines, 2),
        },
        NoticeKind::Circular { .. } => NoticeKind::Circular {
            packages: unique(lines.iter().filter_map(|line| package(line))),
        },
        NoticeKind::RequiredUse { .. } => NoticeKind::RequiredUse {
            package: lines.iter().find_map(|line| {
                let (word, _) = line.strip_prefix("- ")?.split_once(' ')?;
                exact(word)
            }),
        },
        NoticeKind::SkippedUpdates { .. } => NoticeKind::SkippedUpdates {
            atoms: lines.iter().filter_map(|line| slot_atom(line)).collect(),
            packages: skipped(lines),
        },
        NoticeKind::NoEbuild { .. } => NoticeKind::NoEbuild {
            atom: quoted_atom(lines),
        },
        NoticeKind::MissingBinary { .. } => NoticeKind::MissingBinary {
            atom: quoted_atom(lines),
        },
        kind => kind,
    }
}

/// The atom between the quotes of the first line: `there are no ebuilds to satisfy "a/b".`
fn quoted_atom(lines: &[&str]) -> Option<Atom> {
    let (_, rest) = lines.first()?.split_once('"')?;
    let (atom, _) = rest.split_once('"')?;
    atom.parse().ok()
}

/// `- a/b-1::gentoo (masked by: ~amd64 keyword)`
fn masked_packages(lines: &[&str]) -> Vec<MaskedPackage> {
    let read = |line: &&str| {
        let (name, reason) = line.strip_prefix("- ")?.split_once(" (masked by: ")?;
        let (cpv, repository) = match name.split_once("::") {
            Some((cpv, "__unknown__")) => (cpv, None),
            Some((cpv, repository)) => (cpv, repository.parse().ok()),
            None => (name, None),
        };
        Some(MaskedPackage {
            cpv: cpv.parse().ok()?,
            repository,
            reason: reason.strip_suffix(')')?.to_owned(),
        })
    };
    lines.iter().filter_map(read).collect()
}

/// The lines after `The following USE changes are necessary to proceed:`, without comments.
fn changes(lines: &[&str]) -> Vec<ConfigurationChange> {
    let Some((first, others)) = lines.split_first() else {
        return Vec::new();
    };
    let file = match first.trim_start().split(' ').nth(2) {
        Some("USE") => ConfigurationFile::Use,
        Some("keyword") => ConfigurationFile::Keywords,
        Some("mask") => ConfigurationFile::Unmask,
        Some("license") => ConfigurationFile::License,
        _ => return Vec::new(),
    };
    let read = |line: &&str| {
        let mut words = line.split_ascii_whitespace();
        Some(ConfigurationChange {
            file,
            atom: words.next()?.parse().ok()?,
            values: words.map(str::to_owned).collect(),
        })
    };
    others.iter().filter_map(read).collect()
}

/// The packages that lines with this indentation begin with.
fn packages_at(lines: &[&str], indentation: usize) -> Vec<ExactPackage> {
    let is_there = |line: &&&str| line.bytes().take_while(|b| *b == b' ').count() == indentation;
    unique(
        lines
            .iter()
            .filter(is_there)
            .filter_map(|line| package(line)),
    )
}

/// The updates that were skipped: those that conflict, or those that say so.
fn skipped(lines: &[&str]) -> Vec<ExactPackage> {
    unique(lines.iter().filter_map(|line| {
        if line.trim_end().ends_with(" conflicts with") {
            return package(line);
        }
        package(line.trim_start().strip_prefix("skipped: ")?)
    }))
}

/// `dev-libs/libalpha:0`, alone or with a root, at the beginning of a line.
fn slot_atom(line: &str) -> Option<Atom> {
    let word = match line.split_once(" for /") {
        Some((word, _)) => word,
        None => line,
    };
    let atom: Atom = word.parse().ok()?;
    atom.slot().is_some().then_some(atom)
}

/// A package as Portage describes it: `(dev-libs/a-1.0-3:0/2::gentoo, binary scheduled for merge)`,
/// and until Portage 2.1.9 `('binary', '/', 'dev-libs/a-1.0', 'merge')`.
fn package(line: &str) -> Option<ExactPackage> {
    let rest = line.trim_start().strip_prefix('(')?;
    let word = if rest.starts_with('\'') {
        rest.split("', '").nth(2)?
    } else {
        rest.split([',', ')']).next()?
    };
    exact(word)
}

/// `dev-libs/a-1.0-3:0/2::gentoo`
fn exact(word: &str) -> Option<ExactPackage> {
    let (name, _) = word.split_once(':').unwrap_or((word, ""));
    name.parse().ok()
}

fn unique(packages: impl Iterator<Item = ExactPackage>) -> Vec<ExactPackage> {
    let mut seen = std::collections::BTreeSet::new();
    packages
        .filter(|package| seen.insert(package.clone()))
        .collect()
}
