//! The state of the fleet in numbers, for whoever watches it from far away.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::attempts::open_attempts;
use crate::message::{RunOutcome, Task};
use crate::name::GuestName;
use crate::report::{GuestOutcome, guest_outcome};
use crate::state::{Fleet, JobProgress, Run};

/// In how many runs a guest must have failed to fail repeatedly.
pub const REPEATEDLY: usize = 2;

/// How many of something are in each state. Every state is there, those without any too.
pub type Count = BTreeMap<&'static str, u64>;

/// The state of the fleet in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// The runs that the state knows, by [`Self::RUN_STATES`].
    pub runs: Count,
    /// The guests of the newest run that updates, by [`Self::GUEST_STATES`]; each as it stands in the
    /// last round that has it.
    pub guests: Count,
    /// The jobs of that run with its rounds, by [`Self::JOB_STATES`].
    pub jobs: Count,
    /// The work of the runs that go on, by its kind and by [`Self::TASK_STATES`].
    pub tasks: BTreeMap<(&'static str, &'static str), u64>,
    /// How many guests have failed in each finished run that updates and is known, and in at least
    /// [`REPEATEDLY`].
    pub failing: u64,
    /// When the newest run that updates was requested.
    pub requested: Option<Timestamp>,
    /// When the newest run that updates and has ended so did end.
    pub ended: BTreeMap<&'static str, Timestamp>,
}

impl Census {
    /// How a run stands.
    pub const RUN_STATES: [&str; 3] = ["going_on", "complete", "with_failures"];
    /// How a run may have ended.
    pub const RUN_ENDS: [&str; 2] = ["complete", "with_failures"];
    /// How a guest stands.
    pub const GUEST_STATES: [&str; 11] = [
        "scanning",
        "pending",
        "building",
        "installing",
        "up_to_date",
        "updated",
        "held_back",
        "still_pending",
        "waiting",
        "left_out",
        "failed",
    ];
    /// How a job stands.
    pub const JOB_STATES: [&str; 5] = ["waiting", "ready", "built", "failed", "held_back"];
    /// How work stands: in its queue, or in the hands of a worker.
    pub const TASK_STATES: [&str; 2] = ["queued", "claimed"];

    /// Counts.
    pub fn of(fleet: &Fleet) -> Self {
        let mut runs = zero(&Self::RUN_STATES);
        fleet
            .runs
            .values()
            .for_each(|run| add(&mut runs, run_state(run)));
        let rounds = newest_with_rounds(fleet);
        let mut tasks = BTreeMap::new();
        for kind in Task::KINDS {
            tasks.extend(Self::TASK_STATES.map(|state| ((kind, state), 0)));
        }
        for (work, attempt) in open_attempts(fleet) {
            let state = match attempt.claim {
                Some(_) => "claimed",
                None => "queued",
            };
            *tasks.entry((work.task.kind(), state)).or_default() += 1;
        }
        Self {
            runs,
            guests: guests(&rounds),
            jobs: jobs(&rounds),
            tasks,
            failing: failing(fleet),
            requested: rounds.first().map(|run| run.requested_at),
            ended: ended(fleet),
        }
    }
}

fn zero<const N: usize>(states: &[&'static str; N]) -> Count {
    states.iter().map(|state| (*state, 0)).collect()
}

fn add(count: &mut Count, state: &'static str) {
    *count.entry(state).or_default() += 1;
}

fn run_state(run: &Run) -> &'static str {
    match run.finished.map(|finished| finished.outcome) {
        None => "going_on",
        Some(RunOutcome::Complete) => "complete",
        Some(RunOutcome::WithFailures) => "with_failures",
    }
}

/// The newest run that updates, and the rounds behind it.
fn newest_with_rounds(fleet: &Fleet) -> Vec<&Run> {
    let newest = fleet.newest_update().filter(|run| !run.is_scan_only());
    std::iter::successors(newest, |run| {
        let further = fleet.runs.get(&run.id.following());
        further.map(AsRef::as_ref)
    })
    .collect()
}

fn guests(rounds: &[&Run]) -> Count {
    let mut count = zero(&Census::GUEST_STATES);
    let mut last: BTreeMap<&GuestName, &Run> = BTreeMap::new();
    for round in rounds {
        last.extend(round.guests.keys().map(|guest| (guest, *round)));
    }
    for (guest, round) in last {
        add(&mut count, guest_state(guest_outcome(round, guest)));
    }
    count
}

fn guest_state(outcome: GuestOutcome) -> &'static str {
    match outcome {
        GuestOutcome::Scanning => "scanning",
        GuestOutcome::Pending => "pending",
        GuestOutcome::Building => "building",
        GuestOutcome::Installing => "installing",
        GuestOutcome::UpToDate => "up_to_date",
        GuestOutcome::Updated => "updated",
        GuestOutcome::HeldBack => "held_back",
        GuestOutcome::StillPending => "still_pending",
        GuestOutcome::Waiting => "waiting",
        GuestOutcome::LeftOut => "left_out",
        GuestOutcome::Failed => "failed",
    }
}

fn jobs(rounds: &[&Run]) -> Count {
    let mut count = zero(&Census::JOB_STATES);
    for round in rounds {
        for (_, progress) in round.progress().iter() {
            let state = match progress {
                JobProgress::Waiting => "waiting",
                JobProgress::Ready => "ready",
                JobProgress::Built => "built",
                JobProgress::Failed => "failed",
                JobProgress::HeldBack(_) => "held_back",
            };
            add(&mut count, state);
        }
    }
    count
}

/// The runs that update and are over.
fn finished(fleet: &Fleet) -> impl Iterator<Item = (&Run, RunOutcome, Timestamp)> {
    let runs = fleet.runs.values().map(AsRef::as_ref);
    runs.filter(|run: &&Run| !run.is_scan_only())
        .filter_map(|run| Some((run, run.finished?.outcome, run.finished?.at)))
}

fn failing(fleet: &Fleet) -> u64 {
    let mut runs: BTreeMap<&GuestName, (usize, usize)> = BTreeMap::new();
    for (run, ..) in finished(fleet) {
        for guest in run.guests.keys() {
            let (all, failed) = runs.entry(guest).or_default();
            *all += 1;
            *failed += usize::from(guest_outcome(run, guest) == GuestOutcome::Failed);
        }
    }
    let repeatedly = runs
        .values()
        .filter(|(all, failed)| failed == all && *failed >= REPEATEDLY);
    repeatedly.map(|_| 1).sum()
}

fn ended(fleet: &Fleet) -> BTreeMap<&'static str, Timestamp> {
    let mut ended = BTreeMap::new();
    for (run, _, at) in finished(fleet) {
        let newest = ended.entry(run_state(run)).or_insert(at);
        *newest = at.max(*newest);
    }
    ended
}
