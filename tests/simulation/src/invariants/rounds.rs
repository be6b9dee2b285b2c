//! Who wants more after an update is asked again, as often as allowed, and nobody else is.

use std::collections::BTreeSet;

use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_fleet::report::{GuestOutcome, guest_outcome};
use gentoo_updater_fleet::state::{Fleet, Run};
use gentoo_updater_portage::cpv::Cpv;

use super::End;
use crate::world::installed;

pub(super) fn missing_or_needless(end: &End<'_>) -> Vec<String> {
    let runs = &end.fleet.runs;
    let mut broken = Vec::new();
    for run in runs.values() {
        // Guests of this world never want the same twice.
        let wanted: BTreeSet<&GuestName> = match run.more_rounds {
            0 => BTreeSet::new(),
            _ => run
                .guests
                .keys()
                .filter(|name| wants_more(end.fleet, run, name))
                .collect(),
        };
        let asked: BTreeSet<&GuestName> = runs
            .values()
            .filter(|further| further.follows == Some(run.id))
            .flat_map(|further| further.guests.keys())
            .collect();
        if wanted != asked {
            broken.push(format!(
                "the further round of run {} is for {asked:?} and not for {wanted:?}",
                run.id
            ));
        }
    }
    let asked_for = runs.values().filter(|run| run.follows.is_none()).count();
    let further = runs.len() - asked_for;
    let different: BTreeSet<_> = runs.values().filter_map(|run| run.follows).collect();
    if different.len() != further {
        broken.push(format!(
            "{further} further rounds follow {} runs",
            different.len()
        ));
    }
    broken
}

/// Whether a guest says so, or lacks something that it wants and that was built after all.
fn wants_more(fleet: &Fleet, run: &Run, name: &GuestName) -> bool {
    match guest_outcome(run, name) {
        GuestOutcome::StillPending => true,
        GuestOutcome::HeldBack => could_have_more(fleet, run, name).unwrap_or(false),
        _ => false,
    }
}

fn could_have_more(fleet: &Fleet, run: &Run, name: &GuestName) -> Option<bool> {
    let guest = run.guests.get(name)?;
    let (mut scan, plan) = (guest.scan.as_deref()?.clone(), guest.plan.as_ref()?);
    // A run that is over has forgotten what was installed.
    scan.installed = scan
        .updates
        .iter()
        .map(|update| installed(update).into())
        .collect();
    let now = run.close(fleet, &scan, plan).install;
    let held = &guest.installation.as_ref()?.held;
    let gets = |cpv: &Cpv| now.iter().any(|update| update.key.cpv == *cpv);
    Some(held.iter().any(|held| gets(&held.cpv)))
}
