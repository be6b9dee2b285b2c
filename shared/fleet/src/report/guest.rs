//! One guest of a run.

use super::{GuestOutcome, GuestReport, guest_report};
use crate::message::{Failure, Task};
use crate::name::GuestName;
use crate::platforms::Standards;
use crate::state::{Fleet, Run};
use crate::words::counted;

/// Why a guest did not get what it wanted in a run, or gets nothing.
pub fn guest_failure<'a>(run: &'a Run, name: &GuestName) -> Option<&'a Failure> {
    let guest = run.guests.get(name);
    run.failure(&Task::Scan(name.clone()))
        .or_else(|| run.failure(&Task::Install(name.clone())))
        .or_else(|| guest?.unserved.as_ref())
        .or_else(|| guest?.left_out.as_deref())
}

/// What came of one guest of a run; nothing where the run has no such guest.
pub fn of_guest(fleet: &Fleet, run: &Run, name: &GuestName) -> Option<GuestReport> {
    run.guests.get(name)?;
    let known = standards(fleet, run);
    Some(guest_report(fleet, known.as_ref(), run, name))
}

/// What is known of the builders, for a run that only shows what is pending: one that builds has written
/// down what it knew of them.
pub(super) fn standards(fleet: &Fleet, run: &Run) -> Option<Standards> {
    run.is_scan_only()
        .then(|| Standards::of(fleet, run, |_| true))
}

impl GuestReport {
    /// How it stands, in a few words.
    pub fn words(&self) -> String {
        match self.outcome {
            GuestOutcome::Scanning => "is being asked".to_owned(),
            GuestOutcome::Pending => format!("{} pending", counted(self.updates.len(), "update")),
            GuestOutcome::Building => {
                format!("waits for {}", counted(self.updates.len(), "package"))
            }
            GuestOutcome::Waiting => "waits for its turn".to_owned(),
            GuestOutcome::Installing => "installs".to_owned(),
            GuestOutcome::UpToDate => "up to date, nothing to do".to_owned(),
            GuestOutcome::Updated => format!("updated, {}", counted(self.changes.len(), "package")),
            GuestOutcome::HeldBack => format!(
                "{} updated, {} held back",
                counted(self.changes.len(), "package"),
                self.held.len()
            ),
            GuestOutcome::StillPending => {
                format!(
                    "{} updated, and more is wanted by now",
                    counted(self.changes.len(), "package")
                )
            }
            GuestOutcome::LeftOut => format!(
                "LEFT OUT, {} not installed",
                counted(self.updates.len(), "update")
            ),
            GuestOutcome::Failed if self.untouched => "FAILED, not touched".to_owned(),
            GuestOutcome::Failed if self.put_back => {
                "FAILED, and has again what it had before".to_owned()
            }
            GuestOutcome::Failed if self.changes.is_empty() => {
                "FAILED, what changed on it is not known".to_owned()
            }
            GuestOutcome::Failed => {
                format!("FAILED after {}", counted(self.changes.len(), "change"))
            }
        }
    }
}
