//! What became of a package on a guest: why it is there, or why it is not, and what to do.

use gentoo_updater_portage::cpv::Cpv;
use serde::Serialize;

use super::Looked;
use crate::message::{Failure, HoldReason, HoldTarget, Purpose, Task, Update};
use crate::name::{GuestName, JobId};
use crate::remedy::next_step;
use crate::report::GuestOutcome;
use crate::state::{Guest, Installation, JobProgress};

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// In a word: `installed`, `installing`, `building`, `waiting`, `built`, `pending`, `failed`,
    /// `held_back`, `left_out`, `not_served`, `not_asked`, `not_wanted`, `up_to_date` or `build_only`.
    pub state: &'static str,
    /// In words.
    pub words: String,
    /// What to do, where something can be done.
    pub next_step: Option<String>,
}

impl Answer {
    fn new(state: &'static str, words: impl Into<String>) -> Self {
        Self {
            state,
            words: words.into(),
            next_step: None,
        }
    }

    fn and_then(self, step: impl Into<String>) -> Self {
        Self {
            next_step: Some(step.into()),
            ..self
        }
    }

    fn of_failure(state: &'static str, before: &str, failure: &Failure) -> Self {
        let words = format!("{before}: {}: {}", failure.cause, failure.message);
        Self::new(state, words).and_then(next_step(failure))
    }
}

impl Looked<'_> {
    /// Why a guest has no row about the package.
    pub(super) fn answer_without_row(
        &self,
        name: &GuestName,
        guest: &Guest,
        had: &[Cpv],
    ) -> Answer {
        let package = self.package.category_package();
        if let Some(failure) = self.run.failure(&Task::Scan(name.clone())) {
            return Answer::of_failure("not_asked", "the guest could not be asked", failure);
        }
        if guest.scan.is_none() {
            return Answer::new("not_asked", "the guest has not answered yet");
        }
        match had {
            [] => Answer::new(
                "not_wanted",
                format!(
                    "neither installed nor in its plan: nothing on the guest wants {package}, or what is \
                     installed is as it should be"
                ),
            )
            .and_then(format!(
                "where it is to be there: `emerge --noreplace {package}` on the guest adds it to the world \
                 file, then `gentoo-updater run {name}`"
            )),
            had => {
                let had: Vec<String> = had.iter().map(Cpv::to_string).collect();
                Answer::new(
                    "up_to_date",
                    format!("it has {}, and its plan changes nothing of it", had.join(", ")),
                )
                .and_then(format!(
                    "where a newer one is expected: `gentoo-updater run --sync {name}` brings the ebuilds \
                     first; a mask, a keyword or a USE flag on the guest may keep it away"
                ))
            }
        }
    }

    /// What became of a row on a guest.
    pub(super) fn answer_to_row(&self, name: &GuestName, guest: &Guest, row: &Update) -> Answer {
        if row.purpose == Purpose::BuildOnly {
            return Answer::new(
                "build_only",
                "only builds need it: the guest, which installs binaries, does not get it",
            );
        }
        if self.run.is_scan_only() {
            return Answer::new("pending", "the run only shows what is pending")
                .and_then(format!("`gentoo-updater run {name}` brings it"));
        }
        if let Some(failure) = &guest.unserved {
            return Answer::of_failure("not_served", "no builder compiles for the guest", failure);
        }
        if let Some(failure) = guest.left_out.as_deref() {
            return Answer::of_failure("left_out", "its turn did not come", failure);
        }
        let install = Task::Install(name.clone());
        let is_over = self.run.is_over(&install) || self.run.finished.is_some();
        match &guest.installation {
            Some(installation) if is_over => self.installed(name, row, installation),
            _ => match self.run.failure(&install) {
                Some(failure) => Answer::of_failure("failed", "the installation failed", failure),
                None => self.not_installed(name, guest, row),
            },
        }
    }

    /// An installation on the guest is over.
    fn installed(&self, name: &GuestName, row: &Update, installation: &Installation) -> Answer {
        let cpv = &row.key.cpv;
        if let Some(held) = installation.held.iter().find(|held| held.cpv == *cpv) {
            return self.held_back(name, row, &held.reason);
        }
        let failure = self.run.failure(&Task::Install(name.clone()));
        let is_there = installation
            .changes
            .iter()
            .any(|change| change.after.as_ref() == Some(cpv));
        match failure {
            Some(failure) if installation.put_back => {
                Answer::of_failure("failed", "the guest was put back to what it had", failure)
            }
            Some(failure) if !is_there => {
                Answer::of_failure("failed", "the installation failed", failure)
            }
            Some(failure) => Answer::of_failure(
                "installed",
                "installed, although the installation failed",
                failure,
            ),
            // The same version again is no change of versions.
            None => Answer::new("installed", "installed"),
        }
    }

    /// No installation on the guest is over.
    fn not_installed(&self, name: &GuestName, guest: &Guest, row: &Update) -> Answer {
        let Some(plan) = guest.plan.as_deref() else {
            return Answer::new("waiting", "the batch waits until all guests have answered");
        };
        let held = guest.scan.as_deref().and_then(|scan| {
            let closed = self.run.close(self.fleet, scan, plan);
            let mut held = closed.held.into_iter();
            held.find(|held| held.cpv == row.key.cpv)
        });
        // While builds go on everything without a binary counts as missing.
        if let Some(held) = &held
            && !matches!(held.reason, HoldReason::BuildFailed | HoldReason::Needs(_))
        {
            return self.held_back(name, row, &held.reason);
        }
        let id = JobId::of(&guest.platform, &row.key);
        match self.run.progress().get(&id) {
            Some(JobProgress::Failed | JobProgress::HeldBack(_)) | None => {
                return self.held_back(name, row, &HoldReason::BuildFailed);
            }
            Some(JobProgress::Waiting) => {
                return Answer::new("waiting", "its build waits for others")
                    .and_then("`gentoo-updater plan` shows the order of builds");
            }
            Some(JobProgress::Ready) => {
                return Answer::new("building", "it is being built, or is about to be");
            }
            Some(JobProgress::Built) => {}
        }
        if let Some(held) = &held {
            return self.held_back(name, row, &held.reason);
        }
        let waits = self.report.waits.iter();
        let mut waits = waits.filter(|wait| wait.guests.contains(name));
        if let Some(wait) = waits.next() {
            return Answer::new("waiting", format!("built, and the guest waits: {wait}"));
        }
        match self.report.guests.get(name).map(|guest| guest.outcome) {
            Some(GuestOutcome::Installing) => Answer::new("installing", "it is being installed"),
            _ => Answer::new("built", "built, and other packages of the guest are not"),
        }
    }

    fn held_back(&self, name: &GuestName, row: &Update, reason: &HoldReason) -> Answer {
        let held =
            |step: String| Answer::new("held_back", format!("held back: {reason}")).and_then(step);
        match reason {
            HoldReason::BuildFailed => self.not_built(name, row),
            HoldReason::Needs(cpv) | HoldReason::WouldBreak(cpv) => held(format!(
                "`gentoo-updater why ={cpv} --guest {name}` tells of that"
            )),
            HoldReason::Held(atom) => {
                let target = HoldTarget::Package(atom.clone()).in_shell();
                held(format!("`gentoo-updater approve {target}` ends that"))
            }
            HoldReason::RolledBack(guest) => held(format!(
                "find what is to blame (`gentoo-updater bisect {guest} --check CHECK`), or `gentoo-updater approve guest \
                 {guest}` lets it come again"
            )),
            HoldReason::Irreversible(cpv) => held(format!(
                "`gentoo-updater approve package ={cpv}` lets it come"
            )),
            HoldReason::Barrier(_) => {
                held("nothing: the rest follows in a further round".to_owned())
            }
        }
    }

    /// Its job failed, or one that it needs.
    fn not_built(&self, name: &GuestName, row: &Update) -> Answer {
        let platform = self.run.guests.get(name).map(|guest| &guest.platform);
        let id = platform.map(|platform| JobId::of(platform, &row.key));
        let failure = |id: &JobId| self.run.failure(&Task::Build(id.clone()));
        let progress = self.run.progress();
        match id.as_ref().and_then(|id| progress.get(id)) {
            Some(JobProgress::HeldBack(by)) => {
                let jobs = self.run.jobs.as_ref();
                let needed = jobs.and_then(|jobs| jobs.get(by));
                let needed = needed.map_or_else(|| by.to_string(), |job| job.key.cpv.to_string());
                match failure(by) {
                    Some(failure) => Answer::of_failure(
                        "held_back",
                        &format!("it needs {needed}, which could not be built"),
                        failure,
                    ),
                    None => Answer::new("held_back", format!("it needs {needed}")),
                }
            }
            _ => match id.as_ref().and_then(failure) {
                Some(failure) => Answer::of_failure("failed", "its build failed", failure),
                None => Answer::new("held_back", "no job of the batch builds it")
                    .and_then(format!("`gentoo-updater run {name}` asks the guest again")),
            },
        }
    }
}
