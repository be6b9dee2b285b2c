//! What waits for an operator.

use serde::{Deserialize, Serialize};

use crate::inspect::HoldsView;
use crate::message::HoldTarget;
use crate::rollout::is_spent;
use crate::state::Fleet;
use crate::words::counted;

/// Something that waits for an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// What.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// That of dead letters.
pub(super) fn of_dead_letters(number: u64) -> Attention {
    let waits = if number == 1 { "waits" } else { "wait" };
    Attention {
        what: format!(
            "{} {waits}: messages that nobody could use",
            counted(number, "dead letter")
        ),
        remedy: "`gentoo-updater dead list`".to_owned(),
    }
}

/// All that is in the state, by what tells one from another.
pub(super) fn in_state(fleet: &Fleet) -> Vec<(String, Attention)> {
    let view = HoldsView::of(fleet);
    let waves = view.waves.iter().map(|waits| {
        let target = HoldTarget::Wave(waits.wave.clone());
        (
            format!("approval/{}/{}", waits.run, waits.wave),
            Attention {
                what: format!(
                    "wave {} of run {} waits for an approval",
                    waits.wave,
                    waits.run.short()
                ),
                remedy: approve(&target),
            },
        )
    });
    let put_back = view.put_back.iter().map(|back| {
        let packages: Vec<String> = back.packages.iter().map(ToString::to_string).collect();
        (
            format!("put-back/{}/{}/{}", back.run, back.guest, back.platform),
            Attention {
                what: format!(
                    "guest {} had to be put back from what run {} brought, and nobody gets it: {}",
                    back.guest,
                    back.run.short(),
                    packages.join(" ")
                ),
                remedy: format!(
                    "`gentoo-updater bisect {} --run {} --check CHECK`, with the check that failed, finds the \
                     package to blame; `gentoo-updater approve package NAME` lets one come again",
                    back.guest,
                    back.run.short()
                ),
            },
        )
    });
    let irreversible = view.irreversible.iter().map(|waits| {
        (
            format!("irreversible/{}", waits.package),
            Attention {
                what: format!(
                    "{} cannot be undone, and waits for an approval on {}",
                    waits.package,
                    counted(waits.guests.len(), "guest")
                ),
                remedy: format!(
                    "`gentoo-updater approve package {}`",
                    waits.package.category_package
                ),
            },
        )
    });
    let stopped = fleet.unfinished().filter(|run| is_spent(fleet, run));
    let stopped = stopped.map(|run| {
        (
            format!("budget/{}", run.id),
            Attention {
                what: format!(
                    "run {} begins nothing more: as many guests have failed as its budget allows",
                    run.id.short()
                ),
                remedy: format!("`gentoo-updater report {}`", run.id.short()),
            },
        )
    });
    let unfit = fleet.workers.iter().filter_map(|(worker, registration)| {
        let (_, failure) = registration.paused.as_ref()?;
        Some((
            format!("unfit/{worker}/{}", failure.cause),
            Attention {
                what: format!("{worker} takes no work: {failure}"),
                remedy: "`gentoo-updater workers`".to_owned(),
            },
        ))
    });
    waves
        .chain(put_back)
        .chain(irreversible)
        .chain(stopped)
        .chain(unfit)
        .collect()
}

fn approve(target: &HoldTarget) -> String {
    format!("`gentoo-updater approve {}`", target.in_shell())
}
