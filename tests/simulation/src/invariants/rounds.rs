//! Who wants more after an update is asked again, as often as allowed, and nobody else is.

use std::collections::BTreeSet;

use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_fleet::report::{GuestOutcome, guest_outcome};
use gentoo_updater_fleet::state::Run;

use super::End;

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
                .filter(|name| wants_more(run, name))
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

fn wants_more(run: &Run, name: &GuestName) -> bool {
    guest_outcome(run, name) == GuestOutcome::StillPending
}
