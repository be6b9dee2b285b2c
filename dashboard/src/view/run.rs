//! One run: how its guests stand, what failed in it and what to do about that.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_fleet::message::{Failure, Job, Purpose, Task};
use gentoo_updater_fleet::name::{BuilderName, GuestName, PlatformName, RunId};
use gentoo_updater_fleet::remedy::next_step;
use gentoo_updater_fleet::report::{
    self, BarrierReport, BuilderReport, FailureReport, GuestOutcome, StoreReport, UnapprovedReport,
    WaitReport, WaveReport, barriers, builder_reports, guest_outcome, stores, unapproved, waits,
    waves,
};
use gentoo_updater_fleet::state::{Fleet, Run};
use gentoo_updater_fleet::tree;
use jiff::Timestamp;
use serde::Serialize;

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct RunDocument {
    /// The run.
    pub run: RunId,
    /// The last characters of its id, by which the command line takes it.
    pub short: String,
    /// The further round of it, where there is one.
    pub further: Option<RunId>,
    /// The revision of each ebuild repository that it goes by.
    pub repositories: BTreeMap<String, String>,
    /// How its guests stand.
    pub guests: BTreeMap<GuestName, GuestRow>,
    /// The waves in which they get their updates.
    pub waves: Vec<WaveReport>,
    /// For what guests wait, in words.
    pub waits: Vec<Told>,
    /// What goes first, in words.
    pub barriers: Vec<String>,
    /// What waits for an approval, in words.
    pub unapproved: Vec<String>,
    /// All that failed: the same as in the report.
    pub failures: Vec<ToldFailure>,
    /// The builders that worked for it.
    pub builders: BTreeMap<BuilderName, BuilderReport>,
    /// The stores that were collected in the end.
    pub stores: BTreeMap<PlatformName, StoreReport>,
}

/// One guest in a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GuestRow {
    /// How it stands.
    pub outcome: GuestOutcome,
    /// How many updates it wants.
    pub updates: usize,
    /// How many packages changed on it.
    pub changes: usize,
    /// How many were held back.
    pub held: usize,
}

/// Something that concerns guests, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The words.
    pub text: String,
    /// The guests.
    pub guests: BTreeSet<GuestName>,
}

/// Something that failed, with what to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToldFailure {
    /// What it was to be: `build app-misc/hello-2.0`, or as a task is named.
    pub subject: String,
    /// Its page, as a path of the dashboard.
    pub page: Option<String>,
    /// Why, with the end of its log.
    pub failure: Failure,
    /// What is to be done about the cause.
    pub next_step: &'static str,
    /// The command that has it tried again; absent where nobody has to ask for that.
    pub next: Option<String>,
    /// Whether another attempt at it follows by itself.
    pub tried_again: bool,
    /// The guests that lack it.
    pub guests: BTreeSet<GuestName>,
}

impl RunDocument {
    /// This run as it stands.
    pub fn of(fleet: &Fleet, run: &Run, now: Timestamp) -> Self {
        let waits: Vec<WaitReport> = waits(fleet, run, now);
        let waiting: BTreeSet<&GuestName> = waits.iter().flat_map(|wait| &wait.guests).collect();
        let outcome = |name: &GuestName| match waiting.contains(name) {
            true => GuestOutcome::Waiting,
            false => guest_outcome(run, name),
        };
        let guests = run.guests.iter().map(|(name, guest)| {
            let updates = guest.scan.iter().flat_map(|scan| &scan.updates);
            let installation = guest.installation.as_ref();
            let row = GuestRow {
                outcome: outcome(name),
                updates: updates
                    .filter(|row| row.purpose == Purpose::Runtime)
                    .count(),
                changes: installation.map_or(0, |it| it.changes.len()),
                held: installation.map_or(0, |it| it.held.len()),
            };
            (name.clone(), row)
        });
        let further = run.id.following();
        let repositories = tree::revisions(run).into_iter();
        Self {
            run: run.id,
            short: run.id.short(),
            further: fleet.runs.contains_key(&further).then_some(further),
            repositories: repositories
                .map(|(name, it)| (name.to_string(), it))
                .collect(),
            waves: waves(run, |name| {
                run.guests.contains_key(name).then(|| outcome(name))
            }),
            guests: guests.collect(),
            waits: waits.iter().map(told).collect(),
            barriers: words(&barriers(fleet, run)),
            unapproved: unapproved(fleet, run)
                .iter()
                .map(UnapprovedReport::to_string)
                .collect(),
            failures: failures(fleet, run),
            builders: builder_reports(run),
            stores: stores(run),
        }
    }
}

fn told(wait: &WaitReport) -> Told {
    Told {
        text: wait.to_string(),
        guests: wait.guests.clone(),
    }
}

fn words(barriers: &[BarrierReport]) -> Vec<String> {
    barriers.iter().map(BarrierReport::to_string).collect()
}

/// All that failed, as the report tells it: what is given up before what is tried again, and builds first,
/// which hold up most.
fn failures(fleet: &Fleet, run: &Run) -> Vec<ToldFailure> {
    let told = report::failures(fleet, run).into_iter();
    let mut failures: Vec<ToldFailure> = told.map(|told| ToldFailure::of(run, told)).collect();
    failures.sort_by_key(|it| {
        let is_build = it.subject.starts_with("build ");
        (it.tried_again, !is_build, it.subject.clone())
    });
    failures
}

impl ToldFailure {
    /// What the report tells.
    fn of(run: &Run, told: FailureReport) -> Self {
        let FailureReport {
            step,
            subject,
            task,
            guest,
            failure,
            next_step,
            tried_again,
        } = told;
        let jobs = run.jobs.as_ref();
        let job = match &task {
            Some(Task::Build(id)) => jobs.and_then(|jobs| jobs.get(id)),
            _ => None,
        };
        if let Some(job) = job {
            return Self {
                tried_again,
                next: again(run, job.id.short()).filter(|_| !tried_again),
                ..Self::of_job(run, job, &failure)
            };
        }
        // A machine takes work again by itself when what it lacks is there.
        let is_machine = step == "machine";
        let page = match &guest {
            Some(guest) => Some(format!("/guests/{guest}")),
            None => is_machine.then(|| "/builders".to_owned()),
        };
        Self {
            subject,
            page,
            failure,
            next_step,
            next: again(run, &run.id.short()).filter(|_| !tried_again && !is_machine),
            tried_again,
            guests: guest.into_iter().collect(),
        }
    }

    /// That a build failed for good.
    pub(super) fn of_job(run: &Run, job: &Job, failure: &Failure) -> Self {
        Self {
            subject: format!("build {}", job.key.cpv),
            page: Some(format!("/runs/{}/jobs/{}", run.id, job.id.short())),
            failure: failure.clone(),
            next_step: next_step(failure),
            next: again(run, job.id.short()),
            tried_again: false,
            guests: job.wanted_by.clone(),
        }
    }

    /// That a guest gets nothing, whatever the task.
    pub(super) fn of_guest(run: &Run, guest: &GuestName, failure: &Failure) -> Self {
        Self {
            subject: format!("guest {guest}"),
            page: Some(format!("/guests/{guest}")),
            failure: failure.clone(),
            next_step: next_step(failure),
            next: again(run, &run.id.short()),
            tried_again: false,
            guests: [guest.clone()].into(),
        }
    }
}

/// What is asked for again once the cause is gone: `what` within its run, or the guests of a run that is
/// over by a further one.
fn again(run: &Run, what: &str) -> Option<String> {
    Some(match run.finished {
        None => format!("gentoo-updater retry {what}"),
        Some(_) => format!("gentoo-updater retry {}", run.id.short()),
    })
}
