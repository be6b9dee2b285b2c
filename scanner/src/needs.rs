//! Which packages a package needs, after the update, on this guest.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_portage::atom::{Atom, Candidate, SlotDependency};
use gentoo_updater_portage::build_key::BindingTarget;
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::dependency::Dependency;
use gentoo_updater_portage::name::{RepositoryName, SlotAndSubslot};

use crate::document::Metadata;

/// A package as the guest will have it after the update.
#[derive(Debug, Clone)]
pub(crate) struct Present<'a> {
    /// Package and version.
    pub(crate) cpv: &'a Cpv,
    /// Slot and subslot.
    pub(crate) slot: &'a SlotAndSubslot,
    /// Its repository.
    pub(crate) repository: Option<&'a RepositoryName>,
    /// Whether the update brings it.
    pub(crate) is_planned: bool,
}

impl Present<'_> {
    fn is_matched_by(&self, atom: &Atom) -> bool {
        atom.matches(&Candidate {
            cpv: self.cpv,
            slot: self.slot,
            repository: self.repository,
            build_id: None,
            use_flags: None,
        })
    }
}

/// What one planned package needs of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Planned packages that must be there before it is compiled.
    pub(crate) build: BTreeSet<Cpv>,
    /// Installed packages that its build may use.
    pub(crate) accepts: BTreeSet<Cpv>,
    /// Planned packages that it needs to run.
    pub(crate) runtime: BTreeSet<Cpv>,
    /// The slot and subslot that each `:=` dependency will have.
    pub(crate) bindings: BTreeMap<BindingTarget, SlotAndSubslot>,
}

/// Finds out what a planned package needs.
///
/// `||` groups reach each of their members that will be present. A library that is bound with
/// `:=` counts among the needs of the build, whichever variable names it: the subslot that is
/// recorded in a binary is the one that is installed where it is compiled.
pub(crate) fn needs_of(
    cpv: &Cpv,
    metadata: &Metadata,
    present: &[Present<'_>],
) -> Result<Needs, Failure> {
    let mut needs = Needs::default();
    let variables = [
        ("DEPEND", &metadata.depend, true, false),
        ("BDEPEND", &metadata.bdepend, true, false),
        ("RDEPEND", &metadata.rdepend, false, true),
        ("PDEPEND", &metadata.pdepend, false, true),
        ("IDEPEND", &metadata.idepend, false, true),
    ];
    for (variable, text, for_build, for_runtime) in variables {
        let dependency: Dependency = text.parse().map_err(|error| {
            let message = format!("{variable} of {cpv} cannot be understood: {error}");
            Failure::new(FailureClass::Permanent, "DependencyNotUnderstood", message)
        })?;
        for atom in dependency.atoms(|flag| metadata.enabled.contains(flag)) {
            let matched: Vec<&Present<'_>> = present
                .iter()
                .filter(|other| other.cpv != cpv && other.is_matched_by(atom))
                .collect();
            // BDEPEND is bound to what the builder has, which is no business of the guest's.
            let is_bound = atom.is_bound() && variable != "BDEPEND";
            let (planned, stays): (Vec<&Present<'_>>, Vec<&Present<'_>>) =
                matched.iter().copied().partition(|p| p.is_planned);
            let planned = planned.into_iter().map(|p| p.cpv.clone());
            if for_build || is_bound {
                needs.build.extend(planned.clone());
                let stays = stays.into_iter().map(|p| p.cpv.clone());
                needs.accepts.extend(stays);
            }
            if for_runtime {
                needs.runtime.extend(planned);
            }
            if is_bound && let Some(best) = matched.iter().max_by_key(|p| p.cpv) {
                needs.bindings.insert(target_of(atom), best.slot.clone());
            }
        }
    }
    Ok(needs)
}

/// What a `:=` atom binds to: the package, and the slot where the atom names one.
fn target_of(atom: &Atom) -> BindingTarget {
    let slot = match atom.slot() {
        Some(SlotDependency::Exact { slot, .. }) => Some(slot.clone()),
        _ => None,
    };
    BindingTarget {
        category_package: atom.category_package().clone(),
        slot,
    }
}
