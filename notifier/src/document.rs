//! The document of a notice: what programs get, and templates are given.

use gentoo_updater_fleet::config::{Notification, Settings};
use gentoo_updater_fleet::message::OccurrencesMissed;
use gentoo_updater_fleet::name::{NotificationName, RunId};
use gentoo_updater_fleet::notice::{Attention, Notice, Occasion, Sample, Subject, samples};
use gentoo_updater_fleet::report::Report;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

/// What programs get, and templates are given.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    /// The version of this form.
    pub version: u32,
    /// The same in every try.
    pub id: Uuid,
    /// When it is told.
    pub occasion: Occasion,
    /// It in one line.
    pub headline: String,
    /// When it was found.
    pub at: Timestamp,
    /// Whether it is a trial (`gentoo-updater notify test`).
    pub test: bool,
    /// The run that is over.
    pub run: Option<RunSummary>,
    /// What waits for an operator.
    pub attention: Option<Attention>,
    /// What a schedule has missed.
    pub missed: Option<OccurrencesMissed>,
}

/// A run that is over.
#[derive(Debug, Clone, Serialize)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// The end of that, as it is shown on screens.
    pub short: String,
    /// The report, as `report` prints it.
    pub text: String,
    /// The report, as `report --json` has it.
    pub report: serde_json::Value,
}

impl Document {
    /// Of a notice that was found at this time, for one recipient. `report` is that of its run, where it is
    /// about one.
    ///
    /// # Errors
    /// When the report cannot be written as JSON.
    pub fn of(
        notice: &Notice,
        recipient: &NotificationName,
        found: Timestamp,
        report: Option<&Report>,
    ) -> serde_json::Result<Self> {
        Ok(Self {
            version: 1,
            id: notice.id(recipient.as_str(), found),
            occasion: notice.occasion,
            headline: notice.headline(),
            at: found,
            test: false,
            run: report.map(RunSummary::of).transpose()?,
            attention: notice.attention(),
            missed: match &notice.subject {
                Subject::Missed(missed) => Some(missed.clone()),
                _ => None,
            },
        })
    }

    /// Trials: one document of each kind that a recipient gets.
    ///
    /// # Errors
    /// When one cannot be made, which is a mistake of this program.
    pub fn trials(
        settings: &Settings,
        recipient: &NotificationName,
        notification: &Notification,
    ) -> anyhow::Result<Vec<Self>> {
        let now = Timestamp::now();
        let samples = samples(settings, &notification.on, now)?.into_iter();
        let trials = samples.map(|Sample { notice, report }| {
            Ok(Self {
                id: Uuid::now_v7(),
                headline: "this is a trial".to_owned(),
                test: true,
                ..Self::of(&notice, recipient, now, report.as_ref())?
            })
        });
        trials.collect()
    }
}

impl RunSummary {
    fn of(report: &Report) -> serde_json::Result<Self> {
        Ok(Self {
            id: report.run,
            short: report.run.short(),
            text: report.to_text(),
            report: serde_json::to_value(report)?,
        })
    }
}
