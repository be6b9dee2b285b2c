//! What follows from the state of a batch: which jobs can be built, and which never will be.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use gentoo_updater_portage::cpv::Cpv;
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

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
    /// Which of its jobs wait for which, once all answers were merged.
    pub fn graph(&self) -> Option<&Graph> {
        let jobs = self.jobs.as_ref()?;
        Some(self.graph.0.get_or_init(|| Arc::new(Graph::new(jobs))))
    }

    /// How far every job is.
    pub fn progress(&self) -> BTreeMap<JobId, JobProgress> {
        let Some(graph) = self.graph() else {
            return BTreeMap::new();
        };
        let is_built: Vec<bool> = graph
            .ids()
            .iter()
            .map(|id| self.built.contains_key(id))
            .collect();
        let is_missing = |need: &Place| !is_built.get(*need).copied().unwrap_or_default();
        let state = |(place, id): (Place, &JobId)| {
            if !is_missing(&place) {
                JobProgress::Built
            } else if self.failure(&Task::Build(id.clone())).is_some() {
                JobProgress::Failed
            } else if graph.waits_for(place).iter().any(is_missing) {
                JobProgress::Waiting
            } else {
                JobProgress::Ready
            }
        };
        let mut progress: Vec<JobProgress> = graph.ids().iter().enumerate().map(state).collect();
        hold_back(graph, &mut progress);
        if !progress.contains(&JobProgress::Ready)
            && let Some(first) = first_of_a_ring(graph, &progress)
            && let Some(state) = progress.get_mut(first)
        {
            *state = JobProgress::Ready;
        }
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

/// Where jobs wait for each other in a ring and nothing else can go on, one of them is released:
/// its builder takes what is missing from its own ebuilds, as Portage does. It is the one that
/// misses least of those that wait for nothing outside of the ring: what waits behind a ring gets
/// its turn when the ring is built.
fn first_of_a_ring(graph: &Graph, progress: &[JobProgress]) -> Option<Place> {
    let waits = |place: Place| progress.get(place) == Some(&JobProgress::Waiting);
    let mut waiting = DiGraphMap::<Place, ()>::new();
    for place in (0..graph.len()).filter(|place| waits(*place)) {
        waiting.add_node(place);
        let needs = graph.waits_for(place).iter().filter(|need| waits(**need));
        for need in needs {
            waiting.add_edge(place, *need, ());
        }
    }
    let rings = tarjan_scc(&waiting);
    let is_last = |ring: &&Vec<Place>| {
        let mut needs = ring.iter().flat_map(|place| waiting.neighbors(*place));
        needs.all(|need| ring.contains(&need))
    };
    let is_built = |need: &&Place| progress.get(**need) == Some(&JobProgress::Built);
    let missing = |place: Place| {
        let needs = graph.waits_for(place);
        needs.len() - needs.iter().filter(is_built).count()
    };
    let last = rings.iter().filter(is_last);
    last.flat_map(|ring| {
        ring.iter()
            .map(|place| (ring.len(), missing(*place), *place))
    })
    .min()
    .map(|(.., place)| place)
}
