//! What a report says, in its order: the outline that text, Markdown and HTML are written from.

use jiff::SignedDuration;

use super::outline::{Block, Column, Entry, Mark, Outline, Row, Table};
use super::{BuilderReport, FailureReport, GuestOutcome, GuestReport, JobReport, Report, cruft};
use crate::message::{HeldBack, HoldReason, RunOutcome};
use crate::name::{BuilderName, GuestName};
use crate::words::{because, counted, seconds};
use gentoo_updater_portage::cpv::Cpv;

const FURTHER: &str = "A further round, for what was left open";

/// The columns of the packages.
const PACKAGES: [Column; 6] = [
    column("Package", "", Some(0)),
    column("State", "  ", Some(9)),
    column("Builder", " ", None),
    column("Time", " ", None),
    column("Held back by", " by ", None),
    column("For", "  for ", None),
];

const fn column(title: &'static str, before: &'static str, width: Option<usize>) -> Column {
    Column {
        title,
        before,
        width,
    }
}

impl Report {
    /// The report as plain text, as the command line prints it.
    pub fn to_text(&self) -> String {
        self.outline().to_text()
    }

    /// What the report says, as a document.
    pub fn outline(&self) -> Outline {
        let mut outline = Outline::default();
        outline.heading(1, self.headline());
        self.add_to(&mut outline, 2);
        outline
    }

    /// What came of one guest, with all that its findings tell; nothing where the run has no such
    /// guest.
    pub fn outline_of_guest(&self, name: &GuestName) -> Option<Outline> {
        self.guests.get(name)?;
        let mut outline = Outline::default();
        for round in self.rounds() {
            let Some(guest) = round.guests.get(name) else {
                break;
            };
            if round.run != self.run {
                outline.heading(2, FURTHER);
            }
            let entry = guest_entry(name, guest, Detail::Whole);
            outline.blocks.push(Block::List(vec![entry]));
        }
        Some(outline)
    }

    /// The same as plain text.
    pub fn guest_to_text(&self, name: &GuestName) -> Option<String> {
        let outline = self.outline_of_guest(name)?;
        Some(outline.to_text())
    }

    fn headline(&self) -> String {
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
        format!("Run {}: {state}", self.run)
    }

    /// All behind the headline, with headings of this level.
    fn add_to(&self, outline: &mut Outline, level: u8) {
        for words in self.head() {
            outline.paragraph(words);
        }
        let lines = |all: Vec<String>| all.into_iter().map(Entry::plain).collect();
        outline.section(level, "Waves", lines(texts(&self.waves)));
        outline.section(
            level,
            "First, as a step of its own; the rest follows in a further round",
            lines(texts(&self.barriers)),
        );
        outline.section(
            level,
            "Not without an approval",
            lines(texts(&self.unapproved)),
        );
        outline.section(level, "Waiting", lines(texts(&self.waits)));
        let guests = self.guests.iter();
        let guests = guests.map(|(name, guest)| guest_entry(name, guest, Detail::Short));
        outline.heading(level, "Guests");
        outline.blocks.push(Block::List(guests.collect()));
        outline.section(level, "Afterwards", lines(texts(&self.afterwards)));
        self.add_jobs(outline, level);
        outline.section(level, "Builders", self.builder_entries());
        let stores = self.stores.iter();
        let stores = stores.map(|(name, store)| store.entry(name));
        let searches = self.failure_entries(|it| it.step == "search" && !it.tried_again);
        outline.section(level, "Stores", stores.chain(searches).collect());
        let again = self.failure_entries(|it| it.tried_again);
        outline.section(level, "Failed, and tried again", again);
        if let Some(further) = &self.further {
            outline.heading(level, FURTHER);
            outline.paragraph(further.headline());
            further.add_to(outline, level + 1);
        }
    }

    /// What is true of the whole run.
    fn head(&self) -> Vec<String> {
        let pauses = self.paused.iter().map(|pause| {
            let (target, by, since) = (&pause.target, &pause.by, pause.since);
            let reason = because(pause.reason.as_deref());
            format!(
                "{target}: takes no new work, because {by} wants it so since {since:.0}{reason}"
            )
        });
        let revisions = self.repositories.iter().filter(|_| self.synced);
        let revisions =
            revisions.map(|(name, revision)| format!("Ebuild repository {name}: {revision}"));
        let holds = self.holds.iter().map(|hold| {
            let (target, by, since) = (&hold.target, &hold.by, hold.since);
            let reason = because(hold.reason.as_deref());
            format!("{target}: held by {by} since {since:.0}{reason}")
        });
        pauses.chain(revisions).chain(holds).collect()
    }

    fn add_jobs(&self, outline: &mut Outline, level: u8) {
        if !self.jobs.is_empty() {
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
            outline.heading(level, format!("Packages: {}", counts.join(", ")));
            outline.blocks.push(Block::Table(Table {
                columns: PACKAGES.to_vec(),
                rows: self.jobs.iter().map(job_row).collect(),
            }));
        }
        let rings = self.rings.iter().map(|ring| {
            Entry::finding(format!(
                "{} need each other: {} was built without {}, with what its builder had of it",
                ring.packages.join(", "),
                ring.first,
                ring.without.join(", ")
            ))
        });
        let rings: Vec<Entry> = rings.collect();
        if !rings.is_empty() {
            outline.blocks.push(Block::List(rings));
        }
    }

    /// Those failures that stand with nothing else.
    fn failure_entries(&self, is_meant: impl Fn(&FailureReport) -> bool) -> Vec<Entry> {
        let meant = self.failures.iter().filter(|it| is_meant(it));
        let entry = |it: &FailureReport| {
            Entry::item(Mark::Failure, &it.subject, Entry::failure(&it.failure))
        };
        meant.map(entry).collect()
    }

    fn builder_entries(&self) -> Vec<Entry> {
        let unusable = self.unusable.iter().map(|(name, failure)| {
            let words = format!("{name}: NOT USABLE, gets no work");
            Entry::item(Mark::Failure, words, Entry::failure(failure))
        });
        let builders = self.builders.iter();
        let builders = builders.map(|(name, builder)| builder_entry(name, builder));
        unusable.chain(builders).collect()
    }
}

fn texts<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

fn job_row(job: &JobReport) -> Row {
    let names: Vec<&str> = job.wanted_by.iter().map(GuestName::as_str).collect();
    let took = job.duration_ms.map(|ms| {
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        seconds(SignedDuration::from_millis(ms))
    });
    let findings = job.findings.iter();
    let findings = findings.map(|finding| Entry::of_finding(finding, false));
    let failure = job.failure.iter().flat_map(Entry::failure);
    Row {
        cells: vec![
            job.cpv.clone(),
            job.state.to_owned(),
            job.builder
                .as_ref()
                .map(BuilderName::to_string)
                .unwrap_or_default(),
            took.unwrap_or_default(),
            job.held_by.clone().unwrap_or_default(),
            match names.is_empty() {
                true => "builds only".to_owned(),
                false => names.join(" "),
            },
        ],
        entries: failure.chain(findings).collect(),
    }
}

/// How much is told of a guest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// A line for each finding.
    Short,
    /// Their details, too, and what changed.
    Whole,
}

fn guest_entry(name: &GuestName, guest: &GuestReport, detail: Detail) -> Entry {
    let words = guest.words();
    // What was installed since then has changed it.
    let words = match guest.unchanged_since {
        Some(since) if guest.untouched => {
            format!("{name}: {words} (unchanged since {since:.0})")
        }
        _ => format!("{name}: {words}"),
    };
    let mut entries = Vec::new();
    if guest.outcome == GuestOutcome::Pending {
        entries.extend(guest.updates.iter().map(Entry::plain));
    }
    entries.extend(guest.failure.iter().flat_map(Entry::failure));
    entries.extend(
        by_reason(&guest.held)
            .into_iter()
            .map(|(reason, packages)| {
                Entry::plain(format!("held back: {}: {reason}", packages.join(", ")))
            }),
    );
    let is_whole = detail == Detail::Whole;
    let findings = guest.findings.iter();
    entries.extend(findings.map(|finding| Entry::of_finding(finding, is_whole)));
    if is_whole {
        let version = |cpv: &Option<Cpv>| cpv.as_ref().map_or("-".to_owned(), Cpv::to_string);
        entries.extend(guest.changes.iter().map(|change| {
            let (before, after) = (version(&change.before), version(&change.after));
            Entry::plain(format!("{before} -> {after}"))
        }));
    }
    let mark = match guest.outcome {
        GuestOutcome::Failed | GuestOutcome::LeftOut => Mark::Failure,
        _ => Mark::Plain,
    };
    Entry::item(mark, words, entries)
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

fn builder_entry(name: &BuilderName, builder: &BuilderReport) -> Entry {
    let mut entries = Vec::new();
    for change in &builder.updated {
        if let (Some(before), Some(after)) = (&change.before, &change.after) {
            entries.push(Entry::plain(format!("updated: {before} -> {after}")));
        }
    }
    for before in builder.gone.iter().filter_map(|it| it.before.as_ref()) {
        entries.push(Entry::finding(format!(
            "{before} is gone: it was in the way of what a build needed; emerge --oneshot ={before} brings \
             it back"
        )));
    }
    let kept = builder.kept.iter();
    entries.extend(kept.map(|kept| Entry::plain(format!("kept: {}", kept.text))));
    if let Some(cruft) = &builder.cruft {
        entries.extend(cruft::entries(name, cruft));
    }
    let failures = builder.sync_failure.iter().chain(&builder.failure);
    entries.extend(failures.flat_map(Entry::failure));
    let findings = builder.findings.iter();
    entries.extend(findings.map(|finding| Entry::of_finding(finding, false)));
    let words = format!(
        "{name}: {} removed again, {} updated",
        counted(builder.removed.len(), "package"),
        builder.updated.len()
    );
    Entry::item(Mark::Plain, words, entries)
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
