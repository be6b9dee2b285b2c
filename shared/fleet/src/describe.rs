//! Events in one line, for people.

use crate::message::{Event, RunKind, RunOutcome};
use crate::name::GuestName;
use crate::schedule::{missed_words, occurrence_words};
use crate::words::{counted, size};

/// What happened, in one line.
pub fn describe(event: &Event) -> String {
    match event {
        Event::RunRequested(e) => {
            let what = match e.kind {
                RunKind::Update => "update",
                RunKind::ScanOnly => "scan",
            };
            let anew = if e.force { ", all asked anew" } else { "" };
            let synced = e.sync.builders.len() + e.sync.guests.len();
            let synced = match synced {
                0 => String::new(),
                number => format!(", {} synced first", counted(number, "machine")),
            };
            format!(
                "run {}: {what} of {} requested{anew}{synced}{}{}",
                e.run.short(),
                counted(e.guests.len(), "guest"),
                e.follows
                    .map(|run| format!(", a further round of run {}", run.short()))
                    .unwrap_or_default(),
                e.schedule
                    .as_ref()
                    .map(|occurrence| format!(", for {}", occurrence_words(occurrence)))
                    .unwrap_or_default()
            )
        }
        Event::CommandIssued(e) => {
            format!(
                "{} (attempt {}) issued to {}",
                e.work.task, e.work.attempt, e.queue
            )
        }
        Event::WorkStarted(e) => {
            format!(
                "{} (attempt {}) claimed by {}",
                e.work.task, e.work.attempt, e.worker
            )
        }
        Event::BuilderSynced(e) => {
            let at: Vec<String> = e.repositories.iter().map(ToString::to_string).collect();
            format!("{}: synced, {}", e.builder, at.join(", "))
        }
        Event::SyncFailed(e) => format!("{}: sync failed: {}", e.builder, e.failure.cause),
        Event::GuestScanned(e) => {
            let since = e.unchanged_since;
            let since = since.map(|at| format!(", unchanged since {at:.0}"));
            format!(
                "{}: {}, {} installed{}",
                e.guest,
                counted(e.updates.len(), "update"),
                e.installed.len(),
                since.unwrap_or_default()
            )
        }
        Event::ScanFailed(e) => format!("{}: scan failed: {}", e.guest, e.failure.cause),
        Event::BatchPlanned(e) => format!(
            "batch of {} for {}",
            counted(e.batch.jobs.len(), "job"),
            counted(e.batch.guests.len(), "guest")
        ),
        Event::StoreSearched(e) => format!(
            "the store of {} holds {} of the batch",
            e.platform,
            counted(e.held.len(), "package")
        ),
        Event::SearchFailed(e) => format!(
            "the store of {} could not be searched: {}",
            e.platform, e.failure.cause
        ),
        Event::PackageBuilt(e) => {
            let how = if e.reused { "reused" } else { "built" };
            format!(
                "{}-{} {how} on {}",
                e.binary.cpv, e.binary.build_id, e.builder
            )
        }
        Event::BuildFailed(e) => format!("job {} failed: {}", e.job.short(), e.failure.cause),
        Event::GuestUpdated(e) => format!(
            "{}: updated, {}, {} held back",
            e.guest,
            counted(e.changes.len(), "change"),
            e.held.len()
        ),
        Event::InstallFailed(e) => format!("{}: install failed: {}", e.guest, e.failure.cause),
        Event::BuilderCleaned(e) => format!(
            "{}: cleaned, {} removed, {} kept",
            e.builder,
            e.removed.len(),
            e.kept.len()
        ),
        Event::CleanFailed(e) => format!("{}: cleaning failed: {}", e.builder, e.failure.cause),
        Event::StoreCollected(e) if !e.unknown.is_empty() => {
            let unknown: Vec<&str> = e.unknown.keys().map(GuestName::as_str).collect();
            format!(
                "the store of {} keeps all: nobody knows what {} has",
                e.platform,
                unknown.join(", ")
            )
        }
        Event::StoreCollected(e) => format!(
            "the store of {}: {} deleted, {}",
            e.platform,
            counted(e.deleted.binaries, "binary file"),
            size(e.deleted.bytes)
        ),
        Event::CollectFailed(e) => format!(
            "the store of {} could not be collected: {}",
            e.platform, e.failure.cause
        ),
        Event::TaskAbandoned(e) => format!("{} given up: {}", e.work.task, e.failure.cause),
        Event::WaveEnded(e) => format!("wave {} is over", e.wave),
        Event::GuestsLeftOut(e) => format!(
            "{} left out: {}",
            counted(e.guests.len(), "guest"),
            e.failure.cause
        ),
        Event::RunFinished(e) => {
            let how = match e.outcome {
                RunOutcome::Complete => "complete",
                RunOutcome::WithFailures => "finished with failures",
            };
            format!("run {}: {how}", e.run.short())
        }
        Event::WorkerRegistered(e) => match e.machine.as_ref().and_then(|m| m.compiles_as.as_ref())
        {
            Some(own) => format!(
                "{} compiles for {}, with {}",
                e.worker, own.chost, own.cflags
            ),
            None => format!("{} came up", e.worker),
        },
        Event::WorkerPaused(e) => match &e.failure {
            Some(failure) => format!("{} takes no work: {}", e.worker, failure.cause),
            None => format!("{} takes work again", e.worker),
        },
        Event::DurationsLearned(e) => format!(
            "{}: its log tells how long {} took to build",
            e.builder,
            counted(e.durations.len(), "package")
        ),
        Event::RetryRequested(e) => format!("{} is to be tried again", e.work.task),
        Event::PauseRequested(e) => match &e.reason {
            Some(reason) => format!("{} is to pause: {reason}", e.target),
            None => format!("{} is to pause", e.target),
        },
        Event::ResumeRequested(e) => format!("{} is to resume", e.target),
        Event::HoldRequested(e) => match &e.reason {
            Some(reason) => format!("{} is to be held: {reason}", e.target),
            None => format!("{} is to be held", e.target),
        },
        Event::ApprovalGiven(e) => format!("{} is approved", e.target),
        Event::ScheduleAdopted(e) => format!(
            "{}: the times of {} {} count from now on",
            e.schedule, e.calendar, e.time_zone
        ),
        Event::OccurrencesMissed(e) => missed_words(e),
        Event::GuestRolledBack(e) if e.proven => {
            let names: Vec<String> = e.packages.iter().map(ToString::to_string).collect();
            format!(
                "{} was put back, and to blame is {}",
                e.guest,
                names.join(" ")
            )
        }
        Event::GuestRolledBack(e) => format!(
            "{} was put back, without {}",
            e.guest,
            counted(e.packages.len(), "package")
        ),
        Event::WorkerAlive(e) => format!("{} lives", e.worker),
        Event::PlannerAlive(e) => format!("{} lives", e.worker),
    }
}
