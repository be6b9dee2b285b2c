//! The rows of a guest's plan as updates.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_fleet::message::{Change, Failure, Finding, FindingKind, Purpose, Update};
use gentoo_updater_portage::atom::{Atom, Candidate};
use gentoo_updater_portage::build_key::BuildKey;
use gentoo_updater_portage::compact::CompactSet;
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::{RepositoryName, SlotAndSubslot, UseFlag};
use gentoo_updater_portage::plan::{Row, RowKind, UseState};

use super::permanent;
use crate::document::{Document, Metadata};
use crate::needs::{Present, needs_of};

/// The updates that the rows of a plan are, with what each needs.
pub(super) fn updates(
    document: &Document,
    rows: &[Row],
    findings: &mut Vec<Finding>,
) -> Result<Vec<Update>, Failure> {
    let mut planned: Vec<Planned<'_>> = Vec::new();
    for row in rows {
        match row.kind {
            RowKind::Ebuild => planned.push(Planned::of(row, document)?),
            RowKind::NoMerge => {}
            RowKind::Uninstall => {
                let text = format!("Portage will remove {}, which blocks an update", row.cpv);
                findings.push(Finding::new(FindingKind::Other, &text));
            }
            RowKind::Binary => {
                let message = format!("{} is a binary in a plan that was made of ebuilds", row.cpv);
                return Err(permanent("PlanNotUnderstood", message));
            }
        }
    }
    let present = after_the_update(document, &planned);
    let mut updates = Vec::new();
    for planned in &planned {
        let Planned { row, metadata, .. } = planned;
        let needs = needs_of(&row.cpv, metadata, &present)?;
        // The plan shows what it was made with; hidden flags are known to Portage's API alone.
        let flag_state = |flag: &UseFlag| {
            let is_on = row.use_flags.enabled.contains(flag)
                || (!row.use_flags.disabled.contains(flag) && metadata.enabled.contains(flag));
            (flag.clone(), is_on)
        };
        let key = BuildKey {
            cpv: row.cpv.clone(),
            slot: planned.slot.clone(),
            repository: planned.repository.clone(),
            ebuild_digest: metadata.ebuild_digest.clone(),
            use_flags: metadata.iuse.iter().map(flag_state).collect(),
            bindings: needs.bindings.into(),
            environment_digest: metadata.environment_digest.clone(),
            kernel: document.kernel.clone().filter(|_| metadata.builds_modules),
        };
        updates.push(Update {
            key: key.into(),
            change: change_of(row),
            previous: row
                .previous
                .iter()
                .map(|previous| previous.version.to_string())
                .collect(),
            purpose: Purpose::Runtime,
            build_needs: needs.build.into(),
            runtime_needs: needs.runtime.into(),
            accepts: needs.accepts.into(),
            download: row.size_bytes.filter(|bytes| *bytes > 0),
            switched_flags: switched(&row.use_flags),
        });
    }
    Ok(updates)
}

/// A row of the plan, with all that a build key needs.
struct Planned<'a> {
    row: &'a Row,
    slot: &'a SlotAndSubslot,
    repository: &'a RepositoryName,
    metadata: &'a Metadata,
}

impl<'a> Planned<'a> {
    fn of(row: &'a Row, document: &'a Document) -> Result<Self, Failure> {
        let (Some(slot), Some(repository)) = (&row.slot, &row.repository) else {
            let message = format!(
                "the plan does not say of which slot or repository {} is: Portage says so since \
                 2.2.16, unless it runs with --quiet-repo-display or does not know the repository",
                row.cpv
            );
            return Err(permanent("PlanNotUnderstood", message));
        };
        let name = format!("{}::{repository}", row.cpv);
        let metadata = document.metadata.get(&name).ok_or_else(|| {
            let message = format!("the guest knows no metadata of {name}");
            permanent("MetadataMissing", message)
        })?;
        Ok(Self {
            row,
            slot,
            repository,
            metadata,
        })
    }
}

/// The packages that the guest will have: what is planned, and what is installed and not
/// replaced by it.
fn after_the_update<'a>(document: &'a Document, planned: &[Planned<'a>]) -> Vec<Present<'a>> {
    let replaced: BTreeSet<_> = planned
        .iter()
        .map(|planned| (&planned.row.cpv.category_package, &planned.slot.slot))
        .collect();
    let new = planned.iter().map(|planned| Present {
        cpv: &planned.row.cpv,
        slot: planned.slot,
        repository: Some(planned.repository),
        is_planned: true,
    });
    let stays = document
        .installed
        .iter()
        .filter(|old| !replaced.contains(&(&old.cpv.category_package, &old.slot.slot)))
        .map(|old| Present {
            cpv: &old.cpv,
            slot: &old.slot,
            repository: old.repository.as_ref(),
            is_planned: false,
        });
    new.chain(stays).collect()
}

/// The flags that differ from those of the installed package and that both have.
fn switched(flags: &UseState) -> BTreeSet<UseFlag> {
    let changed = flags.changed.iter();
    let both = changed.filter(|flag| !flags.new.contains(flag) && !flags.removed.contains(flag));
    both.cloned().collect()
}

fn change_of(row: &Row) -> Change {
    let status = &row.status;
    if status.downgrade {
        Change::Downgrade
    } else if status.upgrade {
        Change::Upgrade
    } else if status.new_slot {
        Change::NewSlot
    } else if status.new {
        Change::New
    } else if status.rebuild {
        Change::Rebuild
    } else {
        Change::Reinstall
    }
}

/// A new package that only the DEPEND or BDEPEND of others reaches is no business of a guest
/// that installs binaries.
pub(super) fn mark_what_only_builds_need(document: &Document, updates: &mut [Update]) {
    let world: Vec<Result<Atom, _>> = document.world.iter().map(|text| text.parse()).collect();
    // A set that Portage did not resolve, say: nobody can tell what it wants, so all is wanted.
    if world.iter().any(Result::is_err) {
        return;
    }
    let is_wanted = |update: &Update| {
        world.iter().flatten().any(|atom| {
            atom.matches(&Candidate {
                cpv: &update.key.cpv,
                slot: &update.key.slot,
                repository: Some(&update.key.repository),
                build_id: None,
                use_flags: None,
            })
        })
    };
    let needed_by_builds: BTreeSet<Cpv> = updates
        .iter()
        .flat_map(|update| update.build_needs.iter().cloned())
        .collect();
    let is_suspect = |update: &Update| {
        matches!(update.change, Change::New | Change::NewSlot)
            && needed_by_builds.contains(&update.key.cpv)
            && !is_wanted(update)
    };
    let runtime_needs: BTreeMap<Cpv, CompactSet<Cpv>> = updates
        .iter()
        .map(|update| (update.key.cpv.clone(), update.runtime_needs.clone()))
        .collect();
    let mut kept: BTreeSet<Cpv> = BTreeSet::new();
    let mut open: Vec<Cpv> = updates
        .iter()
        .filter(|update| !is_suspect(update))
        .map(|update| update.key.cpv.clone())
        .collect();
    while let Some(cpv) = open.pop() {
        if kept.insert(cpv.clone()) {
            open.extend(runtime_needs.get(&cpv).into_iter().flatten().cloned());
        }
    }
    for update in updates {
        if !kept.contains(&update.key.cpv) {
            update.purpose = Purpose::BuildOnly;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_switched_where_both_versions_have_it() {
        let flags = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        let state = UseState {
            enabled: flags(&["python_targets_python3_13", "new"]),
            disabled: flags(&["python_targets_python3_12", "ssl"]),
            changed: flags(&[
                "python_targets_python3_13",
                "python_targets_python3_12",
                "new",
                "gone",
            ]),
            new: flags(&["new", "ssl"]),
            removed: flags(&["gone"]),
            ..UseState::default()
        };
        let switched = switched(&state);
        let switched: Vec<&str> = switched.iter().map(UseFlag::as_str).collect();
        let targets = ["python_targets_python3_12", "python_targets_python3_13"];
        assert_eq!(switched, targets);
    }
}
