//! A further round: what guests want once they have what they asked for.
//!
//! An update can bring up another one: a dependency that only now is visible, a package that only
//! now can be rebuilt. The guests that say so after their installation are asked again by a run of
//! its own, so that everything holds for it that holds for a run.
//!
//! So are those that were installed without something that an operator's retry has brought.
//!
//! So are those that wait for the rest of what they want, because something went first as a step of its
//! own.
//!
//! So are those whose binaries were spoiled in the store behind the back of the run: the builder
//! that looks them up for the further round finds that out, and builds them again.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_portage::cpv::Cpv;

use super::install;
use crate::message::{Failure, FindingKind, RunKind, RunRequested, Task, ToSync};
use crate::name::{GuestName, JobId, PlatformName};
use crate::report::{GuestOutcome, guest_outcome};
use crate::state::{Closing, Fleet, JobProgress, Run};

/// The run that is to follow up on one that is about to end; none where no guest wants more, where
/// it would be one too many, or where a guest still wants what it wanted before its last round.
///
/// The rest of what guests want comes in such a run, too, where something went first. It is none too many
/// then: nothing goes first in it, so that it is the only one.
pub(super) fn further(fleet: &Fleet, run: &Run) -> Option<RunRequested> {
    // Nothing is begun once guests have failed, not by another run either.
    if install::is_stopped(fleet, run) {
        return None;
    }
    let closing = run.closing(fleet);
    let guests = run.guests.iter();
    let rest = guests.filter(|(name, guest)| closing.waits_for_the_rest(name, guest));
    let rest: BTreeSet<&GuestName> = rest.map(|(name, _)| name).collect();
    let may_have_more = run.more_rounds > 0;
    let is_asked = |name: &GuestName| {
        rest.contains(name) || may_have_more && wants_more(fleet, run, &closing, name)
    };
    let guests = run.guests.iter().filter(|(name, _)| is_asked(name));
    let guests: BTreeMap<GuestName, PlatformName> = guests
        .map(|(name, guest)| (name.clone(), guest.platform.clone()))
        .collect();
    let (retries, follows, mut rollout) = (run.retries, Some(run.id), run.rollout.clone());
    let more_rounds = match rest.is_empty() {
        true => run.more_rounds.saturating_sub(1),
        false => run.more_rounds,
    };
    if !rest.is_empty() {
        rollout.barriers.clear();
    }
    let (run, kind) = (run.id.following(), RunKind::Update);
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
        retries,
        rollout,
        schedule: None,
    })
}

/// Whether a guest wants what no round has brought so far and another one may bring.
fn wants_more(fleet: &Fleet, run: &Run, closing: &Closing<'_>, name: &GuestName) -> bool {
    let before = run.follows.and_then(|before| fleet.runs.get(&before));
    match guest_outcome(run, name) {
        GuestOutcome::StillPending => {
            before.is_none_or(|before| wanted(before, name) != wanted(run, name))
        }
        // What was built anew and is not seen again does not get better by a third try: the
        // guest's view of the store is to blame.
        GuestOutcome::Failed | GuestOutcome::HeldBack => {
            can_have_more(run, closing, name)
                || lacked_a_binary(run, name)
                    && !before.is_some_and(|before| lacked_a_binary(before, name))
        }
        _ => false,
    }
}

/// Whether something was held back when a guest was installed, and could be installed by now: it
/// was built after that.
fn can_have_more(run: &Run, closing: &Closing<'_>, name: &GuestName) -> bool {
    let Some(guest) = run.guests.get(name) else {
        return false;
    };
    let (Some(scan), Some(plan), Some(installation)) =
        (&guest.scan, &guest.plan, &guest.installation)
    else {
        return false;
    };
    let now = closing.close(scan, plan);
    let had = |cpv: &Cpv| installation.held.iter().all(|held| held.cpv != *cpv);
    now.install.iter().any(|update| !had(&update.key.cpv))
}

/// Whether a guest did not get what it wants because a binary in the store was not what it had been
/// stored as: when it was to be installed on the guest, or on a builder for something that the
/// guest wants.
fn lacked_a_binary(run: &Run, name: &GuestName) -> bool {
    let is_of_binary = |task| run.failure(&task).is_some_and(Failure::is_of_stored_binary);
    if guest_outcome(run, name) == GuestOutcome::Failed {
        return is_of_binary(Task::Install(name.clone()));
    }
    let plan = run.guests.get(name).and_then(|guest| guest.plan.as_ref());
    let progress = run.progress();
    let failed = |job: &JobId| match progress.get(job) {
        Some(JobProgress::Failed) => Some(job.clone()),
        Some(JobProgress::HeldBack(by)) => Some(by.clone()),
        _ => None,
    };
    let wanted = plan
        .into_iter()
        .flat_map(|plan| run.wanted(plan).into_values());
    let mut failed = wanted.filter_map(failed);
    failed.any(|job| is_of_binary(Task::Build(job)))
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
