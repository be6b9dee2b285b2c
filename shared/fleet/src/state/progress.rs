//! What follows from the state of a batch: which jobs can be built, and which never will be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use gentoo_updater_portage::cpv::Cpv;

use super::run::Run;
use crate::graph::{Graph, Place};
use crate::message::{Binary, GuestPlan, HoldReason, Task};
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
    /// Which of its jobs wait for which, once all answers were merged. Rings are broken in it.
    pub fn graph(&self) -> Option<&Graph> {
        let jobs = self.jobs.as_ref()?;
        let graph = || {
            let mut graph = Graph::new(jobs);
            for ring in &self.rings {
                graph.cut(&ring.first, &ring.without);
            }
            Arc::new(graph)
        };
        Some(self.graph.0.get_or_init(graph))
    }

    /// What a job waits for: what must be built before it, and is not.
    pub fn waits_for(&self, job: &JobId) -> BTreeSet<&JobId> {
        let Some(graph) = self.graph() else {
            return BTreeSet::new();
        };
        let needs = graph.place(job).map(|job| graph.waits_for(job));
        let needs = needs.into_iter().flatten();
        let ids = needs.filter_map(|need| graph.ids().get(*need));
        ids.filter(|id| !self.built.contains_key(*id)).collect()
    }

    /// How far every job is.
    pub fn progress(&self) -> BTreeMap<JobId, JobProgress> {
        let Some(graph) = self.graph() else {
            return BTreeMap::new();
        };
        let places = |ids: &mut dyn Iterator<Item = &JobId>| {
            let mut found = vec![false; graph.len()];
            for place in ids.filter_map(|id| graph.place(id)) {
                if let Some(found) = found.get_mut(place) {
                    *found = true;
                }
            }
            found
        };
        let is_built = places(&mut self.built.keys());
        let has_failed = places(
            &mut self.tasks.iter().filter_map(|(task, state)| match task {
                Task::Build(job) if state.has_failed() => Some(job),
                _ => None,
            }),
        );
        let is_missing = |need: &Place| !is_built.get(*need).copied().unwrap_or_default();
        let state = |place: Place| {
            if !is_missing(&place) {
                JobProgress::Built
            } else if has_failed.get(place).copied().unwrap_or_default() {
                JobProgress::Failed
            } else if graph.waits_for(place).iter().any(is_missing) {
                JobProgress::Waiting
            } else {
                JobProgress::Ready
            }
        };
        let mut progress: Vec<JobProgress> = (0..graph.len()).map(state).collect();
        hold_back(graph, &mut progress);
        graph.ids().iter().cloned().zip(progress).collect()
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
        let Some(graph) = self.graph() else {
            return Vec::new();
        };
        let ordered = graph.place(job).map(|job| graph.waits_for_in_order(job));
        let ids = ordered
            .iter()
            .flatten()
            .filter_map(|need| graph.ids().get(*need));
        ids.filter_map(|id| self.built.get(id))
            .map(|built| built.binary.clone())
            .collect()
    }
}

/// The graph of a run's batch. It says nothing that the jobs do not say, and is no part of a
/// snapshot.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(OnceLock<Arc<Graph>>);

/// Two runs are equal whether or not somebody has looked at their graphs.
impl PartialEq for Known {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Marks all that waits for something that failed, however far away, with the job that failed.
fn hold_back(graph: &Graph, progress: &mut [JobProgress]) {
    let mut open: Vec<Place> = progress
        .iter()
        .enumerate()
        .filter(|(_, state)| **state == JobProgress::Failed)
        .map(|(place, _)| place)
        .collect();
    let mut next = Vec::new();
    while !open.is_empty() {
        // Of several causes the nearest counts, and of those the first by its id.
        for held in open.drain(..) {
            let cause = match progress.get(held) {
                Some(JobProgress::HeldBack(cause)) => Some(cause.clone()),
                _ => graph.ids().get(held).cloned(),
            };
            let Some(cause) = cause else { continue };
            for waiting in graph.releases(held) {
                if let Some(state) = progress.get_mut(*waiting)
                    && *state == JobProgress::Waiting
                {
                    *state = JobProgress::HeldBack(cause.clone());
                    next.push(*waiting);
                }
            }
        }
        next.sort_unstable();
        std::mem::swap(&mut open, &mut next);
    }
}
