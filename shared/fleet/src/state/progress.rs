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
        for (id, job) in jobs.iter() {
            let state = if self.built.contains_key(id) {
                JobProgress::Built
            } else if self.failure(&Task::Build(id.clone())).is_some() {
                JobProgress::Failed
            } else if self.is_ready(jobs, id, job) {
                JobProgress::Ready
            } else {
                JobProgress::Waiting
            };
            progress.insert(id.clone(), state);
        }
        let any = |wanted| progress.values().any(|state| *state == wanted);
        let (any_failed, any_ready) = (any(JobProgress::Failed), any(JobProgress::Ready));
        if any_failed || !any_ready {
            // What waits, with all that it waits for. What is over waits for nothing any more.
            let waits = |id: &&JobId| progress.get(*id) == Some(&JobProgress::Waiting);
            let waiting = jobs.keys().filter(waits).map(|id| (id, closure(jobs, id)));
            let waiting = waiting.collect();
            hold_back(&waiting, &mut progress);
            release_cycles(self, &waiting, &mut progress);
        }
        progress
    }

    /// Whether everything that a job needs is built. That a need of its own is missing is seen
    /// without a look at what lies behind.
    fn is_ready(&self, jobs: &BTreeMap<JobId, Job>, id: &JobId, job: &Job) -> bool {
        let is_missing =
            |need: &JobId| need != id && jobs.contains_key(need) && !self.built.contains_key(need);
        !job.build_needs.iter().any(is_missing)
            && closure(jobs, id)
                .iter()
                .all(|need| self.built.contains_key(*need))
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
/// each other to run, and one of them must be built first.
fn closure<'a>(jobs: &'a BTreeMap<JobId, Job>, job: &JobId) -> BTreeSet<&'a JobId> {
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
fn reach<'a>(
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

/// Where jobs wait for each other in a ring and nothing else can go on, one of them is released:
/// its builder takes what is missing from its own ebuilds, as Portage does. It is the one that
/// misses least of those that wait for nothing outside of the ring: what waits behind a ring gets
/// its turn when the ring is built.
fn release_cycles(
    run: &Run,
    waiting: &BTreeMap<&JobId, BTreeSet<&JobId>>,
    progress: &mut BTreeMap<JobId, JobProgress>,
) {
    if progress.values().any(|state| *state == JobProgress::Ready) {
        return;
    }
    let missing = |needs: &BTreeSet<&JobId>| {
        let missing = needs.iter().filter(|id| !run.built.contains_key(**id));
        missing.count()
    };
    let next = waiting
        .iter()
        .filter(|(id, _)| progress.get(**id) == Some(&JobProgress::Waiting))
        .min_by_key(|(id, needs)| (behind(waiting, id), missing(needs), **id))
        .map(|(id, _)| (*id).clone());
    if let Some(id) = next {
        progress.insert(id, JobProgress::Ready);
    }
}

/// How many jobs a job waits for, with all that those wait for, and itself. It is the same for all
/// of a ring, and more for whatever waits for the ring.
fn behind(waiting: &BTreeMap<&JobId, BTreeSet<&JobId>>, job: &JobId) -> usize {
    let (mut seen, mut open) = (BTreeSet::from([job]), vec![job]);
    while let Some(id) = open.pop() {
        let needs = waiting.get(id).into_iter().flatten();
        open.extend(needs.filter(|need| waiting.contains_key(**need) && seen.insert(**need)));
    }
    seen.len()
}
