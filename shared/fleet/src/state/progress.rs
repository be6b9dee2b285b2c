//! What follows from the state of a batch: which jobs can be built, and which never will be.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_portage::cpv::Cpv;

use super::run::Run;
use crate::message::{Binary, GuestPlan, HoldReason, Job, Task};
use crate::name::JobId;

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobProgress {
    /// Other jobs come first.
    Waiting,
    /// Everything that it needs is in the store.
    Ready,
    /// Its binary is in the store.
    Built,
    /// It failed for good.
    Failed,
    /// It needs this job, which failed.
    HeldBack(JobId),
}

impl JobProgress {
    /// Whether nothing more will happen to it in this run.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Built | Self::Failed | Self::HeldBack(_))
    }
}

impl Run {
    /// How far every job is.
    pub fn progress(&self) -> BTreeMap<JobId, JobProgress> {
        let Some(jobs) = &self.jobs else {
            return BTreeMap::new();
        };
        let mut progress = BTreeMap::new();
        let cuts = self.cuts();
        for (id, job) in jobs {
            let state = if self.built.contains_key(id) {
                JobProgress::Built
            } else if self.failure(&Task::Build(id.clone())).is_some() {
                JobProgress::Failed
            } else if self.is_ready(jobs, job, cuts.get(id)) {
                JobProgress::Ready
            } else {
                JobProgress::Waiting
            };
            progress.insert(id.clone(), state);
        }
        if progress.values().any(|state| *state == JobProgress::Failed) {
            // What waits, with all that it waits for. What is over waits for nothing any more.
            let waits = |id: &&JobId| progress.get(*id) == Some(&JobProgress::Waiting);
            let waiting = jobs.keys().filter(waits).map(|id| {
                let mut needs = closure(jobs, id);
                needs.retain(|need| !is_cut(cuts.get(id), need));
                (id, needs)
            });
            hold_back(&waiting.collect(), &mut progress);
        }
        progress
    }

    /// What a job waits for: what must be built before it, and is not.
    pub fn waits_for(&self, job: &JobId) -> BTreeSet<&JobId> {
        let Some(jobs) = &self.jobs else {
            return BTreeSet::new();
        };
        let cuts = self.cuts();
        let mut needs = closure(jobs, job);
        needs.retain(|need| !self.built.contains_key(*need) && !is_cut(cuts.get(job), need));
        needs
    }

    /// What is built first of a ring, with what it does not wait for.
    fn cuts(&self) -> Cuts<'_> {
        let rings = self.rings.iter();
        rings.map(|ring| (&ring.first, &ring.without)).collect()
    }

    /// Whether everything that a job needs is built. That a need of its own is missing is seen
    /// without a look at what lies behind.
    fn is_ready(
        &self,
        jobs: &BTreeMap<JobId, Job>,
        job: &Job,
        cut: Option<&&BTreeSet<JobId>>,
    ) -> bool {
        let is_there = |need: &JobId| self.built.contains_key(need) || is_cut(cut, need);
        let is_missing =
            |need: &JobId| *need != job.id && jobs.contains_key(need) && !is_there(need);
        !job.build_needs.iter().any(is_missing) && closure(jobs, &job.id).into_iter().all(is_there)
    }

    /// Why there is no binary for what a guest wants, if there is none.
    pub fn missing(
        &self,
        plan: &GuestPlan,
        progress: &BTreeMap<JobId, JobProgress>,
        cpv: &Cpv,
    ) -> Option<HoldReason> {
        let id = plan.wants.get(cpv);
        if id.is_some_and(|id| self.built.contains_key(id)) {
            return None;
        }
        let cause = match id.and_then(|id| progress.get(id)) {
            Some(JobProgress::HeldBack(cause)) => self.jobs.as_ref()?.get(cause),
            _ => None,
        };
        Some(cause.map_or(HoldReason::BuildFailed, |job| {
            HoldReason::Needs(job.key.cpv.clone())
        }))
    }

    /// The binaries that must be on a builder before it compiles this job, each behind those
    /// that it needs itself.
    pub fn dependencies(&self, job: &JobId) -> Vec<Binary> {
        let Some(jobs) = &self.jobs else {
            return Vec::new();
        };
        let needs = closure(jobs, job);
        let mut ordered = Vec::new();
        let mut seen = BTreeSet::new();
        for id in &needs {
            place(jobs, &needs, id, &mut seen, &mut ordered);
        }
        ordered
            .iter()
            .filter_map(|id| self.built.get(*id))
            .map(|b| b.binary.clone())
            .collect()
    }
}

/// What the jobs that are built first of their rings do not wait for.
type Cuts<'a> = BTreeMap<&'a JobId, &'a BTreeSet<JobId>>;

fn is_cut(cut: Option<&&BTreeSet<JobId>>, need: &JobId) -> bool {
    cut.is_some_and(|cut| cut.contains(need))
}

/// Marks all that waits for something that failed, however far away, with the job that failed.
fn hold_back(
    waiting: &BTreeMap<&JobId, BTreeSet<&JobId>>,
    progress: &mut BTreeMap<JobId, JobProgress>,
) {
    loop {
        let mut found = Vec::new();
        for (id, needs) in waiting {
            if progress.get(*id) != Some(&JobProgress::Waiting) {
                continue;
            }
            let cause = needs.iter().find_map(|need| match progress.get(*need)? {
                JobProgress::Failed => Some((*need).clone()),
                JobProgress::HeldBack(cause) => Some(cause.clone()),
                _ => None,
            });
            if let Some(cause) = cause {
                found.push(((*id).clone(), cause));
            }
        }
        if found.is_empty() {
            return;
        }
        for (id, cause) in found {
            progress.insert(id, JobProgress::HeldBack(cause));
        }
    }
}

/// Puts `id` behind everything of `within` that it needs. Cycles are cut where they are met.
fn place<'a>(
    jobs: &'a BTreeMap<JobId, Job>,
    within: &BTreeSet<&'a JobId>,
    id: &'a JobId,
    seen: &mut BTreeSet<&'a JobId>,
    ordered: &mut Vec<&'a JobId>,
) {
    if !seen.insert(id) {
        return;
    }
    if let Some(job) = jobs.get(id) {
        for need in job.build_needs.iter().chain(&job.runtime_needs) {
            if within.contains(need) {
                place(jobs, within, need, seen, ordered);
            }
        }
    }
    ordered.push(id);
}

/// What must be in the store before a job is compiled, and installed while it is: what its build
/// needs, what it needs itself to run, and what all of these need to run. A job is never in its
/// own closure.
///
/// What it needs to run is left out where that needs the job in turn: two packages may well need
/// each other to run, and one of them must be built first. Rings of more jobs than two are broken
/// when the batch is planned: see [`super::rings`].
pub(super) fn closure<'a>(jobs: &'a BTreeMap<JobId, Job>, job: &JobId) -> BTreeSet<&'a JobId> {
    let Some((own, job)) = jobs.get_key_value(job) else {
        return BTreeSet::new();
    };
    let mut found = reach(jobs, job.build_needs.iter(), own);
    for need in &job.runtime_needs {
        let behind = reach(jobs, std::iter::once(need), own);
        let needs_own = behind
            .iter()
            .filter_map(|id| jobs.get(*id))
            .any(|job| job.build_needs.contains(own) || job.runtime_needs.contains(own));
        if !needs_own {
            found.extend(behind);
        }
    }
    found
}

/// These jobs and all that they need to run, without `own`.
pub(super) fn reach<'a>(
    jobs: &'a BTreeMap<JobId, Job>,
    from: impl Iterator<Item = &'a JobId>,
    own: &JobId,
) -> BTreeSet<&'a JobId> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&JobId> = from.collect();
    while let Some(id) = open.pop() {
        if id == own {
            continue;
        }
        if let Some((id, job)) = jobs.get_key_value(id)
            && found.insert(id)
        {
            open.extend(&job.runtime_needs);
        }
    }
    found
}
