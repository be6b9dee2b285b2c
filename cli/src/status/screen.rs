//! The status as the lines of one screen. Pure.
//!
//! What does not fit is left out from the longest part first, and each part says how much it leaves out and
//! what tells it all.

use std::collections::BTreeMap;

use gentoo_updater_fleet::estimate::{Estimate, PastError};
use gentoo_updater_fleet::inspect::{
    EarlierStatus, GuestsStatus, RunStatus, StatusView, WorkStatus,
};
use gentoo_updater_fleet::message::{RunKind, RunOutcome};
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_fleet::report::{FailureReport, GuestOutcome};
use gentoo_updater_fleet::words::counted;
use jiff::{SignedDuration, Timestamp};

use super::wrap::{cut, wrapped};
use crate::output;
use crate::time::{ago, words};

/// How many lines what happened takes at most; what to do about it is never cut.
const MOST_LINES: usize = 2;

/// How a line is coloured where there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As the others.
    Plain,
    /// A heading.
    Heading,
    /// Something is wrong.
    Bad,
    /// Something waits, or is to be done.
    Attention,
    /// Beside the matter.
    Faint,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) tone: Tone,
    pub(super) text: String,
}

impl Line {
    fn new(tone: Tone, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { tone, text }
    }
}

/// How large the screen is, in characters. Without a height nothing is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: usize,
    pub(super) height: Option<usize>,
}

/// A part of the screen: what it shows can be cut from its end.
struct Part {
    heading: Option<Line>,
    items: Vec<Vec<Line>>,
    shown: usize,
    /// What tells all of it.
    all: &'static str,
}

impl Part {
    fn new(heading: Option<Line>, items: Vec<Vec<Line>>, all: &'static str) -> Self {
        Self {
            heading,
            shown: items.len(),
            items,
            all,
        }
    }

    fn lines(&self) -> Vec<Line> {
        if self.items.is_empty() {
            return Vec::new();
        }
        let left_out = self.items.len() - self.shown;
        let mut lines: Vec<Line> = self.heading.iter().cloned().collect();
        lines.extend(self.items.iter().take(self.shown).flatten().cloned());
        if left_out > 0 {
            let words = format!("  … and {left_out} more: `{}`", self.all);
            lines.push(Line::new(Tone::Faint, words));
        }
        lines
    }
}

/// The lines of the screen, none longer than it is wide.
pub(super) fn screen(view: &StatusView, notices: &[String], size: Size) -> Vec<Line> {
    let width = size.width.max(20);
    let notices = notices.iter().map(|notice| {
        let lines = wrapped(notice, width, "! ", "  ").into_iter();
        lines.map(|line| Line::new(Tone::Bad, line)).collect()
    });
    let mut parts = vec![Part::new(None, notices.collect(), "gentoo-updater report")];
    if view.going_on.is_empty() {
        let idle = vec![vec![Line::new(Tone::Heading, "No run goes on.")]];
        parts.push(Part::new(None, idle, ""));
    }
    for run in &view.going_on {
        let lines = run_lines(run, view, width);
        parts.push(Part::new(None, vec![lines], "gentoo-updater report"));
    }
    if let Some(last) = &view.last {
        let mut lines = run_lines(last, view, width);
        if !view.going_on.is_empty() {
            lines.retain(|line| line.tone == Tone::Heading);
        }
        parts.push(Part::new(None, vec![lines], "gentoo-updater report"));
    }
    let earlier = view.earlier.iter();
    let earlier = earlier.map(|it| earlier_lines(it, view.at, width));
    parts.push(Part::new(
        None,
        earlier.collect(),
        "gentoo-updater report RUN",
    ));
    let unheard = (!view.unheard.is_empty()).then(|| unheard_lines(&view.unheard, width));
    parts.push(Part::new(
        None,
        unheard.into_iter().collect(),
        "gentoo-updater scan",
    ));
    parts.push(at_work(view, width));
    let waiting = view.waiting.iter().map(|waiting| {
        let mut lines = toned(
            Tone::Attention,
            wrapped(&waiting.words, width, "  ", "    "),
        );
        lines.extend(next_step(waiting.next_step.as_deref(), width));
        lines
    });
    parts.push(Part::new(
        Some(Line::new(Tone::Heading, "Waiting")),
        waiting.collect(),
        "gentoo-updater report",
    ));
    let failures = view.failures.iter().map(|it| failure_lines(it, width));
    parts.push(Part::new(
        Some(Line::new(Tone::Heading, "Failed")),
        failures.collect(),
        "gentoo-updater report",
    ));
    if let Some(height) = size.height {
        fit(&mut parts, height);
    }
    let lines = parts.iter().flat_map(Part::lines);
    lines
        .map(|line| Line::new(line.tone, cut(&output::harmless(&line.text), width)))
        .collect()
}

/// Leaves items out of the part that has most lines, one by one, until all fits.
fn fit(parts: &mut [Part], height: usize) {
    loop {
        let lengths: Vec<usize> = parts.iter().map(|part| part.lines().len()).collect();
        if lengths.iter().sum::<usize>() <= height {
            return;
        }
        // One item of each part stays: that there are some is what matters most.
        let can_be_cut = parts.iter().enumerate().filter(|(_, part)| part.shown > 1);
        let longest = can_be_cut.max_by_key(|(place, _)| lengths.get(*place).copied());
        let Some((place, _)) = longest else {
            return;
        };
        if let Some(part) = parts.get_mut(place) {
            part.shown -= 1;
        }
    }
}

fn toned(tone: Tone, lines: Vec<String>) -> Vec<Line> {
    let lines = lines.into_iter();
    lines.map(|line| Line::new(tone, line)).collect()
}

fn next_step(step: Option<&str>, width: usize) -> Vec<Line> {
    let lines = step.map(|step| wrapped(step, width, "    next step: ", "      "));
    toned(Tone::Plain, lines.unwrap_or_default())
}

fn failure_lines(failure: &FailureReport, width: usize) -> Vec<Line> {
    let again = if failure.tried_again {
        " (tried again)"
    } else {
        ""
    };
    // Of several lines of a message the first tells what happened.
    let told = format!("{failure}{again}");
    let mut lines = wrapped(&told, width, "  ", "    ");
    if lines.len() > MOST_LINES {
        lines.truncate(MOST_LINES);
        if let Some(last) = lines.last_mut() {
            last.push_str(" …");
            *last = cut(last, width);
        }
    }
    let mut lines = toned(Tone::Bad, lines);
    lines.extend(next_step(Some(failure.next_step), width));
    lines
}

fn run_lines(run: &RunStatus, view: &StatusView, width: usize) -> Vec<Line> {
    let guests: usize = run.guests.iter().map(|alike| alike.guests.len()).sum();
    let kind = match run.kind {
        RunKind::Update => "update",
        RunKind::ScanOnly => "scan",
    };
    let short = run.run.short();
    let of = format!("{kind} of {}", counted(guests, "guest"));
    let further = run
        .follows
        .map(|run| format!(", a further round of {}", run.short()));
    let further = further.unwrap_or_default();
    let headline = match (run.outcome, run.finished_at) {
        (Some(outcome), Some(end)) => {
            let how = match outcome {
                RunOutcome::Complete => "complete",
                RunOutcome::WithFailures => "finished with failures",
            };
            format!(
                "Last run {short}, {of}{further}: {how} {}, after {}",
                ago(end, view.at),
                words(end.duration_since(run.started_at))
            )
        }
        _ => format!(
            "Run {short}, {of}{further}: goes on for {}",
            words(view.at.duration_since(run.started_at))
        ),
    };
    let mut lines = toned(Tone::Heading, wrapped(&headline, width, "", "  "));
    if run.outcome.is_none() {
        let end = match &run.estimate {
            Some(estimate) => format!("Expected to end {}", end_words(estimate, view.at)),
            None if run.kind == RunKind::ScanOnly => String::new(),
            None if !run.jobs.is_empty() => {
                "When it ends is not known while nobody works".to_owned()
            }
            None => "When it ends is not known before all guests have answered".to_owned(),
        };
        let off = view.runs_were_off.filter(|_| run.estimate.is_some());
        let off = off.map(|off| format!("; {}", error_words(off, "run")));
        if !end.is_empty() {
            let words = format!("{end}{}", off.unwrap_or_default());
            lines.extend(toned(Tone::Plain, wrapped(&words, width, "  ", "    ")));
        }
    }
    lines.extend(guest_lines(&run.guests, width));
    if !run.jobs.is_empty() {
        lines.push(Line::new(
            Tone::Plain,
            format!("  Packages: {}", jobs(&run.jobs)),
        ));
    }
    lines
}

/// A line for those who stand alike.
fn guest_lines(guests: &[GuestsStatus], width: usize) -> Vec<Line> {
    let line = |alike: &GuestsStatus| {
        let count = alike.guests.len();
        let begin = format!("  {count} {}: ", standing(alike.outcome));
        let room = width.saturating_sub(begin.chars().count());
        let tone = match alike.outcome {
            GuestOutcome::Failed | GuestOutcome::LeftOut => Tone::Bad,
            GuestOutcome::HeldBack | GuestOutcome::StillPending => Tone::Attention,
            _ => Tone::Plain,
        };
        Line::new(tone, format!("{begin}{}", names(&alike.guests, room)))
    };
    guests.iter().map(line).collect()
}

/// Guests of an earlier run that no newer one was about.
fn earlier_lines(earlier: &EarlierStatus, now: Timestamp, width: usize) -> Vec<Line> {
    let when = earlier
        .finished_at
        .map_or_else(String::new, |at| format!(" {}", ago(at, now)));
    let headline = format!("Not run again since run {}{when}", earlier.run.short());
    let mut lines = toned(Tone::Heading, wrapped(&headline, width, "", "  "));
    lines.extend(guest_lines(&earlier.guests, width));
    lines
}

/// Guests of which no run that is known was about.
fn unheard_lines(guests: &[GuestName], width: usize) -> Vec<Line> {
    let headline = "Not in the newest runs: `gentoo-updater scan` asks how they are";
    let mut lines = toned(Tone::Heading, wrapped(headline, width, "", "  "));
    let begin = format!("  {}: ", guests.len());
    let room = width.saturating_sub(begin.chars().count());
    lines.push(Line::new(
        Tone::Attention,
        format!("{begin}{}", names(guests, room)),
    ));
    lines
}

fn jobs(jobs: &BTreeMap<&'static str, usize>) -> String {
    let states = [
        "building",
        "waiting",
        "failed",
        "held back",
        "built",
        "reused",
    ];
    let counts = states
        .iter()
        .filter_map(|state| Some(format!("{} {state}", jobs.get(state)?)));
    counts.collect::<Vec<_>>().join(", ")
}

fn standing(outcome: GuestOutcome) -> &'static str {
    match outcome {
        GuestOutcome::Scanning => "being asked",
        GuestOutcome::Pending => "with updates pending",
        GuestOutcome::Building => "waiting for builds",
        GuestOutcome::Installing => "installing",
        GuestOutcome::UpToDate => "up to date",
        GuestOutcome::Updated => "updated",
        GuestOutcome::HeldBack => "with packages held back",
        GuestOutcome::StillPending => "updated, and want more by now",
        GuestOutcome::Waiting => "waiting for their turn",
        GuestOutcome::LeftOut => "LEFT OUT",
        GuestOutcome::Failed => "FAILED",
    }
}

/// As many names as there is room for, and the number of the others.
fn names(guests: &[GuestName], room: usize) -> String {
    let all: Vec<&str> = guests.iter().map(GuestName::as_str).collect();
    (0..=all.len())
        .rev()
        .map(|count| match all.len() - count {
            0 => all.join(" "),
            others if count == 0 => format!("{others}"),
            others => format!("{} and {others} more", all[..count].join(" ")),
        })
        .find(|text| text.chars().count() <= room)
        .unwrap_or_default()
}

fn at_work(view: &StatusView, width: usize) -> Part {
    let header = ["At work", "where", "for", "ends"].map(str::to_owned);
    let mut rows = vec![header];
    rows.extend(view.at_work.iter().map(|work| row(work, view.at)));
    let table = output::table(&rows);
    let mut lines = table.lines();
    let heading = lines.next().map(|line| Line::new(Tone::Heading, line));
    let items = lines.map(|line| vec![Line::new(Tone::Plain, cut(&format!("  {line}"), width))]);
    let mut items: Vec<Vec<Line>> = items.collect();
    let has_estimate = view.at_work.iter().any(|work| work.estimate.is_some());
    if let Some(off) = view.builds_were_off.filter(|_| has_estimate)
        && let Some(last) = items.last_mut()
    {
        let words = format!("  ({})", error_words(off, "build"));
        last.push(Line::new(Tone::Faint, words));
    }
    let heading = heading.map(|line| Line::new(line.tone, line.text.replacen("  ", "    ", 1)));
    Part::new(heading, items, "gentoo-updater queue list")
}

fn row(work: &WorkStatus, now: Timestamp) -> [String; 4] {
    let what = match (&work.task.subject, &work.task.job) {
        (Some(package), Some(_)) => format!("build {package}"),
        _ => work.task.to_string(),
    };
    let place = match &work.builder {
        Some(builder) => builder.to_string(),
        None => work.worker.to_string(),
    };
    let ends = work.estimate.as_ref().map(|estimate| match estimate.late {
        true => "later than expected".to_owned(),
        false => end_words(estimate, now),
    });
    [
        what,
        place,
        words(now.duration_since(work.since)),
        ends.unwrap_or_default(),
    ]
}

/// `in 27 min (12:31 UTC)`, with a question mark where it is a guess.
fn end_words(estimate: &Estimate, now: Timestamp) -> String {
    let left = estimate.ends_at.duration_since(now);
    let guess = if estimate.guessed { "?" } else { "" };
    let form = match left >= SignedDuration::from_hours(24) {
        true => "%Y-%m-%d %H:%M UTC",
        false => "%H:%M UTC",
    };
    format!(
        "in {}{guess} ({})",
        words(left),
        estimate.ends_at.strftime(form)
    )
}

fn error_words(off: PastError, what: &str) -> String {
    format!(
        "estimates of the last {} were off by {} % in the middle",
        counted(off.of, what),
        off.percent
    )
}
