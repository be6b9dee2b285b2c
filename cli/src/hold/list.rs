//! What is held and what waits for an approval, in words. Pure.

use std::fmt::{self, Write as _};

use gentoo_updater_fleet::inspect::HoldsView;
use gentoo_updater_fleet::message::HoldTarget;
use gentoo_updater_fleet::words::{because, counted};
use gentoo_updater_portage::cpv::Cpv;
use jiff::Timestamp;

use crate::back::BY_HAND;
use crate::time::ago;

/// How many versions of one rollback are listed.
const SHOWN: usize = 12;

/// Each with what ends it.
pub(super) fn text(view: &HoldsView, now: Timestamp) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, view, now);
    text
}

fn write(out: &mut String, view: &HoldsView, now: Timestamp) -> fmt::Result {
    if view.is_empty() {
        writeln!(out, "Nothing is held, and nothing waits for an approval.")?;
    }
    if !view.held.is_empty() {
        writeln!(out, "Held by operators (`gentoo-updater approve` ends it):")?;
    }
    for held in &view.held {
        let (since, reason) = (ago(held.since, now), because(held.reason.as_deref()));
        writeln!(out, "  {}  by {} {since}{reason}", held.target, held.by)?;
        if held
            .reason
            .as_ref()
            .is_some_and(|reason| reason.starts_with(BY_HAND))
            && let HoldTarget::Guest(guest) = &held.target
        {
            writeln!(
                out,
                "    where that was interrupted, {guest} may have a part of an update: approve it, and \
                 `gentoo-updater rollback {guest}`"
            )?;
        }
    }
    for waiting in &view.waves {
        let (wave, run) = (&waiting.wave, waiting.run.short());
        writeln!(
            out,
            "Wave {wave} of run {run} waits for `gentoo-updater approve wave {wave}`."
        )?;
    }
    for back in &view.put_back {
        let (guest, platform) = (&back.guest, &back.platform);
        writeln!(
            out,
            "{guest} was put back {}, and no guest of {platform} gets the {} of run {} until \
             `gentoo-updater approve guest {guest}`:",
            ago(back.at, now),
            counted(back.packages.len(), "version"),
            back.run.short(),
        )?;
        write_versions(out, &back.packages)?;
    }
    if !view.irreversible.is_empty() {
        writeln!(
            out,
            "Nothing could put a guest back to what was before these:"
        )?;
    }
    for version in &view.irreversible {
        let package = &version.package;
        let guests: Vec<&str> = version.guests.iter().map(|name| name.as_str()).collect();
        writeln!(
            out,
            "  {package}  for {}: `gentoo-updater approve package ={package}`",
            guests.join(" ")
        )?;
    }
    if !view.approved.is_empty() {
        let approved: Vec<String> = view.approved.iter().map(ToString::to_string).collect();
        writeln!(out, "Approved packages: {}", approved.join(" "))?;
    }
    Ok(())
}

fn write_versions(out: &mut String, versions: &[Cpv]) -> fmt::Result {
    for cpv in versions.iter().take(SHOWN) {
        writeln!(out, "  {cpv}")?;
    }
    match versions.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more: --json lists them"),
    }
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::inspect::{
        HeldView, HoldsView, PutBackView, UnapprovedView, WaitingWaveView,
    };
    use gentoo_updater_fleet::name::RunId;

    use super::*;
    use crate::testing::{before, golden, now};

    fn view() -> HoldsView {
        let run: RunId = "00000000-0000-7000-8000-000000000001".parse().unwrap();
        HoldsView {
            held: vec![HeldView {
                target: HoldTarget::Wave("others".parse().unwrap()),
                by: "operator@desk".parse().unwrap(),
                since: before(120),
                reason: Some("the canary looks odd".to_owned()),
            }],
            waves: vec![WaitingWaveView {
                run,
                wave: "important".parse().unwrap(),
            }],
            put_back: vec![PutBackView {
                guest: "web".parse().unwrap(),
                platform: "default".parse().unwrap(),
                run,
                at: before(3600),
                packages: (0..14)
                    .map(|number| format!("a/a-{number}").parse().unwrap())
                    .collect(),
            }],
            irreversible: vec![UnapprovedView {
                package: "sys-libs/glibc-2.43".parse().unwrap(),
                guests: vec!["db".parse().unwrap(), "web".parse().unwrap()],
            }],
            approved: vec!["dev-db/postgresql".parse().unwrap()],
        }
    }

    #[test]
    fn each_is_told_with_what_ends_it() {
        let text = text(&view(), now());
        for line in [
            "  wave others  by operator@desk 2 min ago: the canary looks odd\n",
            "Wave important of run 000000000001 waits for `gentoo-updater approve wave important`.\n",
            "web was put back 1 h ago, and no guest of default gets the 14 versions of run \
             000000000001 until `gentoo-updater approve guest web`:\n  a/a-0\n",
            "  and 2 more: --json lists them\n",
            "  sys-libs/glibc-2.43  for db web: `gentoo-updater approve package =sys-libs/glibc-2.43`\n",
            "Approved packages: dev-db/postgresql\n",
        ] {
            assert!(text.contains(line), "{line:?} is missing in\n{text}");
        }
        assert_eq!(
            super::text(&HoldsView::default(), now()),
            "Nothing is held, and nothing waits for an approval.\n"
        );
    }

    #[test]
    fn a_guest_that_is_worked_on_by_hand_may_have_been_left_so() {
        let mut view = view();
        view.held[0].target = HoldTarget::Guest("web".parse().unwrap());
        view.held[0].reason = Some(format!("{BY_HAND}bisect"));
        let text = text(&view, now());
        assert!(text.contains("`gentoo-updater rollback web`\n"), "{text}");
    }

    #[test]
    fn programs_get_all_of_it() {
        golden("holds", &view());
    }
}
