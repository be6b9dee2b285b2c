//! The kinds of notices, and what they mean for the plan.

use serde::{Deserialize, Serialize};

use super::{ConfigurationChange, MaskedPackage};
use crate::atom::Atom;
use crate::cpv::ExactPackage;

/// What a notice means for the plan.
///
/// The lists hold what could be read from the words, which differ between versions of Portage;
/// they may be empty. [`Notice::text`](super::Notice::text) always has all the words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NoticeKind {
    /// Arguments, or atoms of the world file, which no visible ebuild satisfies. The exit status is
    /// 0 all the same, and the rows are those of the other atoms.
    WorldAtomWithoutEbuild {
        /// The atoms.
        atoms: Vec<Atom>,
    },
    /// All packages that could satisfy a dependency are masked.
    Masked {
        /// The dependency.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        atom: Option<Atom>,
        /// What could satisfy it.
        #[serde(default)]
        packages: Vec<MaskedPackage>,
    },
    /// The plan needs changes of configuration: USE, keywords, licences or masks.
    Autounmask {
        /// The changes that emerge proposes.
        #[serde(default)]
        changes: Vec<ConfigurationChange>,
    },
    /// Two versions that would need the same slot.
    SlotConflict {
        /// The packages in conflict, of all slots.
        #[serde(default)]
        packages: Vec<ExactPackage>,
    },
    /// Packages that need each other to be built.
    Circular {
        /// The packages of the circle.
        #[serde(default)]
        packages: Vec<ExactPackage>,
    },
    /// The flags of a package contradict its REQUIRED_USE.
    RequiredUse {
        /// The package.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        package: Option<ExactPackage>,
    },
    /// Updates or rebuilds were left out of the plan. The exit status is 0 all the same.
    SkippedUpdates {
        /// What was to be updated, with its slot: `dev-libs/libalpha:0`.
        #[serde(default)]
        atoms: Vec<Atom>,
        /// The versions that were left out, where emerge names them.
        #[serde(default)]
        packages: Vec<ExactPackage>,
    },
    /// An ebuild repository is not there, cannot be read, or is not as `repos.conf` has it.
    RepositoryMissing,
    /// The profile or the configuration is broken.
    ProfileBroken,
    /// Lines of a profile or of the user's configuration (`package.mask`, `package.use`, …) which
    /// Portage does not understand. It makes the plan without them.
    ConfigurationIgnored,
    /// No ebuild satisfies an argument or a dependency.
    NoEbuild {
        /// The argument or the dependency.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        atom: Option<Atom>,
    },
    /// No binary package satisfies an argument or a dependency.
    MissingBinary {
        /// The argument or the dependency.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        atom: Option<Atom>,
    },
    /// A dependency is not installed, and must be before the package is built.
    MissingDependency,
    /// A dependency could not be resolved; another notice says why.
    Unresolved,
    /// Packages that cannot be installed at the same time.
    Blocked {
        /// The packages.
        #[serde(default)]
        packages: Vec<ExactPackage>,
    },
    /// Binary packages were left aside, because their USE flags, their dependencies or the user's
    /// patches differ.
    UseMismatch,
    /// Binary packages, or an index of them, cannot be read or fetched.
    BinaryUnusable,
    /// Something that emerge was asked for is no package, no set or no option.
    InvalidArgument,
    /// The metadata of an ebuild or of an installed package is broken.
    BrokenPackage,
    /// Portage or Python ended with an exception.
    Crash,
    /// Installed packages would be masked today. They stay.
    InstalledMasked {
        /// The packages.
        #[serde(default)]
        packages: Vec<MaskedPackage>,
    },
    /// Requested packages are in `package.provided` and are not installed.
    Provided,
    /// Binary packages are to be fetched, but no server is configured.
    BinaryServerMissing,
    /// The machine has no compiler.
    CompilerMissing,
    /// Dependencies of ebuilds changed without a revision bump (`--changed-deps-report=y`).
    DependenciesChanged,
    /// The profile is deprecated. It still works.
    ProfileDeprecated,
    /// A setting which Portage ignores, replaces or advises against; the plan is not affected.
    Setting,
    /// Which packages of the list cause rebuilds of which.
    CausesRebuilds,
    /// Sources have to be fetched by hand, and how.
    FetchInstructions,
    /// Which repository a number in the rows stands for (`--quiet-repo-display`).
    RepositoryNumbers,
    /// Portage itself is updated before the rest (until Portage 2.1.10).
    PortageRestarts,
    /// Configuration files wait to be merged.
    ConfigurationFiles,
    /// News wait to be read.
    NewsUnread,
    /// A warning or an error that this reader does not know.
    Unrecognised,
    /// Other words, that do not look like a warning: what a login shell prints, for example.
    Noise,
}

impl NoticeKind {
    /// Whether the plan is not what was asked for, or not all of it, because of this.
    #[must_use]
    pub fn is_objection(&self) -> bool {
        match self {
            Self::WorldAtomWithoutEbuild { .. }
            | Self::Masked { .. }
            | Self::Autounmask { .. }
            | Self::SlotConflict { .. }
            | Self::Circular { .. }
            | Self::RequiredUse { .. }
            | Self::SkippedUpdates { .. }
            | Self::RepositoryMissing
            | Self::ProfileBroken
            | Self::ConfigurationIgnored
            | Self::NoEbuild { .. }
            | Self::MissingBinary { .. }
            | Self::MissingDependency
            | Self::Unresolved
            | Self::Blocked { .. }
            | Self::UseMismatch
            | Self::BinaryUnusable
            | Self::InvalidArgument
            | Self::BrokenPackage
            | Self::Crash
            | Self::Unrecognised => true,
            Self::InstalledMasked { .. }
            | Self::Provided
            | Self::BinaryServerMissing
            | Self::CompilerMissing
            | Self::DependenciesChanged
            | Self::ProfileDeprecated
            | Self::Setting
            | Self::CausesRebuilds
            | Self::FetchInstructions
            | Self::RepositoryNumbers
            | Self::PortageRestarts
            | Self::ConfigurationFiles
            | Self::NewsUnread
            | Self::Noise => false,
        }
    }

    /// Whether a plan without rows cannot be believed because of this. A world atom without an
    /// ebuild is compatible with everything else being up to date; the other objections are not.
    /// Nor is a missing server of binary packages: with `--getbinpkgonly` nothing can be planned
    /// without it, and the exit status is 0.
    #[must_use]
    pub fn contradicts_an_empty_plan(&self) -> bool {
        match self {
            Self::WorldAtomWithoutEbuild { .. } => false,
            Self::BinaryServerMissing => true,
            _ => self.is_objection(),
        }
    }
}
