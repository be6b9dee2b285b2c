//! The fleet at one glance: what goes on, what waits and why, what failed and what to do, and when it will
//! be over.

mod earlier;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::attempts::open_attempts;
use super::jobs::KnownJobs;
use super::task::TaskView;
use crate::estimate::{self, Estimate, PastError};
use crate::message::{RunKind, RunOutcome, Task};
use crate::name::{BuilderName, GuestName, RunId, WorkerId};
use crate::order::Expectations;
use crate::report::{FailureReport, GuestOutcome, Report, machine_failures};
use crate::state::{Fleet, Run};

pub use earlier::EarlierStatus;
pub use waiting::{BusStatus, WaitingView};

/// The fleet at one glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusView {
    /// When it was looked.
    pub at: Timestamp,
    /// The runs that go on, the oldest first.
    pub going_on: Vec<RunStatus>,
    /// The newest run that is over.
    pub last: Option<RunStatus>,
    /// Guests of runs before those that no newer run was about. The newest first.
    pub earlier: Vec<EarlierStatus>,
    /// Guests that no run was about of which anything is known.
    pub unheard: Vec<GuestName>,
    /// What is worked on in the runs that go on, builds first, what began first before others.
    pub at_work: Vec<WorkStatus>,
    /// What waits in them, and why.
    pub waiting: Vec<WaitingView>,
    /// What failed in them, or where none goes on in the last one; why guests of earlier runs did not end
    /// well; and why builders get no work.
    pub failures: Vec<FailureReport>,
    /// How far the estimates of builds were off.
    pub builds_were_off: Option<PastError>,
    /// How far the estimates of whole runs were off.
    pub runs_were_off: Option<PastError>,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunStatus {
    /// The run.
    pub run: RunId,
    /// How far it goes.
    pub kind: RunKind,
    /// The run that it is a further round of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<RunId>,
    /// When it was requested.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<RunOutcome>,
    /// When it is expected to end; absent until it is known what is to be built, and while nobody works.
    pub estimate: Option<Estimate>,
    /// Its guests, by how they stand.
    pub guests: Vec<GuestsStatus>,
    /// How many of its jobs are in each state, as the report names them.
    pub jobs: BTreeMap<&'static str, usize>,
}

/// The guests that stand alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuestsStatus {
    /// How they stand.
    pub outcome: GuestOutcome,
    /// Who.
    pub guests: Vec<GuestName>,
}

/// A piece of work that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkStatus {
    /// The work.
    pub task: TaskView,
    /// Who works on it.
    pub worker: WorkerId,
    /// On which builder, for builds.
    pub builder: Option<BuilderName>,
    /// Since when.
    pub since: Timestamp,
    /// When a build is expected to end.
    pub estimate: Option<Estimate>,
}

impl StatusView {
    /// What the state tells of these guests at this time, with what the bus says beside it. Of runs that are
    /// long over only those guests are told that are still guests.
    pub fn of(
        fleet: &Fleet,
        bus: &BusStatus,
        now: Timestamp,
        guests: &BTreeSet<GuestName>,
    ) -> Self {
        let going_on: Vec<(&Run, Report)> = fleet
            .unfinished()
            .map(|run| (run, alone(fleet, run, now)))
            .collect();
        let newest = fleet.over.iter().rev().find_map(|run| fleet.runs.get(run));
        let last = newest.map(|run| (run.as_ref(), alone(fleet, run, now)));
        let shown: Vec<(&Run, &Report)> = match going_on.is_empty() {
            true => last.iter().map(|(run, report)| (*run, report)).collect(),
            false => going_on
                .iter()
                .map(|(run, report)| (*run, report))
                .collect(),
        };
        let runs: Vec<&Run> = shown.iter().map(|(run, _)| *run).collect();
        let (earlier, of_earlier) = earlier::earlier(fleet, &runs, guests);
        let is_heard = |name: &GuestName| {
            let mut runs = fleet.runs.values();
            runs.any(|run| run.guests.contains_key(name))
        };
        let of_shown = shown.into_iter().flat_map(|(_, report)| &report.failures);
        let mut failures: Vec<FailureReport> = Vec::new();
        for failure in of_shown
            .cloned()
            .chain(of_earlier)
            .chain(machine_failures(fleet))
        {
            // That a builder gets no work is told in the report of each run.
            if !failures.contains(&failure) {
                failures.push(failure);
            }
        }
        let reports = going_on.iter().map(|(_, report)| report);
        let waiting = waiting::all(fleet, reports, bus);
        let status = |(run, report): &(&Run, Report)| RunStatus::of(fleet, run, report, now);
        let mut open: Vec<RunStatus> = going_on.iter().map(status).collect();
        let mut at_work = at_work(fleet, now);
        // Where nobody works nothing comes nearer to its end.
        if *bus == (BusStatus::Process { lives: false }) {
            open.iter_mut().for_each(|run| run.estimate = None);
            at_work.iter_mut().for_each(|work| work.estimate = None);
        }
        Self {
            at: now,
            at_work,
            earlier,
            unheard: guests
                .iter()
                .filter(|name| !is_heard(name))
                .cloned()
                .collect(),
            waiting,
            failures,
            builds_were_off: PastError::of(&fleet.estimates.builds),
            runs_were_off: PastError::of(&fleet.estimates.runs),
            last: last.as_ref().map(status),
            going_on: open,
        }
    }
}

/// The report of one round: the others are runs of their own here.
fn alone(fleet: &Fleet, run: &Run, now: Timestamp) -> Report {
    let mut report = Report::of(fleet, run).at(fleet, now);
    report.further = None;
    report
}

impl RunStatus {
    fn of(fleet: &Fleet, run: &Run, report: &Report, now: Timestamp) -> Self {
        let guests = report
            .guests
            .iter()
            .map(|(name, guest)| (name, guest.outcome));
        let mut jobs = BTreeMap::new();
        for job in &report.jobs {
            *jobs.entry(job.state).or_default() += 1;
        }
        Self {
            run: run.id,
            kind: run.kind,
            follows: run.follows,
            started_at: run.requested_at,
            finished_at: report.finished_at,
            outcome: report.outcome,
            estimate: estimate::of_run(fleet, run, now),
            guests: by_outcome(guests),
            jobs,
        }
    }
}

/// Those who stand alike together: who needs a look comes first, and who is done last.
fn by_outcome<'a>(all: impl Iterator<Item = (&'a GuestName, GuestOutcome)>) -> Vec<GuestsStatus> {
    let mut guests: Vec<GuestsStatus> = Vec::new();
    for (name, outcome) in all {
        match guests.iter_mut().find(|it| it.outcome == outcome) {
            Some(alike) => alike.guests.push(name.clone()),
            None => guests.push(GuestsStatus {
                outcome,
                guests: vec![name.clone()],
            }),
        }
    }
    guests.sort_by_key(|alike| rank(alike.outcome));
    guests
}

fn rank(outcome: GuestOutcome) -> u8 {
    match outcome {
        GuestOutcome::Failed => 0,
        GuestOutcome::LeftOut => 1,
        GuestOutcome::HeldBack => 2,
        GuestOutcome::StillPending => 3,
        GuestOutcome::Installing => 4,
        GuestOutcome::Waiting => 5,
        GuestOutcome::Building => 6,
        GuestOutcome::Scanning => 7,
        GuestOutcome::Pending => 8,
        GuestOutcome::Updated => 9,
        GuestOutcome::UpToDate => 10,
    }
}

/// What has a claim and no result.
fn at_work(fleet: &Fleet, now: Timestamp) -> Vec<WorkStatus> {
    let jobs = KnownJobs::of(fleet);
    let mut expectations: BTreeMap<RunId, Expectations<'_>> = BTreeMap::new();
    let mut all: Vec<WorkStatus> = open_attempts(fleet)
        .filter_map(|(work, attempt)| {
            let claim = attempt.claim.as_ref()?;
            let estimate = match &work.task {
                Task::Build(id) => fleet.runs.get(&work.run).and_then(|run| {
                    let jobs = run.jobs.as_ref()?;
                    let expectations = expectations
                        .entry(work.run)
                        .or_insert_with(|| Expectations::new(&fleet.durations, jobs));
                    let job = jobs.get(id)?;
                    Some(estimate::of_build(expectations, job, claim.at, now))
                }),
                _ => None,
            };
            Some(WorkStatus {
                task: TaskView::of(&work, &jobs),
                worker: claim.worker.clone(),
                builder: claim.builder.clone(),
                since: claim.at,
                estimate,
            })
        })
        .collect();
    all.sort_by_key(|work| (work.task.job.is_none(), work.since));
    all
}
