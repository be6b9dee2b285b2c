//! Progress of a run: bars on a terminal, one plain line a step elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::time::Duration;

use gentoo_updater_fleet::name::{GuestName, RunId};
use gentoo_updater_fleet::remedy::next_step;
use gentoo_updater_fleet::report::{GuestOutcome, JobReport, Report};
use gentoo_updater_fleet::words::{because, counted};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows what changed since it was last asked to.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    show: bool,
    guests: BTreeMap<(RunId, GuestName), GuestOutcome>,
    jobs: BTreeMap<(RunId, String), &'static str>,
    /// What was said of whom, and of what, the run waits for.
    waits: BTreeSet<String>,
}

impl Progress {
    /// On standard error, so that standard output holds the report alone.
    pub(crate) fn new(show: bool) -> Self {
        let bar = (show && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} [{elapsed}] {bar:30} {pos}/{len} {msg}")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self {
            bar,
            show,
            guests: BTreeMap::new(),
            jobs: BTreeMap::new(),
            waits: BTreeSet::new(),
        }
    }

    /// Shows the state of the run.
    pub(crate) fn show(&mut self, report: &Report) {
        if !self.show {
            return;
        }
        for round in report.rounds() {
            self.show_steps(round);
        }
        let report = report.rounds().last().unwrap_or(report);
        if let Some(bar) = &self.bar {
            let guests = report
                .guests
                .values()
                .filter(|guest| guest.outcome.is_over())
                .count();
            let jobs = report
                .jobs
                .iter()
                .filter(|job| !matches!(job.state, "waiting" | "building"))
                .count();
            bar.set_length((report.guests.len() + report.jobs.len()) as u64);
            bar.set_position((guests + jobs) as u64);
            let building: Vec<&str> = report
                .jobs
                .iter()
                .filter(|job| job.state == "building")
                .map(|job| job.cpv.as_str())
                .collect();
            bar.set_message(building.join(" "));
        }
    }

    fn show_steps(&mut self, report: &Report) {
        for (name, guest) in &report.guests {
            let before = self
                .guests
                .insert((report.run, name.clone()), guest.outcome);
            if before != Some(guest.outcome) {
                self.line(&guest_line(name.as_str(), guest));
            }
        }
        for words in waits(report) {
            if self.waits.insert(words.clone()) {
                self.line(&words);
            }
        }
        for job in &report.jobs {
            let before = self.jobs.insert((report.run, job.job.clone()), job.state);
            if before != Some(job.state) && job.state != "waiting" {
                self.line(&job_line(job));
            }
        }
    }

    /// Says something beside the progress, also where that is not shown.
    pub(crate) fn say(&self, words: &str) {
        self.line(words);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }
}

/// Why nothing goes on for some, although nobody has failed.
fn waits(report: &Report) -> Vec<String> {
    if report.is_over() {
        return Vec::new();
    }
    let paused = report.paused.iter().map(|pause| {
        let (target, by) = (&pause.target, &pause.by);
        let (reason, next_step) = (because(pause.reason.as_deref()), pause.next_step());
        format!("{target} takes no new work: {by} has paused it{reason}; {next_step}")
    });
    let unusable = report.unusable.iter();
    let unusable = unusable.map(|(name, failure)| {
        let next_step = next_step(failure);
        format!("builder {name} gets no work: {failure}; next step: {next_step}")
    });
    let retried = report.guests.iter().filter_map(|(name, guest)| {
        let failure = guest.retried.as_ref()?;
        Some(format!(
            "{name}: {}, and is tried again: {failure}",
            failure.cause
        ))
    });
    let rollout = report.waits.iter().map(|wait| format!("waits: {wait}"));
    paused
        .chain(unusable)
        .chain(retried)
        .chain(rollout)
        .collect()
}

fn guest_line(name: &str, guest: &gentoo_updater_fleet::report::GuestReport) -> String {
    let cause = guest
        .failure
        .as_ref()
        .map(|f| format!(": {}", f.cause))
        .unwrap_or_default();
    match guest.outcome {
        GuestOutcome::Scanning => format!("{name}: is asked what it needs"),
        GuestOutcome::Pending => format!("{name}: {}", counted(guest.updates.len(), "update")),
        GuestOutcome::Building => format!(
            "{name}: waits for {}",
            counted(guest.updates.len(), "package")
        ),
        GuestOutcome::Waiting => format!("{name}: waits for its turn"),
        GuestOutcome::Installing => format!("{name}: installs"),
        GuestOutcome::UpToDate => format!("{name}: up to date"),
        GuestOutcome::Updated => format!("{name}: updated"),
        GuestOutcome::HeldBack => format!("{name}: done, {} held back", guest.held.len()),
        GuestOutcome::StillPending => format!("{name}: updated, and wants more by now"),
        GuestOutcome::LeftOut => format!("{name}: LEFT OUT{cause}"),
        GuestOutcome::Failed => format!("{name}: FAILED{cause}"),
    }
}

fn job_line(job: &JobReport) -> String {
    let on = job
        .builder
        .as_ref()
        .map(|builder| format!(" on {builder}"))
        .unwrap_or_default();
    let cause = job
        .failure
        .as_ref()
        .map(|f| format!(": {}", f.cause))
        .unwrap_or_default();
    let by = job
        .held_by
        .as_ref()
        .map(|by| format!(" by {by}"))
        .unwrap_or_default();
    let took = job
        .duration_ms
        .map(|ms| format!(" in {:.1} s", Duration::from_millis(ms).as_secs_f64()))
        .unwrap_or_default();
    format!("{}: {}{on}{took}{by}{cause}", job.cpv, job.state)
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::message::{Event, FailureClass};

    use super::*;
    use crate::testing::{event, fleet};

    /// What is said of the run of the golden files after these events.
    fn said(events: &[Event]) -> Vec<String> {
        let events: Vec<(i64, Event)> = events.iter().map(|event| (1, event.clone())).collect();
        let fleet = fleet(&events);
        let run = fleet.runs.values().next().expect("a run");
        waits(&Report::of(&fleet, run))
    }

    #[test]
    fn it_is_said_why_nothing_goes_on() {
        let requested = event("RunRequested");
        assert_eq!(said(std::slice::from_ref(&requested)), [""; 0]);
        let Event::ScanFailed(mut failed) = event("ScanFailed") else {
            panic!("a failed scan");
        };
        failed.failure.class = FailureClass::Transient;
        failed.failure.cause = "Unreachable".to_owned();
        let words = said(&[
            requested,
            event("PauseRequested"),
            Event::ScanFailed(failed),
        ]);
        let [paused, retried] = &words[..] else {
            panic!("{words:?}");
        };
        assert!(
            paused.contains("takes no new work: test@1 has paused it"),
            "{paused}"
        );
        assert!(
            paused.ends_with("`gentoo-updater resume builder` ends that"),
            "{paused}"
        );
        assert!(
            retried.starts_with("g1: Unreachable, and is tried again: "),
            "{retried}"
        );
    }
}
