//! What `rollback` and `bisect` say. Pure.

use std::collections::BTreeMap;

use gentoo_updater_fleet::message::Finding;
use gentoo_updater_fleet::name::{CheckName, GuestName, RunId};
use gentoo_updater_fleet::words::counted;
use gentoo_updater_installer::{Found, Step};
use gentoo_updater_portage::cpv::Cpv;

/// What came of putting a guest back.
pub(super) fn rolled_back(
    guest: &GuestName,
    run: RunId,
    packages: &[Cpv],
    findings: &[Finding],
) -> String {
    if packages.is_empty() {
        return format!(
            "{guest} has what it had before run {} already.\n",
            run.short()
        );
    }
    let mut text = format!(
        "{guest} has again what it had before run {}. No guest gets these until `gentoo-updater approve \
         guest {guest}`:\n",
        run.short()
    );
    for cpv in packages {
        text.push_str(&format!("  {cpv}\n"));
    }
    for finding in findings {
        text.push_str(&format!("! {}\n", finding.text));
    }
    text
}

/// The checks that fail all the same.
pub(super) fn failing(failing: &BTreeMap<CheckName, String>) -> String {
    let line = |(name, wrong): (&CheckName, &String)| {
        format!("The check {name} fails all the same: {wrong}. Is a service to be restarted?\n")
    };
    failing.iter().map(line).collect()
}

/// One state that was looked at.
pub(super) fn step(step: &Step) -> String {
    let with = match step.updated.as_slice() {
        [] => "without the update".to_owned(),
        [.., last] => format!(
            "with {} of the update, the last one {last}",
            counted(step.updated.len(), "package")
        ),
    };
    match &step.wrong {
        None => format!("{with}: well"),
        Some(wrong) => format!("{with}: {wrong}"),
    }
}

/// What came of the search.
pub(super) fn found(guest: &GuestName, found: &Found) -> String {
    let steps = counted(found.steps.len(), "step");
    let names: Vec<String> = found.culprits.iter().map(Cpv::to_string).collect();
    match names.as_slice() {
        [] => {
            let all = found.steps.iter().chain([&found.found]);
            let mut without = all.filter(|step| step.updated.is_empty());
            let why = match without.find_map(|step| step.wrong.as_ref()) {
                // What a shell says of a command that is not there.
                Some(wrong) if wrong.starts_with("it ended with 127") => format!(
                    "there is no such command on {guest}, and no check of that name in the configuration \
                     ({wrong})"
                ),
                Some(wrong) => format!("the check fails without the update, too ({wrong})"),
                None => "the check goes well with all of the update".to_owned(),
            };
            format!(
                "The update is not to blame: {why}. {guest} is as it was found. Where a service must be \
                 restarted to show the fault, let the check do that, or set restart_services = \"restart\".\n"
            )
        }
        [name] => format!(
            "To blame is {name}, found in {steps} among {}.\n{guest} has what it had before the update. \
             `gentoo-updater run` brings everything else again; this waits for `gentoo-updater approve \
             package ={name}`.\n",
            counted(found.packages, "package")
        ),
        names => format!(
            "To blame is one of these, which only go together, found in {steps} among {}:\n  {}\n\
             {guest} has what it had before the update. `gentoo-updater run` brings everything else again; \
             these wait for `gentoo-updater approve guest {guest}`.\n",
            counted(found.packages, "package"),
            names.join("\n  ")
        ),
    }
}

/// That there is no way back to before a run.
pub(super) fn nothing_kept(guest: &GuestName, is_named: bool, kept: &[RunId]) -> String {
    let why = "what a guest had is kept of the last 3 runs that installed something while its `rollback` \
               was on; it is on where it has checks";
    let runs: Vec<String> = kept.iter().map(RunId::short).collect();
    match (is_named, runs.as_slice()) {
        (true, runs @ [_, ..]) => format!(
            "{guest} has kept nothing of this run, but of {}: {why}",
            runs.join(", ")
        ),
        _ => format!("{guest} has kept nothing of what it had before an update: {why}"),
    }
}
