//! A further round: what guests want once they have what they asked for.
//!
//! An update can bring up another one: a dependency that only now is visible, a package that only
//! now can be rebuilt. The guests that say so after their installation are asked again by a run of
//! its own, so that everything holds for it that holds for a run.

use std::collections::{BTreeMap, BTreeSet};

use crate::message::{FindingKind, RunKind, RunRequested, ToSync};
use crate::name::{GuestName, PlatformName};
use crate::report::{GuestOutcome, guest_outcome};
use crate::state::{Fleet, Run};

/// The run that is to follow up on one that is about to end; none where no guest wants more, where
/// it would be one too many, or where a guest still wants what it wanted before its last round.
pub(super) fn further(fleet: &Fleet, run: &Run) -> Option<RunRequested> {
    let more_rounds = run.more_rounds.checked_sub(1)?;
    let before = run.follows.and_then(|before| fleet.runs.get(&before));
    let wants_more = |name: &GuestName| {
        guest_outcome(run, name) == GuestOutcome::StillPending
            && before.is_none_or(|before| wanted(before, name) != wanted(run, name))
    };
    let guests: BTreeMap<GuestName, PlatformName> = run
        .guests
        .iter()
        .filter(|(name, _)| wants_more(name))
        .map(|(name, guest)| (name.clone(), guest.platform.clone()))
        .collect();
    let (run, kind, follows) = (run.id.following(), RunKind::Update, Some(run.id));
    (!guests.is_empty()).then_some(RunRequested {
        run,
        kind,
        guests,
        // What was installed is a change, so they are asked anew all the same.
        force: false,
        // All of one run is of one state of the repositories.
        sync: ToSync::default(),
        more_rounds,
        follows,
    })
}

/// What a guest wanted after its installation, in its own words.
fn wanted<'a>(run: &'a Run, name: &GuestName) -> BTreeSet<&'a str> {
    let installation = run.guests.get(name).and_then(|g| g.installation.as_ref());
    let findings = installation.map_or(&[][..], |installation| &installation.findings);
    findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::StillPending)
        .map(|finding| finding.text.as_str())
        .collect()
}
