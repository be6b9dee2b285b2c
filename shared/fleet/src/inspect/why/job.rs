//! The jobs that build a package: what tells them apart, their attempts, their binaries.

use std::collections::BTreeMap;

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::build_key::{Difference, HexDigest};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::{RepositoryName, SlotAndSubslot};
use jiff::Timestamp;
use serde::Serialize;

use crate::inspect::filter::speaks_of;
use crate::inspect::plan::{PlanProgress, job_progress};
use crate::message::{Failure, Job, PackageBuilt, Task};
use crate::name::{BuilderName, GuestName, JobId, PlatformName, StorePath, WorkerId};
use crate::remedy::next_step;
use crate::state::{Run, TaskOutcome, TaskState};

/// A job that builds the package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhyJob {
    /// Its id: the digest of the build key.
    pub job: JobId,
    /// Package and version.
    pub cpv: Cpv,
    /// Slot and subslot.
    pub slot: SlotAndSubslot,
    /// The ebuild repository.
    pub repository: RepositoryName,
    /// The platform whose store it goes to.
    pub platform: PlatformName,
    /// Its USE flags, as `ssl` and `-doc`.
    pub use_flags: Vec<String>,
    /// The guests that install it. Empty where only other builds need it.
    pub wanted_by: Vec<GuestName>,
    /// In what its build key differs from those of the other jobs of the package on this platform.
    pub differs: Vec<JobDifference>,
    /// What must be built before it, and is not.
    pub waits_for: Vec<Cpv>,
    /// How far it is.
    pub progress: PlanProgress,
    /// The package whose failure holds it back.
    pub held_back_by: Option<Cpv>,
    /// The attempts.
    pub attempts: Vec<WhyAttempt>,
    /// Its binary.
    pub binary: Option<WhyBinary>,
}

/// In what two jobs of one package differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobDifference {
    /// The other job.
    pub from: JobId,
    /// The differences, this job on the left.
    pub differences: Vec<Difference>,
}

/// One attempt at a build or an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhyAttempt {
    /// Counts from 1.
    pub number: u32,
    /// The queue that its command went to, where it got to one.
    pub queue: Option<String>,
    /// When that was, by the planner's clock.
    pub issued_at: Option<Timestamp>,
    /// Who took it.
    pub worker: Option<WorkerId>,
    /// On which builder, for builds.
    pub builder: Option<BuilderName>,
    /// When, by the worker's clock.
    pub claimed_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Whether it went well; absent while it has no end.
    pub succeeded: Option<bool>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// What to do about that.
    pub next_step: Option<&'static str>,
}

/// A binary in a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhyBinary {
    /// Its file, below the store.
    pub path: StorePath,
    /// Portage's number of it.
    pub build_id: u32,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: HexDigest,
    /// Where it was built or, when it was there already, looked up.
    pub builder: BuilderName,
    /// Whether the store held it already.
    pub reused: bool,
    /// How long the build took, in milliseconds; 0 when it was there already.
    pub duration_ms: u64,
    /// Where the log of its build is, as `machine:path`.
    pub log_path: Option<String>,
}

/// The jobs that an atom speaks of, or those of them that one guest wants or that only builds need.
pub(super) fn jobs(run: &Run, package: &Atom, guest: Option<&GuestName>) -> Vec<WhyJob> {
    let Some(all) = &run.jobs else {
        return Vec::new();
    };
    let meant: Vec<&Job> = all
        .values()
        .filter(|job| speaks_of(package, &job.key))
        .collect();
    let is_for = |job: &Job| {
        guest.is_none_or(|guest| job.wanted_by.is_empty() || job.wanted_by.contains(guest))
    };
    let shown = meant.iter().filter(|job| is_for(job));
    let mut jobs: Vec<WhyJob> = shown.map(|job| view(run, all, &meant, job)).collect();
    jobs.sort_by(|a, b| (&a.cpv, &a.job).cmp(&(&b.cpv, &b.job)));
    jobs
}

fn view(run: &Run, all: &BTreeMap<JobId, Job>, meant: &[&Job], job: &Job) -> WhyJob {
    let flags = job.key.use_flags.iter();
    let flags = flags.map(|(flag, on)| format!("{}{flag}", if *on { "" } else { "-" }));
    let others = meant.iter().filter(|other| {
        other.id != job.id
            && other.platform == job.platform
            && other.key.cpv.category_package == job.key.cpv.category_package
    });
    let cpv_of = |id: &JobId| all.get(id).map(|job| job.key.cpv.clone());
    let progress = job_progress(run, &job.id, run.progress().get(&job.id));
    let task = run.tasks.get(&Task::Build(job.id.clone()));
    let waits_for = run.waits_for(&job.id).into_iter();
    let is_built = run.built.contains_key(&job.id);
    WhyJob {
        job: job.id.clone(),
        cpv: job.key.cpv.clone(),
        slot: job.key.slot.clone(),
        repository: job.key.repository.clone(),
        platform: job.platform.clone(),
        use_flags: flags.collect(),
        wanted_by: job.wanted_by.iter().cloned().collect(),
        differs: others
            .map(|other| JobDifference {
                from: other.id.clone(),
                differences: job.key.difference(&other.key),
            })
            .collect(),
        waits_for: waits_for.filter(|_| !is_built).filter_map(cpv_of).collect(),
        held_back_by: match &progress {
            PlanProgress::HeldBack { by } => cpv_of(by),
            _ => None,
        },
        progress,
        attempts: task.map(attempts).unwrap_or_default(),
        binary: run.built.get(&job.id).map(WhyBinary::of),
    }
}

impl WhyBinary {
    fn of(built: &PackageBuilt) -> Self {
        let binary = &built.binary;
        Self {
            path: binary.path.clone(),
            build_id: binary.build_id,
            size: binary.size,
            sha256: binary.sha256.clone(),
            builder: built.builder.clone(),
            reused: built.reused,
            duration_ms: built.duration_ms,
            log_path: built.log_path.clone(),
        }
    }
}

/// The attempts at a task. One that was given up before anybody took it is told by its end alone.
pub(super) fn attempts(task: &TaskState) -> Vec<WhyAttempt> {
    let last = task.attempts.last_key_value().map(|(number, _)| *number);
    let mut attempts: Vec<WhyAttempt> = task
        .attempts
        .iter()
        .map(|(number, attempt)| {
            let own = attempt.failure.as_ref();
            let end = match &task.outcome {
                Some(TaskOutcome::Done { attempt, at }) if attempt == number => {
                    Some((true, *at, None))
                }
                Some(TaskOutcome::Failed { failure, at }) if last == Some(*number) => {
                    Some((false, *at, Some(failure)))
                }
                _ => own.map(|(failure, at)| (false, *at, Some(failure))),
            };
            let failure = end.and_then(|(_, _, failure)| failure);
            let claim = attempt.claim.as_ref();
            let issued = attempt.issued.as_ref();
            WhyAttempt {
                number: *number,
                queue: issued.map(|issued| issued.queue.clone()),
                issued_at: issued.map(|issued| issued.first),
                worker: claim.map(|claim| claim.worker.clone()),
                builder: claim.and_then(|claim| claim.builder.clone()),
                claimed_at: claim.map(|claim| claim.at),
                ended_at: end.map(|(_, at, _)| at),
                succeeded: end.map(|(succeeded, _, _)| succeeded),
                failure: failure.cloned(),
                next_step: failure.map(next_step),
            }
        })
        .collect();
    if let (None, Some(TaskOutcome::Failed { failure, at })) = (last, &task.outcome) {
        attempts.push(WhyAttempt {
            number: 1,
            queue: None,
            issued_at: None,
            worker: None,
            builder: None,
            claimed_at: None,
            ended_at: Some(*at),
            succeeded: Some(false),
            failure: Some(failure.clone()),
            next_step: Some(next_step(failure)),
        });
    }
    attempts
}
