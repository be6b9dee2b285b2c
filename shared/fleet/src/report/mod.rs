//! What came of a run, for people and for programs.

mod afterwards;
mod cruft;
mod failures;
mod first;
mod guest;
mod operators;
pub mod outline;
mod rings;
mod rollout;
mod sections;
mod stores;
mod work;

pub use afterwards::Afterwards;
pub(crate) use failures::machine_failures;
pub use failures::{FailureReport, failures};
pub use first::{BarrierReport, UnapprovedReport, barriers, unapproved};
pub use guest::{guest_failure, of_guest};
use operators::holds;
pub use operators::{HoldReport, PauseReport, paused};
pub use rings::RingReport;
pub use rollout::{WaitReport, WaveReport, waits, waves};
pub use stores::{StoreReport, stores};
pub use work::{BuilderReport, JobReport, builder_reports};

use std::collections::BTreeMap;

use gentoo_updater_portage::name::RepositoryName;
use jiff::Timestamp;
use serde::Serialize;

use crate::message::{
    Failure, Finding, FindingKind, HeldBack, PackageChange, Purpose, RunKind, RunOutcome, Task,
};
use crate::name::{BuilderName, GuestName, PlatformName, RunId};
use crate::platforms::{Standards, Verdict};
use crate::state::{Fleet, Run};
use crate::tree;

/// How a guest stands in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum GuestOutcome {
    /// It was not asked yet, or is being asked.
    Scanning,
    /// It has updates, which are shown and not installed.
    Pending,
    /// What it wants is being built.
    Building,
    /// Its set is being installed.
    Installing,
    /// There was nothing to do.
    UpToDate,
    /// It has all that it needs.
    Updated,
    /// It has what could be had; the rest is held back.
    HeldBack,
    /// What was ordered is installed, and its own plan still asks for more.
    StillPending,
    /// All that it gets is built, and its turn has not come ([`Report::at`]).
    Waiting,
    /// It gets nothing in this run although it could: its turn did not come.
    LeftOut,
    /// It could not be asked or updated.
    Failed,
}

impl GuestOutcome {
    /// Whether nothing more comes of it in its run.
    pub fn is_over(self) -> bool {
        match self {
            Self::Scanning | Self::Building | Self::Waiting | Self::Installing => false,
            Self::Pending
            | Self::UpToDate
            | Self::Updated
            | Self::HeldBack
            | Self::StillPending
            | Self::LeftOut
            | Self::Failed => true,
        }
    }
}

/// How this guest stands.
pub fn guest_outcome(run: &Run, name: &GuestName) -> GuestOutcome {
    let scan = Task::Scan(name.clone());
    let install = Task::Install(name.clone());
    if run.failure(&scan).is_some() || run.failure(&install).is_some() {
        return GuestOutcome::Failed;
    }
    let Some(guest) = run.guests.get(name) else {
        return GuestOutcome::Failed;
    };
    let Some(answer) = &guest.scan else {
        return GuestOutcome::Scanning;
    };
    if guest.unserved.is_some() {
        return GuestOutcome::Failed;
    }
    let wants_nothing = !answer.updates.iter().any(|u| u.purpose == Purpose::Runtime);
    if wants_nothing && !answer.unsettled {
        return GuestOutcome::UpToDate;
    }
    if run.is_scan_only() {
        return GuestOutcome::Pending;
    }
    if run.is_over(&install) {
        let Some(installation) = &guest.installation else {
            return GuestOutcome::Failed;
        };
        let asks_for_more = installation
            .findings
            .iter()
            .any(|f| f.kind == FindingKind::StillPending);
        return match (installation.held.is_empty(), asks_for_more) {
            (false, _) => GuestOutcome::HeldBack,
            (true, true) => GuestOutcome::StillPending,
            (true, false) => GuestOutcome::Updated,
        };
    }
    let Some(plan) = &guest.plan else {
        return GuestOutcome::Building;
    };
    if guest.left_out.is_some() {
        return GuestOutcome::LeftOut;
    }
    if !run.progress().is_over_for(plan) {
        GuestOutcome::Building
    } else if run.tasks.contains_key(&install) {
        GuestOutcome::Installing
    } else if run.finished.is_some() {
        // All was held back, so that nothing was ordered.
        GuestOutcome::HeldBack
    } else {
        GuestOutcome::Installing
    }
}

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// How far it went.
    pub kind: RunKind,
    /// How it ended; absent while it goes on.
    pub outcome: Option<RunOutcome>,
    /// When it was requested.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Whether ebuild repositories were brought up to date first.
    pub synced: bool,
    /// The revision of each ebuild repository that it goes by.
    pub repositories: BTreeMap<RepositoryName, String>,
    /// The guests.
    pub guests: BTreeMap<GuestName, GuestReport>,
    /// The waves in which they get their updates, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<WaveReport>,
    /// What goes first, as a step of its own; the rest follows in a further round.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub barriers: Vec<BarrierReport>,
    /// What waits for an approval, because it cannot be undone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unapproved: Vec<UnapprovedReport>,
    /// For what guests wait, as far as it was looked ([`Report::at`]).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<WaitReport>,
    /// What is to be done on the guests afterwards, summed.
    pub afterwards: Vec<Afterwards>,
    /// The jobs, by package.
    pub jobs: Vec<JobReport>,
    /// The rings of jobs of which one was built before something that it needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rings: Vec<RingReport>,
    /// The builders that worked for it.
    pub builders: BTreeMap<BuilderName, BuilderReport>,
    /// The stores that were collected in the end, or could not be.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub stores: BTreeMap<PlatformName, StoreReport>,
    /// All that failed, wherever it did, and what to do about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailureReport>,
    /// The builders that get no work for now, and why.
    pub unusable: BTreeMap<BuilderName, Failure>,
    /// Whom operators have paused.
    pub paused: Vec<PauseReport>,
    /// What operators hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldReport>,
    /// The further round for guests that wanted more when they had what they asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub further: Option<Box<Report>>,
}

/// What came of one guest.
#[derive(Debug, Clone, Serialize)]
pub struct GuestReport {
    /// How it stands.
    pub outcome: GuestOutcome,
    /// What it asked for.
    pub updates: Vec<String>,
    /// Since when nothing has changed on it, so that it was not asked again; absent where it was.
    pub unchanged_since: Option<Timestamp>,
    /// Whether it is certain that nothing was changed on it.
    pub untouched: bool,
    /// Whether it was put back to what it had before the update.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub put_back: bool,
    /// What changed on it.
    pub changes: Vec<PackageChange>,
    /// What was held back.
    pub held: Vec<HeldBack>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Why the last attempt at something failed that is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retried: Option<Failure>,
    /// What an administrator should know.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The report of a run with its further rounds, which may still go on.
    pub fn of(fleet: &Fleet, run: &Run) -> Self {
        let known = guest::standards(fleet, run);
        let guests: BTreeMap<GuestName, GuestReport> = run
            .guests
            .keys()
            .map(|name| (name.clone(), guest_report(fleet, known.as_ref(), run, name)))
            .collect();
        Self {
            run: run.id,
            kind: run.kind,
            outcome: run.finished.map(|f| f.outcome),
            started_at: run.requested_at,
            finished_at: run.finished.map(|f| f.at),
            synced: !run.sync.is_empty(),
            repositories: tree::revisions(run),
            afterwards: afterwards::sum(&guests),
            waves: waves(run, |name| guests.get(name).map(|guest| guest.outcome)),
            barriers: first::barriers(fleet, run),
            unapproved: first::unapproved(fleet, run),
            waits: Vec::new(),
            guests,
            jobs: work::job_reports(run),
            rings: rings::rings(run),
            builders: builder_reports(run),
            stores: stores(run),
            failures: failures(fleet, run),
            unusable: unusable(fleet),
            paused: paused(fleet),
            holds: holds(fleet),
            further: further(fleet, run),
        }
    }

    /// Leaves out all guests but one; false where the run has no such guest.
    pub fn keep_only(&mut self, name: &GuestName) -> bool {
        self.guests.retain(|guest, _| guest == name);
        self.afterwards.retain_mut(|afterwards| {
            afterwards.guests.retain(|guest| guest == name);
            !afterwards.guests.is_empty()
        });
        self.failures
            .retain(|failure| failure.guest.as_ref() == Some(name));
        if let Some(further) = &mut self.further
            && !further.keep_only(name)
        {
            self.further = None;
        }
        !self.guests.is_empty()
    }

    /// Whether nothing more comes, of further rounds neither.
    pub fn is_over(&self) -> bool {
        self.rounds().all(|round| round.outcome.is_some())
    }

    /// Whether it is over and everybody has what they need.
    pub fn is_complete(&self) -> bool {
        self.rounds()
            .all(|round| round.outcome == Some(RunOutcome::Complete))
    }

    /// This one and its further rounds, in order.
    pub fn rounds(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |round| round.further.as_deref())
    }
}

/// What is true of the whole fleet is told once.
fn further(fleet: &Fleet, run: &Run) -> Option<Box<Report>> {
    let further = fleet.runs.get(&run.id.following())?;
    Some(Box::new(Report {
        unusable: BTreeMap::new(),
        paused: Vec::new(),
        ..Report::of(fleet, further)
    }))
}

fn unusable(fleet: &Fleet) -> BTreeMap<BuilderName, Failure> {
    let paused = fleet
        .workers
        .values()
        .filter_map(|worker| worker.paused.as_ref());
    paused
        .filter_map(|(builder, failure)| Some((builder.clone()?, failure.clone())))
        .collect()
}

fn guest_report(
    fleet: &Fleet,
    known: Option<&Standards>,
    run: &Run,
    name: &GuestName,
) -> GuestReport {
    let guest = run.guests.get(name);
    let scan = guest.and_then(|g| g.scan.as_ref());
    let installation = guest.and_then(|g| g.installation.as_ref());
    let failure = guest_failure(run, name);
    let wanted = scan
        .iter()
        .flat_map(|s| &s.updates)
        .filter(|u| u.purpose == Purpose::Runtime);
    let mut findings = tree::differences(run, name);
    findings.extend(platform_findings(known, run, name));
    findings.extend(scan.iter().flat_map(|s| s.findings.iter().cloned()));
    for finding in installation.iter().flat_map(|i| &i.findings) {
        if !findings.contains(finding) {
            findings.push(finding.clone());
        }
    }
    afterwards::without_repetition(&mut findings);
    let outcome = guest_outcome(run, name);
    let held = match installation {
        Some(installation) => installation.held.clone(),
        None if outcome == GuestOutcome::HeldBack => all_held(fleet, run, name),
        None => Vec::new(),
    };
    let changes = installation.into_iter().flat_map(|i| &i.changes);
    GuestReport {
        outcome,
        put_back: installation.is_some_and(|installation| installation.put_back),
        updates: wanted
            .map(|u| format!("{} ({})", u.key.cpv, u.change))
            .collect(),
        unchanged_since: scan.and_then(|s| s.unchanged_since),
        untouched: match installation {
            Some(installation) => !installation.begun,
            None => !run.tasks.contains_key(&Task::Install(name.clone())),
        },
        changes: changes.map(|change| change.as_ref().clone()).collect(),
        held,
        failure: failure.cloned(),
        retried: retried(run, name).cloned(),
        findings,
    }
}

/// Why the newest attempt at asking or updating a guest failed, where another one follows.
fn retried<'a>(run: &'a Run, name: &GuestName) -> Option<&'a Failure> {
    let tasks = [Task::Scan(name.clone()), Task::Install(name.clone())];
    let mut states = tasks.iter().filter_map(|task| run.tasks.get(task));
    states.find_map(failures::tried_again)
}

/// What the binaries of a guest are otherwise than it would make them. A run that only shows what is
/// pending tells of the builders as they are known now.
fn platform_findings(known: Option<&Standards>, run: &Run, name: &GuestName) -> Vec<Finding> {
    if let Some(plan) = run.guests.get(name).and_then(|guest| guest.plan.as_ref()) {
        return plan.findings.clone();
    }
    let Some(known) = known else {
        return Vec::new();
    };
    match known.judge(run, name) {
        Verdict::Served(finding) => finding.into_iter().collect(),
        Verdict::Unserved(failure) => {
            vec![Finding::new(FindingKind::PlatformDiffers, &failure.message)]
        }
    }
}

/// What is held back on a guest for which nothing was ordered.
fn all_held(fleet: &Fleet, run: &Run, name: &GuestName) -> Vec<HeldBack> {
    let Some(guest) = run.guests.get(name) else {
        return Vec::new();
    };
    let (Some(scan), Some(plan)) = (&guest.scan, &guest.plan) else {
        return Vec::new();
    };
    run.close(fleet, scan, plan).held
}
