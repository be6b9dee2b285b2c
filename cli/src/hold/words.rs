//! What a hold or an approval means, in words. Pure.

use std::collections::BTreeSet;

use gentoo_updater_fleet::inspect::waits_for_approval;
use gentoo_updater_fleet::message::HoldTarget;
use gentoo_updater_fleet::state::{Fleet, Hold};
use gentoo_updater_fleet::words::{because, counted};
use jiff::Timestamp;

use crate::time::ago;

/// What a hold means, for what was or was not held before.
pub(super) fn held(before: &Fleet, after: &Fleet, target: &HoldTarget, now: Timestamp) -> String {
    let reason = |hold: &Hold| because(hold.reason.as_deref());
    let Some(now_held) = after.holds.get(target) else {
        return format!("{target} is over, and cannot be held.");
    };
    if let Some(hold) = before.holds.get(target) {
        let was = format!("by {} {}{}", hold.by, ago(hold.since, now), reason(hold));
        return match now_held.reason != hold.reason {
            true => format!("{target} stays held{}. It was, {was}", reason(now_held)),
            false => format!("{target} is held already, {was}"),
        };
    }
    let what = match target {
        HoldTarget::Run(_) | HoldTarget::Wave(_) | HoldTarget::Guest(_) => {
            "nothing more is begun of it, and what is begun goes on to its end"
        }
        HoldTarget::Package(_) => {
            "no guest gets it, nor what needs it, but for those on which it is being installed"
        }
    };
    let target_in_shell = target.in_shell();
    format!("{target} is held: {what}. `gentoo-updater approve {target_in_shell}` ends it.")
}

/// What an approval means.
pub(super) fn approved(
    before: &Fleet,
    after: &Fleet,
    target: &HoldTarget,
    is_said: bool,
) -> String {
    if !is_said {
        return format!("{target} was not held, and waits for no approval.");
    }
    let was_held = before.holds.contains_key(target);
    let others: Vec<String> = match target {
        HoldTarget::Run(_) => {
            let others = after.holds.keys();
            let others = others.filter(|other| matches!(other, HoldTarget::Wave(_)));
            others.map(HoldTarget::to_string).collect()
        }
        _ => Vec::new(),
    };
    let is_suspect = before.suspects_of(target).next().is_some();
    let what = match (target, was_held) {
        (HoldTarget::Guest(_) | HoldTarget::Package(_), true) => "is not held any more",
        (HoldTarget::Package(_), false) if !is_suspect => {
            "is approved, and comes with the next run"
        }
        (_, true) => "goes on",
        (_, false) => "is approved",
    };
    let mut text = format!("{target} {what}.");
    if was_held {
        text.push_str(still_waits(after, target));
    } else if is_suspect {
        text.push_str(&freed(before, after, target));
    }
    if !others.is_empty() {
        text.push_str(&format!(" STILL HELD: {}.", others.join(", ")));
    }
    text
}

/// What the end of a hold does not approve.
fn still_waits(fleet: &Fleet, target: &HoldTarget) -> &'static str {
    let is_suspect = fleet.suspects_of(target).next().is_some();
    match target {
        HoldTarget::Guest(_) if is_suspect => {
            " What it had to be put back from still waits: approve it once more."
        }
        _ if is_suspect => {
            " What guests had to be put back from still waits: approve it once more."
        }
        _ if waits_for_approval(fleet, target) => " It still waits: approve it once more.",
        _ => "",
    }
}

/// How many versions are listed.
const SHOWN: usize = 3;

/// What an approval lets come again, and what not, since others were put back from it, too.
fn freed(before: &Fleet, after: &Fleet, target: &HoldTarget) -> String {
    let (mut free, mut guests) = (BTreeSet::new(), BTreeSet::new());
    for suspect in before.suspects_of(target) {
        match after.suspect_of(&suspect.platform, &suspect.cpv) {
            Some(other) => drop(guests.insert(other.guest.as_str())),
            None => drop(free.insert((&suspect.cpv, &suspect.platform))),
        }
    }
    let mut text = " It frees nothing.".to_owned();
    if !free.is_empty() {
        let versions = free.iter().map(|(cpv, _)| cpv.to_string());
        let shown: Vec<String> = versions.take(SHOWN).collect();
        let more = match free.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let number = counted(free.len(), "version");
        let shown = shown.join(", ");
        text = format!(" {number} may come again with the next run: {shown}{more}.");
    }
    if !guests.is_empty() {
        let guests: Vec<&str> = guests.into_iter().collect();
        let guests = guests.join(", ");
        text.push_str(&format!(
            " The rest waits for guests that had to be put back from it, too: {guests}."
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::now;
    use gentoo_updater_fleet::state::Suspect;

    fn fleet(holds: &[(&HoldTarget, Option<&str>)]) -> Fleet {
        let hold = |(target, reason): &(&HoldTarget, Option<&str>)| {
            let hold = Hold {
                by: "operator@desk".parse().unwrap(),
                since: now(),
                reason: reason.map(str::to_owned),
            };
            ((*target).clone(), hold)
        };
        Fleet {
            holds: holds.iter().map(hold).collect(),
            ..Fleet::default()
        }
    }

    #[test]
    fn a_hold_says_what_it_means_and_what_ends_it() {
        let wave = HoldTarget::Wave("canary".parse().unwrap());
        let (none, one) = (fleet(&[]), fleet(&[(&wave, None)]));
        let words = held(&none, &one, &wave, now());
        assert!(
            words.starts_with("wave canary is held: nothing more is begun"),
            "{words}"
        );
        assert!(
            words.contains("`gentoo-updater approve wave canary`"),
            "{words}"
        );
        let words = held(&one, &one, &wave, now());
        assert!(
            words.starts_with("wave canary is held already, by operator@desk"),
            "{words}"
        );
        let other = fleet(&[(&wave, Some("a look"))]);
        let words = held(&one, &other, &wave, now());
        assert!(
            words.starts_with("wave canary stays held: a look. It was"),
            "{words}"
        );
        assert_eq!(
            held(&none, &none, &wave, now()),
            "wave canary is over, and cannot be held."
        );
    }

    #[test]
    fn what_ends_the_hold_of_a_package_can_be_typed() {
        let package = HoldTarget::Package(">=a/b-2".parse().unwrap());
        let words = held(&fleet(&[]), &fleet(&[(&package, None)]), &package, now());
        assert!(
            words.contains("`gentoo-updater approve package '>=a/b-2'`"),
            "{words}"
        );
    }

    #[test]
    fn an_approval_of_a_run_names_the_waves_that_are_held_by_their_own_names() {
        let wave = HoldTarget::Wave("canary".parse().unwrap());
        let run = HoldTarget::Run(gentoo_updater_fleet::name::RunId::generate());
        let (before, after) = (
            fleet(&[(&run, None), (&wave, None)]),
            fleet(&[(&wave, None)]),
        );
        let words = approved(&before, &after, &run, true);
        assert_eq!(words, format!("{run} goes on. STILL HELD: wave canary."));
        let words = approved(&after, &after, &run, false);
        assert_eq!(
            words,
            format!("{run} was not held, and waits for no approval.")
        );
        let guest = HoldTarget::Guest("g1".parse().unwrap());
        let words = approved(&fleet(&[(&guest, None)]), &after, &guest, true);
        assert_eq!(words, "guest g1 is not held any more.");
    }

    #[test]
    fn the_end_of_a_hold_approves_nothing_and_an_approval_says_what_it_frees() {
        let target = HoldTarget::Guest("g1".parse().unwrap());
        let put_back = |fleet: Fleet, guest: &str, versions: &[&str]| {
            let row = |version: &&str| Suspect {
                platform: "p".parse().unwrap(),
                cpv: version.parse().unwrap(),
                guest: guest.parse().unwrap(),
                run: gentoo_updater_fleet::name::RunId::generate(),
                at: now(),
            };
            let mut fleet = fleet;
            fleet.suspects.extend(versions.iter().map(row));
            fleet
        };
        let own = ["a/a-1", "b/b-1", "c/c-1", "d/d-1", "e/e-1"];
        let g1 = |fleet| put_back(fleet, "g1", &own);
        let words = approved(
            &g1(fleet(&[(&target, None)])),
            &g1(fleet(&[])),
            &target,
            true,
        );
        assert_eq!(
            words,
            "guest g1 is not held any more. What it had to be put back from still waits: approve it \
             once more."
        );
        let words = approved(&g1(fleet(&[])), &fleet(&[]), &target, true);
        assert_eq!(
            words,
            "guest g1 is approved. 5 versions may come again with the next run: a/a-1, b/b-1, c/c-1 \
             and 2 more."
        );
        let g2 = put_back(fleet(&[]), "g2", &own);
        let words = approved(&g1(g2.clone()), &g2, &target, true);
        assert_eq!(
            words,
            "guest g1 is approved. It frees nothing. The rest waits for guests that had to be put \
             back from it, too: g2."
        );
    }
}
