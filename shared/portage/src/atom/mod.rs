//! Package dependency specifications, called atoms (PMS 8.3).

mod parse;
mod use_dependency;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cpv::{Cpv, ExactPackage};
use crate::name::{CategoryPackage, RepositoryName, Slot, SlotAndSubslot, string_serialization};
use crate::version::Version;

pub use parse::{AtomError, AtomErrorCause};
pub use use_dependency::{UseDefault, UseDependency, UseRequirement};

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
/// The grammar is that of the newest EAPI with Portage's extensions `::repository` and BUILD_ID,
/// and without wildcards in names (`*/*`), which PMS does not know.
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

/// What an atom is compared with: one package that exists.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Name and version.
    pub cpv: &'a Cpv,
    /// Slot and subslot.
    pub slot: &'a SlotAndSubslot,
    /// The repository that the package came from, where it is known.
    pub repository: Option<&'a RepositoryName>,
    /// The BUILD_ID of a binary package, where it has one.
    pub build_id: Option<u32>,
}

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

    /// Whether `candidate` is one of the packages that the atom speaks of.
    ///
    /// A blocker matches what it blocks. USE dependencies are not looked at: the answer is that of
    /// the same atom without them. Where the repository of the candidate is unknown, the atom's
    /// repository does not exclude it (Portage does the same).
    #[must_use]
    pub fn matches(&self, candidate: &Candidate<'_>) -> bool {
        self.category_package == candidate.cpv.category_package
            && self
                .version
                .as_ref()
                .is_none_or(|wanted| wanted.matches(candidate))
            && self.slot_matches(candidate.slot)
            && match (&self.repository, candidate.repository) {
                (Some(wanted), Some(repository)) => wanted == repository,
                _ => true,
            }
    }

    fn slot_matches(&self, candidate: &SlotAndSubslot) -> bool {
        match &self.slot {
            None | Some(SlotDependency::Any | SlotDependency::Bound) => true,
            Some(SlotDependency::Exact { slot, subslot, .. }) => {
                *slot == candidate.slot
                    && subslot
                        .as_ref()
                        .is_none_or(|wanted| *wanted == candidate.subslot)
            }
        }
    }
}

impl VersionRequirement {
    fn matches(&self, candidate: &Candidate<'_>) -> bool {
        let version = &candidate.cpv.version;
        let ordering = version.vercmp(&self.version);
        match self.operator {
            Operator::Less => ordering.is_lt(),
            Operator::LessOrEqual => ordering.is_le(),
            Operator::Equal => {
                ordering.is_eq() && (self.build_id.is_none() || self.build_id == candidate.build_id)
            }
            Operator::EqualGlob => version_begins_with(version, &self.version),
            Operator::EqualIgnoringRevision => {
                // Portage compares the texts here: ~cat/pn-1.0 does not match 1.00.
                version.without_revision() == self.version.without_revision()
            }
            Operator::GreaterOrEqual => ordering.is_ge(),
            Operator::Greater => ordering.is_gt(),
        }
    }
}

/// Whether `version` begins with the parts of `beginning`: `1.2.3` with `1.2`, but `1.20` not.
///
/// As in Portage: the texts are compared, leading zeros of the first number aside, and the
/// beginning must end where a part of the version ends.
fn version_begins_with(version: &Version, beginning: &Version) -> bool {
    fn without_leading_zeros(text: &str) -> &str {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let zeros = text.bytes().take_while(|byte| *byte == b'0').count();
        &text[zeros.min(digits.saturating_sub(1))..]
    }
    let version = without_leading_zeros(version.as_str());
    let beginning = without_leading_zeros(beginning.as_str());
    let Some(rest) = version.strip_prefix(beginning) else {
        return false;
    };
    let (Some(last), Some(next)) = (beginning.bytes().last(), rest.bytes().next()) else {
        return true;
    };
    b"._-".contains(&next) || last.is_ascii_digit() != next.is_ascii_digit()
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
