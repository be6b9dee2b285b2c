//! Whether a package is one that an atom speaks of (PMS 8.3).

use super::{Atom, Operator, PackageUse, SlotDependency, UseDependency, VersionRequirement};
use crate::cpv::Cpv;
use crate::name::{RepositoryName, SlotAndSubslot, UseFlag};
use crate::version::Version;

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
    /// Its USE flags, where they are known.
    pub use_flags: Option<PackageUse<'a>>,
}

impl Atom {
    /// Whether `candidate` is one of the packages that the atom speaks of, whoever says it.
    ///
    /// A blocker matches what it blocks. Where the repository of the candidate is unknown, the
    /// atom's repository does not exclude it; where its USE flags are unknown, no USE dependency
    /// does. Of a conditional USE dependency (`flag?`, `!flag=`) only this is checked: that the
    /// candidate knows the flag, or the dependency has a default; see
    /// [`Atom::matches_for`] for the rest. All as `portage.dep.match_from_list` does it.
    #[must_use]
    pub fn matches(&self, candidate: &Candidate<'_>) -> bool {
        self.matches_without_use(candidate)
            && candidate.use_flags.as_ref().is_none_or(|package| {
                self.use_dependencies.iter().all(|dependency| {
                    if dependency.is_conditional() {
                        dependency.state(package).is_some()
                    } else {
                        dependency.is_satisfied_by(package, |_| false)
                    }
                })
            })
    }

    /// As [`Atom::matches`], and the conditional USE dependencies are checked too: the atom stands
    /// in the dependencies of a package whose USE flags are `enabled`.
    #[must_use]
    pub fn matches_for(
        &self,
        candidate: &Candidate<'_>,
        enabled: impl Fn(&UseFlag) -> bool,
    ) -> bool {
        self.matches_without_use(candidate)
            && candidate
                .use_flags
                .is_none_or(|package| self.violated_by(&package, enabled).is_empty())
    }

    /// The same atom as a dependant sees it whose USE flags are `enabled`: `dev-libs/a[ssl?,x=]`
    /// becomes `dev-libs/a[ssl,-x]` where `ssl` is enabled and `x` is not.
    ///
    /// The counterpart of `evaluate_conditionals` in Portage; that one loses the repository.
    #[must_use]
    pub fn evaluated(&self, enabled: impl Fn(&UseFlag) -> bool) -> Self {
        Self {
            use_dependencies: self
                .use_dependencies
                .iter()
                .filter_map(|dependency| dependency.evaluated(&enabled))
                .collect(),
            ..self.clone()
        }
    }

    /// The USE dependencies that `package` does not satisfy, in the order written, with `enabled`
    /// telling the flags of the dependant.
    ///
    /// The counterpart of `violated_conditionals` in Portage.
    #[must_use]
    pub fn violated_by(
        &self,
        package: &PackageUse<'_>,
        enabled: impl Fn(&UseFlag) -> bool,
    ) -> Vec<&UseDependency> {
        self.use_dependencies
            .iter()
            .filter(|dependency| !dependency.is_satisfied_by(package, &enabled))
            .collect()
    }

    /// Whether the atom speaks of this name and version, whatever else it asks for: for places
    /// that know no more of a package. A BUILD_ID that the atom asks for excludes nothing.
    #[must_use]
    pub fn matches_version(&self, cpv: &Cpv) -> bool {
        self.category_package == cpv.category_package
            && self
                .version
                .as_ref()
                .is_none_or(|wanted| wanted.matches(&cpv.version, wanted.build_id))
    }

    fn matches_without_use(&self, candidate: &Candidate<'_>) -> bool {
        self.category_package == candidate.cpv.category_package
            && self
                .version
                .as_ref()
                .is_none_or(|wanted| wanted.matches(&candidate.cpv.version, candidate.build_id))
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
    fn matches(&self, version: &Version, build_id: Option<u32>) -> bool {
        let ordering = || version.vercmp(&self.version);
        match self.operator {
            Operator::Less => ordering().is_lt(),
            Operator::LessOrEqual => ordering().is_le(),
            Operator::Equal => {
                (self.build_id.is_none() || self.build_id == build_id) && ordering().is_eq()
            }
            Operator::EqualGlob => version_begins_with(version, &self.version),
            Operator::EqualIgnoringRevision => {
                // Portage compares the texts here: ~cat/pn-1.0 does not match 1.00.
                version.without_revision() == self.version.without_revision()
            }
            Operator::GreaterOrEqual => ordering().is_ge(),
            Operator::Greater => ordering().is_gt(),
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
