//! The fleet at one offset, as small as it can be: what moves on a page, and what has moved since.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gentoo_updater_fleet::inspect::{PlanProgress, job_progress};
use gentoo_updater_fleet::message::{RunKind, RunOutcome};
use gentoo_updater_fleet::name::{GuestName, PlatformName, RunId};
use gentoo_updater_fleet::report::{GuestOutcome, guest_failure, guest_outcome, waits};
use gentoo_updater_fleet::state::{Fleet, Run};
use jiff::Timestamp;
use serde::Serialize;

/// The fleet at one offset of the history.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Overview {
    /// The offset of the newest event that is in it; 0 where there is none.
    pub offset: u64,
    /// How many events could not be understood and are not in it.
    pub left_out: u64,
    /// The guests by name: those of the configuration and of the runs that are known.
    pub guests: BTreeMap<GuestName, GuestCell>,
    /// The runs that are known, the oldest first.
    pub runs: BTreeMap<RunId, RunHeader>,
    /// How far the jobs of each run are that goes on, by the order of their ids.
    #[serde(skip)]
    pub jobs: BTreeMap<RunId, Vec<PlanProgress>>,
}

/// One guest, as the newest run that has it knows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GuestCell {
    /// Its platform.
    pub platform: PlatformName,
    /// Whether the configuration names it.
    pub configured: bool,
    /// How it stands; absent where no run is known that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<GuestOutcome>,
    /// That run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// A stable name of the cause, where it did not get what it wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// A run in a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunHeader {
    /// How far it goes.
    pub kind: RunKind,
    /// How it ended; absent while it goes on.
    pub outcome: Option<RunOutcome>,
    /// When it was requested.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The run that it is a further round of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<RunId>,
    /// How many of its guests stand how.
    pub guests: BTreeMap<&'static str, usize>,
    /// How many of its jobs are how far, by the names of [`PlanProgress`].
    pub jobs: BTreeMap<&'static str, usize>,
    /// Whether its jobs are known.
    pub planned: bool,
}

/// What of an [`Overview`] is not as it was.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Change {
    /// The offset that it leads to.
    pub offset: u64,
    /// The guests that stand otherwise.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub guests: BTreeMap<GuestName, GuestCell>,
    /// The runs whose line is another one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub runs: BTreeMap<RunId, RunHeader>,
    /// The jobs that are at another point, by the run, each with its place in the order of their ids.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub jobs: BTreeMap<RunId, Vec<(usize, PlanProgress)>>,
    /// The guests and runs that are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
}

impl Overview {
    /// The fleet as it stands. `configured` are the guests of the configuration.
    pub fn of(
        fleet: &Fleet,
        configured: &BTreeMap<GuestName, PlatformName>,
        now: Timestamp,
    ) -> Self {
        let mut guests: BTreeMap<GuestName, GuestCell> = configured
            .iter()
            .map(|(name, platform)| (name.clone(), GuestCell::unknown(platform.clone(), true)))
            .collect();
        let (mut runs, mut jobs) = (BTreeMap::new(), BTreeMap::new());
        // The newest run comes last and has the last word.
        for run in fleet.runs.values().map(Arc::as_ref) {
            let waiting = waiting(fleet, run, now);
            let mut counts = BTreeMap::new();
            for (name, guest) in &run.guests {
                let outcome = match guest_outcome(run, name) {
                    _ if waiting.contains(name) => GuestOutcome::Waiting,
                    outcome => outcome,
                };
                *counts.entry(outcome_name(outcome)).or_default() += 1;
                let cell = guests.entry(name.clone()).or_insert_with(|| {
                    let is_configured = configured.contains_key(name);
                    GuestCell::unknown(guest.platform.clone(), is_configured)
                });
                cell.outcome = Some(outcome);
                cell.run = Some(run.id);
                cell.cause = guest_failure(run, name).map(|failure| failure.cause.clone());
            }
            let progress = progress(run);
            runs.insert(run.id, RunHeader::of(run, counts, &progress));
            if run.finished.is_none() && run.jobs.is_some() {
                jobs.insert(run.id, progress);
            }
        }
        Self {
            offset: fleet.offset.unwrap_or_default(),
            left_out: fleet.left_out,
            guests,
            runs,
            jobs,
        }
    }

    /// What is not as in `before`, a former one.
    pub fn since(&self, before: &Self) -> Change {
        let jobs = self.jobs.iter().map(|(run, progress)| {
            // Whoever looks at a run of which no jobs were known asks for them.
            let before = before.jobs.get(run).map(Vec::as_slice).unwrap_or_default();
            let places = progress.iter().zip(before).enumerate();
            let moved = places.filter(|(_, (now, before))| now != before);
            let moved = moved.map(|(place, (now, _))| (place, now.clone()));
            (*run, moved.collect::<Vec<_>>())
        });
        let gone_guests = gone(&before.guests, &self.guests);
        Change {
            offset: self.offset,
            guests: others(&before.guests, &self.guests),
            runs: others(&before.runs, &self.runs),
            jobs: jobs.filter(|(_, moved)| !moved.is_empty()).collect(),
            gone: gone_guests.chain(gone(&before.runs, &self.runs)).collect(),
        }
    }
}

impl Change {
    /// Whether nothing of what is shown has moved.
    pub fn is_empty(&self) -> bool {
        let Self {
            offset: _,
            guests,
            runs,
            jobs,
            gone,
        } = self;
        guests.is_empty() && runs.is_empty() && jobs.is_empty() && gone.is_empty()
    }
}

impl GuestCell {
    fn unknown(platform: PlatformName, configured: bool) -> Self {
        Self {
            platform,
            configured,
            outcome: None,
            run: None,
            cause: None,
        }
    }
}

impl RunHeader {
    fn of(run: &Run, guests: BTreeMap<&'static str, usize>, progress: &[PlanProgress]) -> Self {
        let mut jobs = BTreeMap::new();
        for progress in progress {
            *jobs.entry(progress_name(progress)).or_default() += 1;
        }
        Self {
            kind: run.kind,
            outcome: run.finished.map(|finished| finished.outcome),
            started_at: run.requested_at,
            finished_at: run.finished.map(|finished| finished.at),
            follows: run.follows,
            guests,
            jobs,
            planned: run.jobs.is_some(),
        }
    }
}

/// The guests whose turn has not come.
fn waiting(fleet: &Fleet, run: &Run, now: Timestamp) -> BTreeSet<GuestName> {
    let waits = waits(fleet, run, now).into_iter();
    waits.flat_map(|wait| wait.guests).collect()
}

/// How far the jobs of a run are, in the order of their ids.
pub(super) fn progress(run: &Run) -> Vec<PlanProgress> {
    let progress = run.progress();
    let jobs = progress.iter();
    jobs.map(|(id, progress)| job_progress(run, id, Some(progress)))
        .collect()
}

fn outcome_name(outcome: GuestOutcome) -> &'static str {
    match outcome {
        GuestOutcome::Scanning => "Scanning",
        GuestOutcome::Pending => "Pending",
        GuestOutcome::Building => "Building",
        GuestOutcome::Installing => "Installing",
        GuestOutcome::UpToDate => "UpToDate",
        GuestOutcome::Updated => "Updated",
        GuestOutcome::HeldBack => "HeldBack",
        GuestOutcome::StillPending => "StillPending",
        GuestOutcome::Waiting => "Waiting",
        GuestOutcome::LeftOut => "LeftOut",
        GuestOutcome::Failed => "Failed",
    }
}

fn progress_name(progress: &PlanProgress) -> &'static str {
    match progress {
        PlanProgress::Waiting => "waiting",
        PlanProgress::Ready => "ready",
        PlanProgress::Claimed { .. } => "claimed",
        PlanProgress::Built { .. } => "built",
        PlanProgress::Failed { .. } => "failed",
        PlanProgress::HeldBack { .. } => "held_back",
    }
}

/// What is new or another one.
fn others<K: Ord + Clone, V: PartialEq + Clone>(
    before: &BTreeMap<K, V>,
    now: &BTreeMap<K, V>,
) -> BTreeMap<K, V> {
    let others = now
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(*value));
    others
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn gone<'a, K: Ord + ToString, V>(
    before: &'a BTreeMap<K, V>,
    now: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = String> + 'a {
    let gone = before.keys().filter(|key| !now.contains_key(*key));
    gone.map(ToString::to_string)
}
