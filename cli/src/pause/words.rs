//! What a pause or its end means, in words. Pure.

use gentoo_updater_fleet::message::PauseTarget;
use gentoo_updater_fleet::name::WorkerId;
use gentoo_updater_fleet::state::{Fleet, Pause};
use gentoo_updater_fleet::words::because;
use jiff::Timestamp;

use crate::time::ago;

/// What a pause means, for who was or was not paused before.
pub(super) fn paused(
    before: &Fleet,
    after: &Fleet,
    target: &PauseTarget,
    now: Timestamp,
) -> String {
    let reason = |pause: &Pause| because(pause.reason.as_deref());
    if let Some(pause) = before.pauses.get(target) {
        let was = format!("by {} {}{}", pause.by, ago(pause.since, now), reason(pause));
        return match after.pauses.get(target) {
            Some(newer) if newer.reason != pause.reason => {
                format!("{target} stays paused{}. It was, {was}", reason(newer))
            }
            _ => format!("{target} is paused already, {was}"),
        };
    }
    format!(
        "{target} takes no new work from now on. What is begun goes on to its end. \
         `gentoo-updater resume {}` ends it.",
        argument(target)
    )
}

/// What the end of a pause means.
pub(super) fn resumed(
    before: &Fleet,
    after: &Fleet,
    target: &PauseTarget,
    now: Timestamp,
) -> String {
    let was_paused = before.pauses.len() > after.pauses.len();
    match (was_paused, still_paused(after, target)) {
        (true, None) => format!("{target} takes work again."),
        (false, None) => match target {
            PauseTarget::Role(role) => format!("No {role} was paused."),
            PauseTarget::Worker(worker) => format!("{worker} was not paused."),
        },
        (_, Some(Still::Role(role, pause))) => format!(
            "{target} STAYS PAUSED: {role} is, by {} {}. `gentoo-updater resume {}` ends that.",
            pause.by,
            ago(pause.since, now),
            argument(&role)
        ),
        (_, Some(Still::Unfit(cause))) => format!(
            "{target} STAYS PAUSED: its machine is unfit ({cause}). It takes work again by itself \
             when that is mended; `gentoo-updater workers` says more."
        ),
    }
}

/// Why somebody takes no work although nobody paused it by its own name.
pub(super) enum Still<'a> {
    /// Its role is paused.
    Role(PauseTarget, &'a Pause),
    /// Its machine is unfit, with the cause.
    Unfit(&'a str),
}

/// Why the target takes no work all the same.
pub(super) fn still_paused<'a>(fleet: &'a Fleet, target: &PauseTarget) -> Option<Still<'a>> {
    let PauseTarget::Worker(worker) = target else {
        return None;
    };
    let worker: &WorkerId = worker;
    let registered = fleet.workers.get(worker)?;
    let role = PauseTarget::Role(registered.role);
    if let Some(pause) = fleet.pauses.get(&role) {
        return Some(Still::Role(role, pause));
    }
    let (_, failure) = registered.paused.as_ref()?;
    Some(Still::Unfit(&failure.cause))
}

/// How the target is named on a command line.
fn argument(target: &PauseTarget) -> String {
    match target {
        PauseTarget::Role(role) => role.to_string(),
        PauseTarget::Worker(worker) => worker.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::message::Role;

    use super::*;
    use crate::testing::now;

    #[test]
    fn whoever_was_not_paused_is_told_so_in_the_number_that_it_has() {
        let nobody = Fleet::default();
        let words = |target| resumed(&nobody, &nobody, &target, now());
        let worker = PauseTarget::Worker("builder@b1".parse().unwrap());
        assert_eq!(
            words(PauseTarget::Role(Role::Scanner)),
            "No scanner was paused."
        );
        assert_eq!(words(worker), "builder@b1 was not paused.");
    }
}
