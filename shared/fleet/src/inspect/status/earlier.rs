//! Guests that no newer run was about.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::{GuestsStatus, by_outcome};
use crate::name::{GuestName, RunId};
use crate::report::{FailureReport, GuestOutcome, failures, guest_outcome};
use crate::state::{Fleet, Run};

/// A run that is over, with those of its guests that no newer run was about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EarlierStatus {
    /// The run.
    pub run: RunId,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Those of its guests, by how they stand.
    pub guests: Vec<GuestsStatus>,
}

/// All of them in the runs before these, the newest run first, and what failed there.
pub(super) fn earlier(
    fleet: &Fleet,
    shown: &[&Run],
    guests: &BTreeSet<GuestName>,
) -> (Vec<EarlierStatus>, Vec<FailureReport>) {
    let mut seen: BTreeSet<&GuestName> = shown.iter().flat_map(|run| run.guests.keys()).collect();
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for run in fleet
        .over
        .iter()
        .rev()
        .filter_map(|run| fleet.runs.get(run))
    {
        let last_heard: Vec<&GuestName> =
            run.guests.keys().filter(|name| seen.insert(name)).collect();
        let stand = last_heard.into_iter().filter(|name| guests.contains(*name));
        let stand: Vec<(&GuestName, GuestOutcome)> =
            stand.map(|name| (name, guest_outcome(run, name))).collect();
        if stand.is_empty() {
            continue;
        }
        let unwell: Vec<_> = stand.iter().filter(|(_, it)| needs_a_look(*it)).collect();
        let about = failures(fleet, run)
            .into_iter()
            .filter(|failure| match &failure.guest {
                Some(guest) => unwell.iter().any(|(name, _)| *name == guest),
                // What a guest lacks is held back by builds.
                None => {
                    failure.step == "build"
                        && unwell.iter().any(|(_, it)| *it == GuestOutcome::HeldBack)
                }
            });
        failed.extend(about);
        all.push(EarlierStatus {
            run: run.id,
            finished_at: run.finished.as_ref().map(|finished| finished.at),
            guests: by_outcome(stand.into_iter()),
        });
    }
    (all, failed)
}

fn needs_a_look(outcome: GuestOutcome) -> bool {
    matches!(
        outcome,
        GuestOutcome::Failed | GuestOutcome::LeftOut | GuestOutcome::HeldBack
    )
}
