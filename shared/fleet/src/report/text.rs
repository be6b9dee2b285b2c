//! The report as plain text, as the command line prints it.

use std::fmt::Write as _;

use jiff::SignedDuration;

use super::{BuilderReport, GuestOutcome, GuestReport, Report, cruft};
use crate::message::{Failure, HeldBack, HoldReason, RunOutcome};
use crate::name::{BuilderName, GuestName};
use crate::words::{counted, seconds};
use gentoo_updater_portage::cpv::Cpv;

const FURTHER: &str = "A further round, for what was left open";

impl Report {
    /// The report as plain text, as the command line prints it.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        harmless(&text)
    }

    /// What came of one guest, with all that its findings tell; nothing where the run has no such
    /// guest.
    pub fn guest_to_text(&self, name: &GuestName) -> Option<String> {
        self.guests.get(name)?;
        let mut text = String::new();
        for round in self.rounds() {
            let Some(guest) = round.guests.get(name) else {
                break;
            };
            if round.run != self.run {
                let _ = writeln!(text, "\n{FURTHER}");
            }
            let _ = write_guest(&mut text, name, guest, Findings::Whole);
            for change in &guest.changes {
                let version =
                    |cpv: &Option<Cpv>| cpv.as_ref().map_or("-".to_owned(), Cpv::to_string);
                let (before, after) = (version(&change.before), version(&change.after));
                let _ = writeln!(text, "      {before} -> {after}");
            }
        }
        Some(harmless(&text))
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let state = match self.outcome {
            None => "goes on".to_owned(),
            Some(outcome) => {
                let took = self
                    .finished_at
                    .map(|end| end.duration_since(self.started_at));
                let took = took
                    .map(|took| format!(" after {}", seconds(took)))
                    .unwrap_or_default();
                match outcome {
                    RunOutcome::Complete => format!("complete{took}"),
                    RunOutcome::WithFailures => format!("finished with failures{took}"),
                }
            }
        };
        writeln!(out, "Run {}: {state}", self.run)?;
        for pause in &self.paused {
            let (target, by, since) = (&pause.target, &pause.by, pause.since);
            write!(
                out,
                "{target}: takes no new work, because {by} wants it so since {since:.0}"
            )?;
            match &pause.reason {
                Some(reason) => writeln!(out, ": {reason}")?,
                None => writeln!(out)?,
            }
        }
        if self.synced {
            for (name, revision) in &self.repositories {
                writeln!(out, "Ebuild repository {name}: {revision}")?;
            }
        }
        for hold in &self.holds {
            let (target, by, since) = (&hold.target, &hold.by, hold.since);
            write!(out, "{target}: held by {by} since {since:.0}")?;
            match &hold.reason {
                Some(reason) => writeln!(out, ": {reason}")?,
                None => writeln!(out)?,
            }
        }
        if !self.waves.is_empty() {
            writeln!(out, "\nWaves")?;
            for wave in &self.waves {
                writeln!(out, "  {wave}")?;
            }
        }
        if !self.barriers.is_empty() {
            writeln!(
                out,
                "\nFirst, as a step of its own; the rest follows in a further round"
            )?;
            for barrier in &self.barriers {
                writeln!(out, "  {barrier}")?;
            }
        }
        if !self.unapproved.is_empty() {
            writeln!(out, "\nNot without an approval")?;
            for unapproved in &self.unapproved {
                writeln!(out, "  {unapproved}")?;
            }
        }
        if !self.waits.is_empty() {
            writeln!(out, "\nWaiting")?;
            for wait in &self.waits {
                writeln!(out, "  {wait}")?;
            }
        }
        writeln!(out, "\nGuests")?;
        for (name, guest) in &self.guests {
            write_guest(out, name, guest, Findings::Short)?;
        }
        if !self.afterwards.is_empty() {
            writeln!(out, "\nAfterwards")?;
            for afterwards in &self.afterwards {
                writeln!(out, "  {afterwards}")?;
            }
        }
        if !self.jobs.is_empty() {
            self.write_jobs(out)?;
        }
        for ring in &self.rings {
            writeln!(
                out,
                "  ! {} need each other: {} was built without {}, with what its builder had of it",
                ring.packages.join(", "),
                ring.first,
                ring.without.join(", ")
            )?;
        }
        if !self.builders.is_empty() || !self.unusable.is_empty() {
            writeln!(out, "\nBuilders")?;
            for (name, failure) in &self.unusable {
                writeln!(out, "  {name}: NOT USABLE, gets no work")?;
                write_failure(out, failure)?;
            }
            for (name, builder) in &self.builders {
                write_builder(out, name, builder)?;
            }
        }
        if !self.stores.is_empty() {
            writeln!(out, "\nStores")?;
            for (name, store) in &self.stores {
                store.write(out, name)?;
            }
        }
        if let Some(further) = &self.further {
            writeln!(out, "\n{FURTHER}")?;
            further.write(out)?;
        }
        Ok(())
    }

    fn write_jobs(&self, out: &mut String) -> std::fmt::Result {
        let count = |state: &str| self.jobs.iter().filter(|job| job.state == state).count();
        let states = [
            "built",
            "reused",
            "failed",
            "held back",
            "building",
            "waiting",
        ];
        let counts: Vec<String> = states
            .iter()
            .filter(|state| count(state) > 0)
            .map(|state| format!("{} {state}", count(state)))
            .collect();
        writeln!(out, "\nPackages: {}", counts.join(", "))?;
        let width = self
            .jobs
            .iter()
            .map(|job| job.cpv.len())
            .max()
            .unwrap_or_default();
        for job in &self.jobs {
            write!(out, "  {:width$}  {:9}", job.cpv, job.state)?;
            if let Some(builder) = &job.builder {
                write!(out, " {builder}")?;
            }
            if let Some(ms) = job.duration_ms {
                write!(out, " {}", seconds(SignedDuration::from_millis(ms as i64)))?;
            }
            if let Some(by) = &job.held_by {
                write!(out, " by {by}")?;
            }
            let names: Vec<&str> = job.wanted_by.iter().map(GuestName::as_str).collect();
            let wanted = if names.is_empty() {
                "builds only".to_owned()
            } else {
                names.join(" ")
            };
            writeln!(out, "  for {wanted}")?;
            if let Some(failure) = &job.failure {
                write_failure(out, failure)?;
            }
            for finding in &job.findings {
                writeln!(out, "      ! {}", finding.text)?;
            }
        }
        Ok(())
    }
}

/// How much is told of findings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Findings {
    /// A line each.
    Short,
    /// Their details, too.
    Whole,
}

/// Some of the words are a machine's, and a terminal must not obey them.
fn harmless(text: &str) -> String {
    let is_harmless = |c: char| c == '\n' || c == '\t' || !c.is_control();
    text.chars()
        .map(|c| if is_harmless(c) { c } else { '\u{fffd}' })
        .collect()
}

fn write_guest(
    out: &mut String,
    name: &GuestName,
    guest: &GuestReport,
    findings: Findings,
) -> std::fmt::Result {
    let words = guest.words();
    // What was installed since then has changed it.
    match guest.unchanged_since {
        Some(since) if guest.untouched => {
            writeln!(out, "  {name}: {words} (unchanged since {since:.0})")?;
        }
        _ => writeln!(out, "  {name}: {words}")?,
    }
    if guest.outcome == GuestOutcome::Pending {
        for update in &guest.updates {
            writeln!(out, "      {update}")?;
        }
    }
    if let Some(failure) = &guest.failure {
        write_failure(out, failure)?;
    }
    for (reason, packages) in by_reason(&guest.held) {
        writeln!(out, "      held back: {}: {reason}", packages.join(", "))?;
    }
    for finding in &guest.findings {
        writeln!(out, "      ! {}", finding.text)?;
        if findings == Findings::Whole {
            for line in &finding.details {
                writeln!(out, "        | {line}")?;
            }
        }
    }
    Ok(())
}

/// The packages that are held back, together where the reason is the same, in their order.
fn by_reason(held: &[HeldBack]) -> Vec<(&HoldReason, Vec<String>)> {
    let mut all: Vec<(&HoldReason, Vec<String>)> = Vec::new();
    for one in held {
        let cpv = one.cpv.to_string();
        match all.iter_mut().find(|(reason, _)| **reason == one.reason) {
            Some((_, packages)) => packages.push(cpv),
            None => all.push((&one.reason, vec![cpv])),
        }
    }
    all
}

fn write_builder(
    out: &mut String,
    name: &BuilderName,
    builder: &BuilderReport,
) -> std::fmt::Result {
    writeln!(
        out,
        "  {name}: {} removed again, {} updated",
        counted(builder.removed.len(), "package"),
        builder.updated.len()
    )?;
    for change in &builder.updated {
        if let (Some(before), Some(after)) = (&change.before, &change.after) {
            writeln!(out, "      updated: {before} -> {after}")?;
        }
    }
    for before in builder.gone.iter().filter_map(|it| it.before.as_ref()) {
        writeln!(
            out,
            "      ! {before} is gone: it was in the way of what a build needed; emerge --oneshot \
             ={before} brings it back"
        )?;
    }
    for kept in &builder.kept {
        writeln!(out, "      kept: {}", kept.text)?;
    }
    if let Some(cruft) = &builder.cruft {
        cruft::write(out, name, cruft)?;
    }
    for failure in builder.sync_failure.iter().chain(&builder.failure) {
        write_failure(out, failure)?;
    }
    for finding in &builder.findings {
        writeln!(out, "      ! {}", finding.text)?;
    }
    Ok(())
}

pub(super) fn write_failure(out: &mut String, failure: &Failure) -> std::fmt::Result {
    writeln!(out, "      {}: {}", failure.cause, failure.message)?;
    for line in &failure.log_tail {
        writeln!(out, "      | {line}")?;
    }
    if let Some(path) = &failure.log_path {
        writeln!(out, "      the whole log: {path}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_for_one_reason_is_told_together() {
        let held = |cpv: &str, reason: HoldReason| HeldBack {
            cpv: cpv.parse().unwrap(),
            reason,
        };
        let back = || HoldReason::RolledBack("web".parse().unwrap());
        let all = [
            held("a/a-1", back()),
            held("b/b-1", HoldReason::BuildFailed),
            held("c/c-1", back()),
        ];
        let told = by_reason(&all);
        let packages: Vec<String> = told.iter().map(|(_, all)| all.join(",")).collect();
        assert_eq!(packages, ["a/a-1,c/c-1", "b/b-1"]);
        assert_eq!(*told[0].0, back());
    }
}
