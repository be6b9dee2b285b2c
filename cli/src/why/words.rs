//! The chain as text. Pure.

use gentoo_updater_fleet::inspect::{
    Answer, PlanProgress, WhyAttempt, WhyBinary, WhyGuest, WhyJob, WhyUpdate, WhyView,
};
use gentoo_updater_fleet::message::{Purpose, RunKind, RunOutcome};
use gentoo_updater_fleet::name::{GuestName, RunId};
use gentoo_updater_fleet::words::{seconds, size};
use jiff::{SignedDuration, Timestamp};

use crate::output;
use crate::time::{ago, words};

/// How many guests that have the same to tell are named.
const NAMED: usize = 12;

/// All of it: jobs first, then guests, then the other runs.
pub(super) fn text(view: &WhyView, others: &[RunId], now: Timestamp) -> String {
    let mut out = vec![format!(
        "{} in run {}: {}",
        view.package,
        view.run,
        run(view, now)
    )];
    for job in &view.jobs {
        out.push(String::new());
        out.extend(job_lines(view, job, now));
    }
    if view.jobs.is_empty() && view.kind == RunKind::Update {
        out.push(String::new());
        out.push("No job of this run builds it.".to_owned());
    }
    // Guests of which the same is to be told are told of together.
    let mut groups: Vec<(Vec<&GuestName>, Vec<String>)> = Vec::new();
    for guest in &view.guests {
        let lines = guest_lines(guest, now);
        match groups.iter_mut().find(|(_, known)| *known == lines) {
            Some((names, _)) => names.push(&guest.guest),
            None => groups.push((vec![&guest.guest], lines)),
        }
    }
    for (guests, lines) in groups {
        out.push(String::new());
        out.push(format!(
            "Guest{} {}",
            if guests.len() > 1 { "s" } else { "" },
            names(&guests)
        ));
        out.extend(lines);
    }
    if !others.is_empty() {
        let others: Vec<String> = others.iter().map(RunId::short).collect();
        out.push(String::new());
        out.push(format!(
            "Other runs about it, the newest first: {} (--run ID tells of one)",
            others.join(" ")
        ));
    }
    output::harmless(&format!("{}\n", out.join("\n")))
}

fn names(guests: &[&GuestName]) -> String {
    let names: Vec<&str> = guests.iter().map(|name| name.as_str()).collect();
    let (named, others) = names.split_at(names.len().min(NAMED));
    match others.len() {
        0 => named.join(" "),
        others => format!("{} and {others} more", named.join(" ")),
    }
}

fn run(view: &WhyView, now: Timestamp) -> String {
    let kind = match view.kind {
        RunKind::Update => "update",
        RunKind::ScanOnly => "scan",
    };
    match (view.outcome, view.finished_at) {
        (Some(RunOutcome::Complete), Some(at)) => format!("{kind}, complete {}", ago(at, now)),
        (Some(RunOutcome::WithFailures), Some(at)) => {
            format!("{kind}, finished with failures {}", ago(at, now))
        }
        _ => format!(
            "{kind}, goes on for {}",
            words(now.duration_since(view.started_at))
        ),
    }
}

fn job_lines(view: &WhyView, job: &WhyJob, now: Timestamp) -> Vec<String> {
    let mut lines = vec![format!(
        "Job {}  {}:{}::{}  for platform {}",
        job.job.short(),
        job.cpv,
        job.slot,
        job.repository,
        job.platform
    )];
    if !job.use_flags.is_empty() {
        lines.push(format!("  USE: {}", job.use_flags.join(" ")));
    }
    let guests: Vec<&GuestName> = job.wanted_by.iter().collect();
    lines.push(match guests.is_empty() {
        true => "  wanted by no guest: only builds need it".to_owned(),
        false => format!("  wanted by {}", names(&guests)),
    });
    for other in &job.differs {
        let differences = other.differences.iter().map(ToString::to_string);
        let differences: Vec<String> = differences.collect();
        let name = view.jobs.iter().find(|it| it.job == other.from);
        let name = name.map(|it| format!(" ({})", it.cpv)).unwrap_or_default();
        lines.push(format!(
            "  differs from job {}{name}: {}",
            other.from.short(),
            differences.join("; ")
        ));
    }
    let waits: Vec<String> = job.waits_for.iter().map(ToString::to_string).collect();
    lines.push(match &job.progress {
        PlanProgress::Waiting => format!("  waits for {}", waits.join(", ")),
        PlanProgress::Ready => "  ready to be built, and not begun".to_owned(),
        PlanProgress::Claimed { by, since } => {
            format!("  is being built by {by} for {}", words(now.duration_since(*since)))
        }
        PlanProgress::Built { on, reused: true } => {
            format!("  not built: the store held it already, as {on} found")
        }
        PlanProgress::Built { on, reused: false } => format!("  built on {on}"),
        PlanProgress::Failed { cause } => format!("  FAILED: {cause}"),
        PlanProgress::HeldBack { by } => match &job.held_back_by {
            Some(cpv) => format!(
                "  held back: it needs {cpv}, which could not be built; `gentoo-updater why ={cpv}` tells of that"
            ),
            None => format!("  held back: it needs job {}, which could not be built", by.short()),
        },
    });
    lines.extend(
        job.attempts
            .iter()
            .flat_map(|attempt| attempt_lines(attempt, now)),
    );
    lines.extend(job.binary.iter().flat_map(binary_lines));
    lines
}

fn attempt_lines(attempt: &WhyAttempt, now: Timestamp) -> Vec<String> {
    let mut parts = Vec::new();
    if let (Some(queue), Some(at)) = (&attempt.queue, attempt.issued_at) {
        parts.push(format!("issued to {queue} {}", ago(at, now)));
    }
    if let (Some(worker), Some(at)) = (&attempt.worker, attempt.claimed_at) {
        let on = attempt
            .builder
            .as_ref()
            .map(|builder| format!(" on {builder}"));
        parts.push(format!(
            "taken by {worker}{} {}",
            on.unwrap_or_default(),
            ago(at, now)
        ));
    } else if attempt.ended_at.is_none() {
        parts.push("taken by nobody yet".to_owned());
    }
    let took = attempt.claimed_at.zip(attempt.ended_at);
    let took = took.map(|(from, to)| format!(" after {}", seconds(to.duration_since(from))));
    let took = took.unwrap_or_default();
    match attempt.succeeded {
        Some(true) => parts.push(format!("well{took}")),
        Some(false) => parts.push(format!("FAILED{took}")),
        None => {}
    }
    let mut lines = vec![format!(
        "  attempt {}: {}",
        attempt.number,
        parts.join(", ")
    )];
    if let Some(failure) = &attempt.failure {
        lines.push(format!("    {}: {}", failure.cause, failure.message));
        lines.extend(failure.log_tail.iter().map(|line| format!("    | {line}")));
        let path = failure.log_path.iter();
        lines.extend(path.map(|path| format!("    the whole log: {path}")));
        let next = attempt.next_step.iter();
        lines.extend(next.map(|next| format!("    next step: {next}")));
    }
    lines
}

fn binary_lines(binary: &WhyBinary) -> Vec<String> {
    let took = SignedDuration::from_millis(i64::try_from(binary.duration_ms).unwrap_or(i64::MAX));
    let took = match binary.reused {
        true => String::new(),
        false => format!(", built in {}", seconds(took)),
    };
    let mut lines = vec![
        format!(
            "  binary {}: BUILD_ID {}, {}{took}",
            binary.path.as_str(),
            binary.build_id,
            size(binary.size)
        ),
        format!("    SHA-256 {}", binary.sha256),
    ];
    let log = binary.log_path.iter();
    lines.extend(log.map(|log| format!("    the log of its build: {log}")));
    lines
}

fn guest_lines(guest: &WhyGuest, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    if !guest.had.is_empty() {
        let had: Vec<String> = guest.had.iter().map(ToString::to_string).collect();
        lines.push(format!("  had {}", had.join(", ")));
    }
    lines.extend(guest.updates.iter().flat_map(update_lines));
    lines.extend(
        guest
            .answer
            .iter()
            .flat_map(|answer| answer_lines(answer, "  ")),
    );
    for attempt in &guest.attempts {
        let mut told = attempt_lines(attempt, now).into_iter();
        // The failure stands with the package.
        let first = told
            .next()
            .map(|line| line.replacen("attempt", "installation, attempt", 1));
        lines.extend(first);
    }
    lines
}

fn update_lines(update: &WhyUpdate) -> Vec<String> {
    let previous = match update.previous.is_empty() {
        true => String::new(),
        false => format!(" from {}", update.previous.join(", ")),
    };
    let purpose = match update.purpose {
        Purpose::Runtime => "",
        Purpose::BuildOnly => ", only for builds",
    };
    let job = update
        .job
        .as_ref()
        .map(|job| format!(", job {}", job.short()));
    let mut lines = vec![format!(
        "  its plan has {}:{}::{} ({}{previous}{purpose}){}",
        update.cpv,
        update.slot,
        update.repository,
        update.change,
        job.unwrap_or_default()
    )];
    lines.extend(
        update
            .because
            .iter()
            .map(|because| format!("    because: {because}")),
    );
    lines.extend(answer_lines(&update.answer, "    "));
    lines
}

fn answer_lines(answer: &Answer, margin: &str) -> Vec<String> {
    let state = answer.state.replace('_', " ");
    // Where the words say the state themselves it is not said twice.
    let words = match answer.words.starts_with(&state) {
        true => answer.words.clone(),
        false => format!("{state}: {}", answer.words),
    };
    let mut lines = vec![format!("{margin}{words}")];
    let next = answer.next_step.iter();
    lines.extend(next.map(|next| format!("{margin}next step: {next}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn many_guests_are_named_in_part() {
        let guests: Vec<_> = (10..30).map(|n| format!("g{n}").parse().unwrap()).collect();
        let guests: Vec<_> = guests.iter().collect();
        assert!(names(&guests).ends_with("g21 and 8 more"));
        assert_eq!(names(&guests[..1]), "g10");
    }
}
