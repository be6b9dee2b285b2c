//! One guest: what came of it in the runs that are known, and what it has.

use std::sync::Arc;

use gentoo_updater_fleet::message::{Failure, HeldBack, Task};
use gentoo_updater_fleet::name::{GuestName, PlatformName, RunId};
use gentoo_updater_fleet::report::{
    GuestOutcome, GuestReport, guest_failure, guest_outcome, of_guest, waits,
};
use gentoo_updater_fleet::state::{Fleet, Run};
use jiff::Timestamp;
use serde::Serialize;

use super::attempts::{AttemptView, attempts};
use super::run::ToldFailure;

/// One guest.
#[derive(Debug, Clone, Serialize)]
pub struct GuestDocument {
    /// Its name.
    pub guest: GuestName,
    /// Its platform, where it is known.
    pub platform: Option<PlatformName>,
    /// Whether the configuration names it.
    pub configured: bool,
    /// How it stands, in words, and all that is told of it, by the newest run that has it.
    pub words: Option<String>,
    /// The report of that run on it, as in `report --json`.
    pub report: Option<GuestReport>,
    /// Why it did not get what it wanted, and what to do.
    pub failure: Option<ToldFailure>,
    /// The attempts at asking it in that run.
    pub scans: Vec<AttemptView>,
    /// The attempts at updating it in that run.
    pub installations: Vec<AttemptView>,
    /// What is held back on it, each with the reason in words.
    pub held: Vec<(String, String)>,
    /// For what it waits, in words.
    pub waits: Vec<String>,
    /// What is built for it in that run, as `cpv` and the first digits of the job.
    pub jobs: Vec<(String, String)>,
    /// How many packages it had installed when it was asked last.
    pub installed: usize,
    /// The runs that have it, the newest first.
    pub runs: Vec<GuestRun>,
}

/// What came of a guest in one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GuestRun {
    /// The run.
    pub run: RunId,
    /// When it was requested.
    pub started_at: Timestamp,
    /// How the guest stood.
    pub outcome: GuestOutcome,
    /// Why it did not get what it wanted.
    pub failure: Option<Failure>,
}

impl GuestDocument {
    /// This guest; nothing where neither the configuration nor a run knows it.
    pub fn of(
        fleet: &Fleet,
        name: &GuestName,
        configured: Option<&PlatformName>,
        now: Timestamp,
    ) -> Option<Self> {
        let runs = fleet.runs.values().rev().map(Arc::as_ref);
        let runs: Vec<&Run> = runs.filter(|run| run.guests.contains_key(name)).collect();
        let newest = runs.first().copied();
        if newest.is_none() && configured.is_none() {
            return None;
        }
        let mut report = newest.and_then(|run| of_guest(fleet, run, name));
        let waits = newest.map(|run| waits(fleet, run, now)).unwrap_or_default();
        let waits = waits.iter().filter(|wait| wait.guests.contains(name));
        let waits: Vec<String> = waits.map(ToString::to_string).collect();
        if let Some(report) = report.as_mut().filter(|_| !waits.is_empty()) {
            report.outcome = GuestOutcome::Waiting;
        }
        let of_newest = |task: Task| newest.map(|run| attempts(run, &task)).unwrap_or_default();
        let guest = newest.and_then(|run| run.guests.get(name));
        let failure = newest.and_then(|run| Some((run, guest_failure(run, name)?)));
        Some(Self {
            guest: name.clone(),
            platform: configured.or(guest.map(|guest| &guest.platform)).cloned(),
            configured: configured.is_some(),
            words: report.as_ref().map(GuestReport::words),
            held: report
                .iter()
                .flat_map(|report| &report.held)
                .map(held)
                .collect(),
            report,
            failure: failure.map(|(run, failure)| ToldFailure::of_guest(run, name, failure)),
            scans: of_newest(Task::Scan(name.clone())),
            installations: of_newest(Task::Install(name.clone())),
            waits,
            jobs: newest.map(|run| jobs(run, name)).unwrap_or_default(),
            installed: guest
                .and_then(|guest| guest.scan.as_ref())
                .map_or(0, |scan| scan.installed.len()),
            runs: runs.iter().map(|run| GuestRun::of(run, name)).collect(),
        })
    }
}

impl GuestRun {
    fn of(run: &Run, name: &GuestName) -> Self {
        Self {
            run: run.id,
            started_at: run.requested_at,
            outcome: guest_outcome(run, name),
            failure: guest_failure(run, name).cloned(),
        }
    }
}

fn held(held: &HeldBack) -> (String, String) {
    (held.cpv.to_string(), held.reason.to_string())
}

fn jobs(run: &Run, name: &GuestName) -> Vec<(String, String)> {
    let jobs = run.jobs.iter().flat_map(|jobs| jobs.values());
    let wanted = jobs.filter(|job| job.wanted_by.contains(name));
    let mut wanted: Vec<(String, String)> = wanted
        .map(|job| (job.key.cpv.to_string(), job.id.short().to_owned()))
        .collect();
    wanted.sort();
    wanted
}
