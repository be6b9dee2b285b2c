//! Why a package was built and installed, or was not: the whole chain, from the plan of a guest to the
//! binary on it. Pure; the words for people are here, too, since they are the answer.

mod answer;
mod asked;
mod because;
mod job;

use std::collections::BTreeMap;

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::{RepositoryName, SlotAndSubslot};
use jiff::Timestamp;
use serde::Serialize;

use super::filter::speaks_of;
use crate::message::{Change, Purpose, RunKind, RunOutcome, Task, Update};
use crate::name::{GuestName, JobId, PlatformName, RunId};
use crate::report::Report;
use crate::state::{Fleet, Guest, Run};

pub use answer::Answer;
pub use asked::{UnknownPackage, never_seen, package_asked};
pub use job::{JobDifference, WhyAttempt, WhyBinary, WhyJob};

/// What guests had installed of a package when they were asked, by what the history tells.
pub type Had = BTreeMap<GuestName, Vec<Cpv>>;

/// Why a package was built and installed in one run, or was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhyView {
    /// What was asked for.
    pub package: Atom,
    /// The run.
    pub run: RunId,
    /// How far it goes.
    pub kind: RunKind,
    /// When it was requested.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<RunOutcome>,
    /// The jobs that build it.
    pub jobs: Vec<WhyJob>,
    /// The guests.
    pub guests: Vec<WhyGuest>,
}

/// What one guest has to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhyGuest {
    /// The guest.
    pub guest: GuestName,
    /// Its platform.
    pub platform: PlatformName,
    /// What it had of it when it was asked, as far as that is known.
    pub had: Vec<Cpv>,
    /// The rows of its plan about it.
    pub updates: Vec<WhyUpdate>,
    /// Why it has no such row; absent where it has one.
    pub answer: Option<Answer>,
    /// The attempts to install on it, where it wants the package.
    pub attempts: Vec<WhyAttempt>,
}

/// One row of a guest's plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhyUpdate {
    /// Package and version.
    pub cpv: Cpv,
    /// Slot and subslot.
    pub slot: SlotAndSubslot,
    /// The ebuild repository.
    pub repository: RepositoryName,
    /// What happens to it.
    pub change: Change,
    /// What it replaces, as Portage prints it.
    pub previous: Vec<String>,
    /// Whether the guest wants it for itself.
    pub purpose: Purpose,
    /// Why it is in the plan, as far as the plan tells.
    pub because: Vec<String>,
    /// The job that builds it, where there is one.
    pub job: Option<JobId>,
    /// What became of it on the guest.
    pub answer: Answer,
}

impl WhyView {
    /// The chain of a package in one run, for all of its guests or for one. `had` tells of the guests of a
    /// run that is over, of which the state has forgotten what they had.
    pub fn of(
        fleet: &Fleet,
        run: &Run,
        package: &Atom,
        guest: Option<&GuestName>,
        had: &Had,
        now: Timestamp,
    ) -> Self {
        let report = Report::of(fleet, run).at(fleet, now);
        let looked = Looked {
            fleet,
            run,
            package,
            report: &report,
        };
        let guests = run
            .guests
            .iter()
            .filter(|(name, _)| guest.is_none_or(|only| only == *name));
        Self {
            package: package.clone(),
            run: run.id,
            kind: run.kind,
            started_at: run.requested_at,
            finished_at: report.finished_at,
            outcome: report.outcome,
            jobs: job::jobs(run, package, guest),
            guests: guests
                .map(|(name, guest)| looked.guest(name, guest, had))
                .collect(),
        }
    }

    /// Whether no guest wants it and nothing builds it.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.guests.iter().all(|guest| guest.updates.is_empty())
    }
}

/// What an answer is made of.
struct Looked<'a> {
    fleet: &'a Fleet,
    run: &'a Run,
    package: &'a Atom,
    report: &'a Report,
}

impl Looked<'_> {
    fn guest(&self, name: &GuestName, guest: &Guest, had: &Had) -> WhyGuest {
        let scan = guest.scan.as_deref();
        let rows: Vec<&Update> = scan
            .iter()
            .flat_map(|scan| &scan.updates)
            .map(AsRef::as_ref)
            .filter(|row| speaks_of(self.package, &row.key))
            .collect();
        let had = self.had(name, guest, had);
        let updates: Vec<WhyUpdate> = rows
            .into_iter()
            .map(|row| WhyUpdate {
                cpv: row.key.cpv.clone(),
                slot: row.key.slot.clone(),
                repository: row.key.repository.clone(),
                change: row.change,
                previous: row.previous.clone(),
                purpose: row.purpose,
                because: scan
                    .map(|scan| because::because(scan, row))
                    .unwrap_or_default(),
                job: self.job_of(guest, row),
                answer: self.answer_to_row(name, guest, row),
            })
            .collect();
        let install = self.run.tasks.get(&Task::Install(name.clone()));
        let wants = updates.iter().any(|it| it.purpose == Purpose::Runtime);
        let attempts = install.filter(|_| wants).map(job::attempts);
        WhyGuest {
            guest: name.clone(),
            platform: guest.platform.clone(),
            answer: updates
                .is_empty()
                .then(|| self.answer_without_row(name, guest, &had)),
            had,
            updates,
            attempts: attempts.unwrap_or_default(),
        }
    }

    /// What it had, by its own answer or by what the history tells of it.
    fn had(&self, name: &GuestName, guest: &Guest, had: &Had) -> Vec<Cpv> {
        if let Some(told) = had.get(name) {
            return told.clone();
        }
        let scan = guest.scan.iter();
        let installed = scan.flat_map(|scan| &scan.installed);
        let package = self.package.category_package();
        let of_it = installed.filter(|it| it.cpv.category_package == *package);
        of_it.map(|it| it.cpv.clone()).collect()
    }

    fn job_of(&self, guest: &Guest, row: &Update) -> Option<JobId> {
        let jobs = self.run.jobs.as_ref()?;
        let id = JobId::of(&guest.platform, &row.key);
        jobs.contains_key(&id).then_some(id)
    }
}
