//! Rings: jobs that wait for each other. One of each ring is built before something that it needs,
//! and its builder takes what is missing from what it has itself, as Portage does.
//!
//! Which one follows from the needs of the jobs alone, and not from the order in which they are
//! built: a ring is entered only when everything that it waits for outside of itself is built, and
//! until then nothing of it is.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;
use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Place};
use crate::message::Job;
use crate::name::JobId;

/// A ring that had to be broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenRing {
    /// The jobs that wait for each other.
    pub jobs: BTreeSet<JobId>,
    /// The one that is built first.
    pub first: JobId,
    /// What it does not wait for, and would wait for otherwise.
    pub without: BTreeSet<JobId>,
    /// Those of them that its build uses: it takes an older one that its builder has, or one that
    /// the builder makes of its own ebuild. Empty where only needs of running packages were cut,
    /// so that the binary is the same as without the ring.
    pub lacks: BTreeSet<JobId>,
}

/// What each job waits for within its ring.
type Waits<'a> = BTreeMap<&'a JobId, BTreeSet<&'a JobId>>;

/// The rings of these jobs, each entered where least is cut: Portage gives up what a package needs
/// when it runs before what its build needs, and what it is bound to (`:=`) last
/// (`depgraph._serialize_tasks`).
pub(super) fn broken(jobs: &BTreeMap<JobId, Job>) -> Vec<BrokenRing> {
    let graph = Graph::new(jobs);
    let mut broken = Vec::new();
    let needs = |id: &JobId| {
        let job = jobs.get(id).into_iter();
        job.flat_map(|job| job.build_needs.iter().chain(&job.runtime_needs))
    };
    // What a job waits for is found on the way of its needs, so that no ring is larger than this.
    for members in components(jobs.keys(), needs) {
        if members.len() > 1 {
            let waits = members.iter().map(|id| {
                let waits = graph.place(id).map(|place| graph.waits_for(place));
                let waits = ids(&graph, waits.unwrap_or_default());
                (*id, waits.intersection(&members).copied().collect())
            });
            break_up(jobs, &graph, waits.collect(), &mut broken);
        }
    }
    broken
}

fn ids<'a>(graph: &'a Graph, places: &[Place]) -> BTreeSet<&'a JobId> {
    let ids = places.iter().filter_map(|place| graph.ids().get(*place));
    ids.collect()
}

/// Builds these jobs in thought, as far as they wait for nothing, and enters a ring where all of
/// them wait.
fn break_up<'a>(
    jobs: &'a BTreeMap<JobId, Job>,
    graph: &'a Graph,
    mut waits: Waits<'a>,
    broken: &mut Vec<BrokenRing>,
) {
    loop {
        build(&mut waits);
        if waits.is_empty() {
            return;
        }
        let behind = |id: &JobId| waits.get(id).into_iter().flatten().copied();
        let rings = components(waits.keys().copied(), behind);
        // What waits behind a ring gets its turn when the ring is built.
        let entered: Vec<BrokenRing> = rings
            .into_iter()
            .filter(|ring| {
                ring.iter()
                    .all(|id| behind(id).all(|need| ring.contains(need)))
            })
            .filter_map(|ring| enter(jobs, graph, &ring, &waits))
            .collect();
        for ring in &entered {
            if let Some(waits) = waits.get_mut(&ring.first) {
                waits.clear();
            }
        }
        broken.extend(entered);
    }
}

/// Takes out what waits for nothing, until all that is left waits for something.
fn build(waits: &mut Waits<'_>) {
    loop {
        let ready: BTreeSet<&JobId> = waits
            .iter()
            .filter(|(_, needs)| needs.is_empty())
            .map(|(id, _)| *id)
            .collect();
        if ready.is_empty() {
            return;
        }
        waits.retain(|id, _| !ready.contains(id));
        for needs in waits.values_mut() {
            needs.retain(|need| !ready.contains(need));
        }
    }
}

/// Where a ring is entered.
fn enter<'a>(
    jobs: &'a BTreeMap<JobId, Job>,
    graph: &'a Graph,
    ring: &BTreeSet<&'a JobId>,
    waits: &Waits<'a>,
) -> Option<BrokenRing> {
    let entries = ring.iter().filter_map(|id| {
        let (job, without) = (jobs.get(*id)?, waits.get(id)?);
        let used = ids(graph, &graph.used_by_build(graph.place(id)?));
        let lacks: BTreeSet<&JobId> = without.intersection(&used).copied().collect();
        let direct = lacks.iter().filter(|need| job.build_needs.contains(**need));
        let is_bound = |need: &JobId| {
            let package = jobs.get(need).map(|need| &need.key.cpv.category_package);
            let mut bindings = job.key.bindings.keys();
            bindings.any(|bound| Some(&bound.category_package) == package)
        };
        let bound = direct.clone().filter(|need| is_bound(need)).count();
        let cost = (bound, direct.count(), lacks.len(), without.len());
        Some((cost, *id, without, lacks))
    });
    let (_, first, without, lacks) = entries.min()?;
    let owned = |ids: &BTreeSet<&JobId>| ids.iter().map(|id| (*id).clone()).collect();
    Some(BrokenRing {
        jobs: owned(ring),
        first: first.clone(),
        without: owned(without),
        lacks: owned(&lacks),
    })
}

/// The jobs in sets of those that lead to each other, in a stable order.
fn components<'a, N: Iterator<Item = &'a JobId>>(
    ids: impl Iterator<Item = &'a JobId>,
    needs: impl Fn(&'a JobId) -> N,
) -> Vec<BTreeSet<&'a JobId>> {
    let mut graph = DiGraph::<&JobId, ()>::new();
    let nodes: BTreeMap<&JobId, _> = ids.map(|id| (id, graph.add_node(id))).collect();
    for (id, node) in &nodes {
        for need in needs(id).filter_map(|need| nodes.get(need)) {
            graph.add_edge(*node, *need, ());
        }
    }
    // Without recursion, so that a long chain cannot exhaust the stack.
    let components = kosaraju_scc(&graph).into_iter();
    let members = |component: Vec<_>| {
        component
            .into_iter()
            .filter_map(|node| graph.node_weight(node).copied())
    };
    let mut components: Vec<BTreeSet<&JobId>> = components
        .map(|component| members(component).collect())
        .collect();
    components.sort_unstable();
    components
}
