//! Package dependency specifications, called atoms (PMS 8.3).

mod matching;
mod parse;
mod use_dependency;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cpv::{Cpv, ExactPackage};
use crate::name::{CategoryPackage, RepositoryName, Slot, string_serialization};
use crate::version::Version;

pub use matching::Candidate;
pub use parse::{AtomError, AtomErrorCause};
pub use use_dependency::{PackageUse, UseDefault, UseDependency, UseRequirement};

/// How a package must not be there at the same time (PMS 8.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blocker {
    /// `!`: the blocked package may stay for a while and is removed within the same transaction.
    Weak,
    /// `!!`: the two may not be installed together even for a moment.
    Strong,
}

/// How the version of a candidate compares with the version of the atom (PMS 8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `=`
    Equal,
    /// `=` with an asterisk after the version: the version or a longer one which begins with it.
    EqualGlob,
    /// `~`: equal when revisions are ignored.
    EqualIgnoringRevision,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
}

impl Operator {
    fn prefix(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal | Self::EqualGlob => "=",
            Self::EqualIgnoringRevision => "~",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        }
    }
}

/// The version part of an atom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionRequirement {
    /// How to compare.
    pub operator: Operator,
    /// With what to compare.
    pub version: Version,
    /// The BUILD_ID of one binary package, as in `=app-misc/hello-1.0-3`. An extension of Portage,
    /// accepted with the operator `=` only.
    pub build_id: Option<u32>,
}

/// The slot part of an atom (PMS 8.3.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SlotDependency {
    /// `:*`: any slot, and a change of the slot of the dependency needs no rebuild.
    Any,
    /// `:=`: any slot, and the dependant is rebuilt when slot or subslot of the dependency change.
    Bound,
    /// `:0`, `:0/2`, `:0=`, `:0/2=`.
    Exact {
        /// The slot that is wanted.
        slot: Slot,
        /// The subslot that is wanted. Together with `bound` it is found in built packages only,
        /// where it says with which subslot the package was built.
        subslot: Option<Slot>,
        /// Whether `=` follows: the dependant is rebuilt when the subslot changes.
        bound: bool,
    },
}

impl SlotDependency {
    /// Whether the dependant is bound to the slot and subslot that it was built with (`:=`).
    #[must_use]
    pub fn is_bound(&self) -> bool {
        match self {
            Self::Any => false,
            Self::Bound => true,
            Self::Exact { bound, .. } => *bound,
        }
    }
}

impl fmt::Display for SlotDependency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str(":*"),
            Self::Bound => formatter.write_str(":="),
            Self::Exact {
                slot,
                subslot,
                bound,
            } => {
                write!(formatter, ":{slot}")?;
                if let Some(subslot) = subslot {
                    write!(formatter, "/{subslot}")?;
                }
                formatter.write_str(if *bound { "=" } else { "" })
            }
        }
    }
}

/// A package dependency specification, as `!>=dev-libs/libalpha-2.0:0/2=::gentoo[ssl,-doc?]`.
///
/// The grammar is that of EAPI 9 with Portage's extensions `::repository` and BUILD_ID, and
/// without wildcards in names (`*/*`), which PMS does not know. What is accepted is what Portage's
/// `portage.dep.Atom` accepts, but for names that PMS forbids (3.1.2, 3.1.5) and for a BUILD_ID
/// with another operator than `=`, which Portage reads and then ignores.
///
/// ```
/// use gentoo_updater_portage::atom::Atom;
///
/// let atom: Atom = ">=dev-libs/libalpha-2.0:0/2=[ssl(+)?]".parse()?;
/// assert_eq!(atom.category_package().to_string(), "dev-libs/libalpha");
/// assert!(atom.is_bound());
/// assert!("dev-libs/libalpha-2.0".parse::<Atom>().is_err(), "a version needs an operator");
/// # Ok::<(), gentoo_updater_portage::atom::AtomError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Atom {
    blocker: Option<Blocker>,
    category_package: CategoryPackage,
    version: Option<VersionRequirement>,
    slot: Option<SlotDependency>,
    repository: Option<RepositoryName>,
    use_dependencies: Vec<UseDependency>,
}

string_serialization!(Atom, AtomError);

impl Atom {
    /// `=cat/pn-1.0`: this version and no other.
    #[must_use]
    pub fn exact(cpv: &Cpv) -> Self {
        Self::exact_package(&ExactPackage::from(cpv.clone()))
    }

    /// `=cat/pn-1.0-3`: this one binary package; any of its version where there is no BUILD_ID.
    #[must_use]
    pub fn exact_package(package: &ExactPackage) -> Self {
        Self {
            version: Some(VersionRequirement {
                operator: Operator::Equal,
                version: package.cpv.version.clone(),
                build_id: package.build_id,
            }),
            ..Self::any_version(&package.cpv.category_package)
        }
    }

    /// The same atom for the packages of one repository, `=cat/pn-1.0::gentoo`.
    #[must_use]
    pub fn of_repository(self, repository: &RepositoryName) -> Self {
        Self {
            repository: Some(repository.clone()),
            ..self
        }
    }

    /// `cat/pn`: every version.
    #[must_use]
    pub fn any_version(category_package: &CategoryPackage) -> Self {
        Self {
            blocker: None,
            category_package: category_package.clone(),
            version: None,
            slot: None,
            repository: None,
            use_dependencies: Vec::new(),
        }
    }

    /// Whether the atom is a blocker, and which one.
    #[must_use]
    pub fn blocker(&self) -> Option<Blocker> {
        self.blocker
    }

    /// The package that it speaks of.
    #[must_use]
    pub fn category_package(&self) -> &CategoryPackage {
        &self.category_package
    }

    /// The versions that it speaks of; all where it is absent.
    #[must_use]
    pub fn version(&self) -> Option<&VersionRequirement> {
        self.version.as_ref()
    }

    /// The slot dependency.
    #[must_use]
    pub fn slot(&self) -> Option<&SlotDependency> {
        self.slot.as_ref()
    }

    /// Whether the dependant is bound to slot and subslot (`:=`, `:0=`, `:0/2=`).
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.slot.as_ref().is_some_and(SlotDependency::is_bound)
    }

    /// The repository that the package must come from.
    #[must_use]
    pub fn repository(&self) -> Option<&RepositoryName> {
        self.repository.as_ref()
    }

    /// The USE dependencies, in the order written.
    #[must_use]
    pub fn use_dependencies(&self) -> &[UseDependency] {
        &self.use_dependencies
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.blocker {
            None => "",
            Some(Blocker::Weak) => "!",
            Some(Blocker::Strong) => "!!",
        })?;
        match &self.version {
            None => write!(formatter, "{}", self.category_package)?,
            Some(VersionRequirement {
                operator,
                version,
                build_id,
            }) => {
                let prefix = operator.prefix();
                write!(formatter, "{prefix}{}-{version}", self.category_package)?;
                if let Some(build_id) = build_id {
                    write!(formatter, "-{build_id}")?;
                }
                if *operator == Operator::EqualGlob {
                    formatter.write_str("*")?;
                }
            }
        }
        if let Some(slot) = &self.slot {
            write!(formatter, "{slot}")?;
        }
        if let Some(repository) = &self.repository {
            write!(formatter, "::{repository}")?;
        }
        for (index, dependency) in self.use_dependencies.iter().enumerate() {
            write!(
                formatter,
                "{}{dependency}",
                if index == 0 { "[" } else { "," }
            )?;
        }
        formatter.write_str(if self.use_dependencies.is_empty() {
            ""
        } else {
            "]"
        })
    }
}

#[cfg(test)]
mod tests;
