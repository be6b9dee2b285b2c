//! The batch of a run as a graph: who waits for whom, and in which layer each is drawn.

use std::collections::BTreeSet;
use std::time::Duration;

use gentoo_updater_fleet::graph::{Graph, Place};
use gentoo_updater_fleet::inspect::{PlanProgress, critical_path, expected};
use gentoo_updater_fleet::name::{JobId, RunId};
use gentoo_updater_fleet::order::Expectations;
use gentoo_updater_fleet::state::{Fleet, Run};
use serde::Serialize;

use super::overview::progress;

/// The batch of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GraphDocument {
    /// The run.
    pub run: RunId,
    /// The offset of the newest event that is in it.
    pub offset: u64,
    /// Whether the jobs are known. Until then there are none.
    pub planned: bool,
    /// The jobs by the order of their ids, which other documents call their places.
    pub jobs: Vec<GraphJob>,
    /// How many layers they are in.
    pub layers: usize,
    /// The places of the longest chain, from its start.
    pub critical: Vec<Place>,
    /// How long that chain lasts, in milliseconds.
    pub critical_ms: u64,
    /// All expected durations of what is not over, in milliseconds.
    pub left_ms: u64,
}

/// One job of the graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GraphJob {
    /// The first digits of its id.
    pub job: String,
    /// Package and version.
    pub cpv: String,
    /// How many guests install it.
    pub wanted_by: usize,
    /// How long it takes or took, in milliseconds.
    pub duration_ms: u64,
    /// Whether that is a guess.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub guessed: bool,
    /// One more than the highest layer of what it waits for, from 0.
    pub layer: usize,
    /// The places of what it waits for directly.
    pub needs: Vec<Place>,
    /// How far it is.
    pub progress: PlanProgress,
}

impl GraphDocument {
    /// The batch of this run as it stands.
    pub fn of(fleet: &Fleet, run: &Run) -> Self {
        let offset = fleet.offset.unwrap_or_default();
        let (Some(jobs), Some(graph)) = (&run.jobs, run.graph()) else {
            return Self {
                run: run.id,
                offset,
                planned: false,
                jobs: Vec::new(),
                layers: 0,
                critical: Vec::new(),
                critical_ms: 0,
                left_ms: 0,
            };
        };
        let expectations = Expectations::new(&fleet.durations, jobs);
        let durations = jobs.values().map(|job| expected(&expectations, run, job));
        let durations: Vec<(Duration, bool)> = durations.collect();
        let duration = |place: Place| durations.get(place).map_or(Duration::ZERO, |it| it.0);
        let paths = graph.remaining_paths(duration);
        let needs: Vec<Vec<Place>> = (0..graph.len())
            .map(|place| needs(run, graph, place))
            .collect();
        let layers = layers(&needs);
        let views = jobs
            .values()
            .zip(progress(run))
            .zip(&durations)
            .zip(needs.iter().zip(&layers));
        let views = views.map(
            |(((job, progress), (lasts, guessed)), (needs, layer))| GraphJob {
                job: job.id.short().to_owned(),
                cpv: job.key.cpv.to_string(),
                wanted_by: job.wanted_by.len(),
                duration_ms: milliseconds(*lasts),
                guessed: *guessed,
                layer: *layer,
                needs: needs.clone(),
                progress,
            },
        );
        let views: Vec<GraphJob> = views.collect();
        let critical = critical_path(graph, &paths, duration);
        let critical = critical.iter().filter_map(|id| graph.place(id)).collect();
        let is_open = |job: &&GraphJob| {
            matches!(
                job.progress,
                PlanProgress::Waiting | PlanProgress::Ready | PlanProgress::Claimed { .. }
            )
        };
        Self {
            run: run.id,
            offset,
            planned: true,
            layers: layers.iter().max().map_or(0, |last| last + 1),
            critical,
            critical_ms: milliseconds(paths.iter().copied().max().unwrap_or_default()),
            left_ms: views
                .iter()
                .filter(is_open)
                .map(|job| job.duration_ms)
                .sum(),
            jobs: views,
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What a job names itself of what it waits for: the rest of that comes with it.
fn needs(run: &Run, graph: &Graph, place: Place) -> Vec<Place> {
    let id = graph.ids().get(place);
    let job = id.and_then(|id| run.jobs.as_ref()?.get(id));
    let Some(job) = job else { return Vec::new() };
    let own: BTreeSet<&JobId> = job.build_needs.union(&job.runtime_needs).collect();
    let places = own.into_iter().filter_map(|id| graph.place(id));
    let waits = graph.waits_for(place);
    places
        .filter(|need| waits.binary_search(need).is_ok())
        .collect()
}

/// The layer of each: one more than the highest of what it needs. What is in a ring all the same is taken
/// as if it needed nothing of it.
fn layers(needs: &[Vec<Place>]) -> Vec<usize> {
    let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut releases: Vec<Vec<Place>> = vec![Vec::new(); needs.len()];
    for (place, needs) in needs.iter().enumerate() {
        for need in needs {
            if let Some(releases) = releases.get_mut(*need) {
                releases.push(place);
            }
        }
    }
    let mut layers = vec![0; needs.len()];
    let free = open.iter().enumerate().filter(|(_, open)| **open == 0);
    let mut ready: Vec<Place> = free.map(|(place, _)| place).collect();
    while let Some(place) = ready.pop() {
        let next = layers.get(place).map_or(0, |layer| layer + 1);
        for released in releases.get(place).into_iter().flatten() {
            if let (Some(layer), Some(open)) = (layers.get_mut(*released), open.get_mut(*released))
            {
                *layer = next.max(*layer);
                *open -= 1;
                if *open == 0 {
                    ready.push(*released);
                }
            }
        }
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_drawn_behind_all_that_it_needs_and_a_ring_ends_all_the_same() {
        let needs = [vec![], vec![0], vec![0, 1], vec![4], vec![3], vec![]];
        assert_eq!(layers(&needs.map(Vec::from)), [0, 1, 2, 0, 0, 0]);
    }
}
