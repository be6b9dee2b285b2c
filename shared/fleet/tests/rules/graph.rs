//! Which jobs wait for which, beside a second and slow way to find out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::common::*;
use gentoo_updater_fleet::batch::{Answer, merge};
use gentoo_updater_fleet::graph::{Graph, Place};
use gentoo_updater_fleet::message::{Batch, BatchPlanned, Event, Job, Update};
use gentoo_updater_fleet::name::JobId;
use proptest::prelude::*;

fn jobs(updates: Vec<Update>) -> BTreeMap<JobId, Job> {
    let (guest, platform) = (guest("g1"), platform());
    let answer = Answer {
        guest: &guest,
        platform: &platform,
        updates: &rows(updates),
    };
    let jobs = merge(&[answer], &Default::default()).jobs;
    jobs.into_iter().map(|job| (job.id.clone(), job)).collect()
}

fn name(number: usize) -> String {
    format!("a/p{number}-1")
}

/// What a job waits for, by the words of [`Graph::waits_for`].
fn closure(jobs: &BTreeMap<JobId, Job>, own: &JobId) -> BTreeSet<JobId> {
    let reach = |from: &BTreeSet<JobId>| {
        let (mut found, mut open) = (BTreeSet::new(), from.iter().collect::<Vec<_>>());
        while let Some(id) = open.pop() {
            if id != own && found.insert(id.clone()) {
                open.extend(&jobs[id].runtime_needs);
            }
        }
        found
    };
    let mut found = reach(&jobs[own].build_needs);
    for need in &jobs[own].runtime_needs {
        let behind = reach(&BTreeSet::from([need.clone()]));
        let needs_own =
            |id: &JobId| jobs[id].build_needs.contains(own) || jobs[id].runtime_needs.contains(own);
        if !behind.iter().any(needs_own) {
            found.extend(behind);
        }
    }
    found
}

fn batches() -> impl Strategy<Value = BTreeMap<JobId, Job>> {
    let edges = proptest::collection::vec((0..12usize, 0..12usize, any::<bool>()), 0..40);
    edges.prop_map(|edges| {
        let mut updates: Vec<Update> = (0..12).map(|number| update(&name(number))).collect();
        for (from, to, is_build) in edges {
            let row = updates[from].clone();
            updates[from] = match is_build {
                true => row.needs_to_build(&name(to)),
                false => row.needs_to_run(&name(to)),
            };
        }
        jobs(updates)
    })
}

proptest! {
    #[test]
    fn the_graph_says_what_the_slow_way_says(jobs in batches()) {
        let graph = Graph::new(&jobs);
        for (place, id) in graph.ids().iter().enumerate() {
            let waits: BTreeSet<JobId> = graph
                .waits_for(place)
                .iter()
                .map(|need| graph.ids()[*need].clone())
                .collect();
            prop_assert_eq!(&waits, &closure(&jobs, id), "{}", jobs[id].key.cpv);
            for need in graph.waits_for(place) {
                prop_assert!(graph.releases(*need).contains(&place));
            }
            let mut ordered = graph.waits_for_in_order(place);
            ordered.sort_unstable();
            prop_assert_eq!(ordered, graph.waits_for(place));
        }
    }

    /// Each path is the job itself and the longest one behind it, unless it is part of a ring.
    #[test]
    fn a_remaining_path_is_that_of_the_longest_chain(jobs in batches()) {
        let graph = Graph::new(&jobs);
        let duration = |place: Place| Duration::from_secs(1 + place as u64);
        let paths = graph.remaining_paths(duration);
        for place in 0..graph.len() {
            let behind = graph.releases(place).iter().map(|next| paths[*next]).max();
            let longest = duration(place) + behind.unwrap_or_default();
            let mut ring = BTreeSet::new();
            let mut open = graph.releases(place).to_vec();
            while let Some(next) = open.pop() {
                if ring.insert(next) {
                    open.extend(graph.releases(next));
                }
            }
            let leads_to_a_ring = ring.iter().any(|next| {
                graph.waits_for(*next).iter().any(|need| graph.waits_for(*need).contains(next))
            }) || ring.contains(&place);
            prop_assert!(leads_to_a_ring || paths[place] == longest);
            prop_assert!(paths[place] >= duration(place));
        }
    }
}

#[test]
fn dependencies_stand_behind_what_they_need_themselves() {
    let jobs = jobs(vec![
        update("a/top-1").needs_to_build("a/middle-1"),
        update("a/middle-1").needs_to_run("a/base-1"),
        update("a/base-1"),
    ]);
    let graph = Graph::new(&jobs);
    let place = |name: &str| {
        let job = jobs.values().find(|job| job.key.cpv == cpv(name)).unwrap();
        graph.place(&job.id).unwrap()
    };
    let expected = [place("a/base-1"), place("a/middle-1")];
    assert_eq!(graph.waits_for_in_order(place("a/top-1")), expected);
}

#[test]
fn a_chain_of_ten_thousand_jobs_exhausts_no_stack() {
    let chain = (0..10_000).map(|number| {
        let row = update(&name(number));
        match number {
            0 => row,
            _ => row.needs_to_build(&name(number - 1)),
        }
    });
    let jobs = jobs(chain.collect());
    let graph = Graph::new(&jobs);
    let paths = graph.remaining_paths(|_| Duration::from_secs(1));
    assert_eq!(paths.iter().max(), Some(&Duration::from_secs(10_000)));
}

proptest! {
    /// Whatever needs whatever: with rings broken, all jobs of a batch can be built one after the
    /// other.
    #[test]
    fn no_job_of_a_planned_batch_waits_for_ever(jobs in batches()) {
        let mut history = History::requested(&["g1"]);
        let batch = Batch {
            jobs: jobs.values().cloned().collect(),
            ..Batch::default()
        };
        history.say(Event::BatchPlanned(BatchPlanned { run: run_id(), batch }));
        let graph = history.run().graph().unwrap();
        let mut built = BTreeSet::new();
        while let Some(next) = (0..graph.len()).find(|place| {
            !built.contains(place) && graph.waits_for(*place).iter().all(|need| built.contains(need))
        }) {
            built.insert(next);
        }
        prop_assert_eq!(built.len(), graph.len(), "{:?}", history.run().rings);
    }
}
