//! What follows from the state of a batch: which jobs can be built, and which never will be.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::barriers::Barriers;
use super::run::Run;
use super::wants::Plan;
use crate::graph::{Graph, Place};
use crate::message::{Binary, Task};
use crate::name::{JobId, PlatformName};

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
        self.shared_graph().map(AsRef::as_ref)
    }

    fn shared_graph(&self) -> Option<&Arc<Graph>> {
        let jobs = self.jobs.as_ref()?;
        let graph = || {
            let mut graph = Graph::new(jobs);
            for ring in &self.rings {
                graph.cut(&ring.first, &ring.without);
            }
            Arc::new(graph)
        };
        Some(self.known.graph.get_or_init(graph))
    }

    /// The platforms for which something is in the batch.
    pub fn platforms(&self) -> &BTreeSet<PlatformName> {
        let platforms = || {
            let jobs = self.jobs.iter().flat_map(|jobs| jobs.values());
            let platforms: BTreeSet<&PlatformName> = jobs.map(|job| &job.platform).collect();
            platforms.into_iter().cloned().collect()
        };
        self.known.platforms.get_or_init(platforms)
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

    /// How far every job is. It is found out once after each event that changes it.
    pub fn progress(&self) -> Arc<Progress> {
        self.known
            .progress
            .get_or_init(|| Arc::new(self.find_progress()))
            .clone()
    }

    fn find_progress(&self) -> Progress {
        let Some(graph) = self.shared_graph() else {
            return Progress::default();
        };
        let is_built = marked(graph.ids(), self.built.keys());
        let failed = self.tasks.iter().filter_map(|(task, state)| match task {
            Task::Build(job) if state.has_failed() => Some(job),
            _ => None,
        });
        let has_failed = marked(graph.ids(), failed);
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
        let mut states: Vec<JobProgress> = (0..graph.len()).map(state).collect();
        hold_back(graph, &mut states);
        Progress {
            graph: graph.clone(),
            states,
        }
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

/// How far the jobs of a batch are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    graph: Arc<Graph>,
    /// In the order of their ids.
    states: Vec<JobProgress>,
}

impl Progress {
    /// Of one job.
    pub fn get(&self, job: &JobId) -> Option<&JobProgress> {
        self.at(self.graph.place(job)?)
    }

    /// Of the job at a place of the graph.
    pub fn at(&self, place: Place) -> Option<&JobProgress> {
        self.states.get(place)
    }

    /// Of all jobs, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&JobId, &JobProgress)> {
        self.graph.ids().iter().zip(&self.states)
    }

    /// Whether nothing more will happen to anything that a guest wants.
    pub fn is_over_for(&self, plan: &Plan) -> bool {
        let mut wants = plan.wants.iter();
        wants.all(|place| self.at(*place).is_some_and(JobProgress::is_over))
    }

    /// Whether nothing more will happen to any job.
    pub fn is_over(&self) -> bool {
        self.states.iter().all(JobProgress::is_over)
    }
}

/// What follows from the jobs of a run and what became of them. It says nothing that the run does not
/// say, and is no part of a snapshot.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    platforms: OnceLock<BTreeSet<PlatformName>>,
    graph: OnceLock<Arc<Graph>>,
    progress: OnceLock<Arc<Progress>>,
    pub(super) barriers: OnceLock<Arc<Barriers>>,
}

impl Known {
    /// A task has come to its end, or is open again.
    pub(super) fn forget_progress(&mut self) {
        self.progress = OnceLock::new();
    }
}

/// Two runs are equal whether or not somebody has looked at their graphs.
impl PartialEq for Known {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Which of these ids are among others. Both are in their order.
fn marked<'a>(ids: &[JobId], others: impl Iterator<Item = &'a JobId>) -> Vec<bool> {
    let mut others = others.peekable();
    let is_among = |id| {
        while others.next_if(|other| *other < id).is_some() {}
        others.peek().is_some_and(|other| *other == id)
    };
    ids.iter().map(is_among).collect()
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
