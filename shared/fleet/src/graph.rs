//! Which jobs of a batch wait for which.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::message::Job;
use crate::name::JobId;

/// A job of a [`Graph`]: its place in the order of the ids.
pub type Place = usize;

/// The jobs of a batch by number, with all that each of them waits for.
///
/// It is made once for a batch, in time that grows with its edges, so that whoever looks at a batch
/// of thousands of jobs after each event need not look through all of it again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    ids: Vec<JobId>,
    /// Build needs of each that are jobs of this batch, without itself.
    build: Vec<Vec<Place>>,
    /// Runtime needs, likewise.
    runtime: Vec<Vec<Place>>,
    waits: Vec<Vec<Place>>,
    releases: Vec<Vec<Place>>,
}

impl Graph {
    /// The graph of a batch.
    pub fn new(jobs: &BTreeMap<JobId, Job>) -> Self {
        let ids: Vec<JobId> = jobs.keys().cloned().collect();
        let places = |needs: &BTreeSet<JobId>, own: &JobId| -> Vec<Place> {
            let others = needs.iter().filter(|id| *id != own);
            others.filter_map(|id| ids.binary_search(id).ok()).collect()
        };
        let build: Vec<Vec<Place>> = jobs
            .values()
            .map(|job| places(&job.build_needs, &job.id))
            .collect();
        let runtime: Vec<Vec<Place>> = jobs
            .values()
            .map(|job| places(&job.runtime_needs, &job.id))
            .collect();
        let mut reach = Reach::new(&build, &runtime);
        let waits: Vec<Vec<Place>> = (0..ids.len()).map(|own| reach.closure(own)).collect();
        let mut releases = vec![Vec::new(); ids.len()];
        for (job, waits) in waits.iter().enumerate() {
            for need in waits {
                if let Some(releases) = releases.get_mut(*need) {
                    releases.push(job);
                }
            }
        }
        // In large batches these are most of what is known of a run.
        releases.iter_mut().for_each(Vec::shrink_to_fit);
        Self {
            ids,
            build,
            runtime,
            waits,
            releases,
        }
    }

    /// Lets a job no longer wait for these: it is built first of a ring.
    pub fn cut(&mut self, job: &JobId, without: &BTreeSet<JobId>) {
        let Some(job) = self.place(job) else { return };
        for need in without
            .iter()
            .filter_map(|id| self.ids.binary_search(id).ok())
        {
            if let Some(waits) = self.waits.get_mut(job) {
                waits.retain(|place| *place != need);
            }
            if let Some(releases) = self.releases.get_mut(need) {
                releases.retain(|place| *place != job);
            }
        }
    }

    /// What the build of a job uses: what it needs to be built, and what that needs to run.
    pub fn used_by_build(&self, job: Place) -> Vec<Place> {
        let mut reach = Reach::new(&self.build, &self.runtime);
        let build = self.build.get(job).map(Vec::as_slice);
        reach.walk(build.unwrap_or_default(), job)
    }

    /// How many jobs there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The jobs, in the order of their ids, each at its place.
    pub fn ids(&self) -> &[JobId] {
        &self.ids
    }

    /// The place of a job.
    pub fn place(&self, id: &JobId) -> Option<Place> {
        self.ids.binary_search(id).ok()
    }

    /// What must be in the store before a job is compiled, and installed while it is: what its
    /// build needs, what it needs itself to run, and what all of these need to run. In the order of
    /// their ids; a job never waits for itself.
    ///
    /// What it needs to run is left out where that needs the job in turn: two packages may well
    /// need each other to run, and one of them must be built first.
    pub fn waits_for(&self, job: Place) -> &[Place] {
        self.waits.get(job).map(Vec::as_slice).unwrap_or_default()
    }

    /// The jobs that wait for a job.
    pub fn releases(&self, job: Place) -> &[Place] {
        let releases = self.releases.get(job);
        releases.map(Vec::as_slice).unwrap_or_default()
    }

    /// What a job waits for, each behind what it needs itself. Rings are cut where they are met.
    pub fn waits_for_in_order(&self, job: Place) -> Vec<Place> {
        let within = self.waits_for(job);
        let is_within = |place: &&Place| within.binary_search(place).is_ok();
        let (mut entered, mut ordered) = (BTreeSet::new(), Vec::new());
        for start in within {
            // Depth first without recursion, so that a long chain cannot exhaust the stack.
            let mut open = vec![(*start, false)];
            while let Some((place, is_done)) = open.pop() {
                if is_done {
                    ordered.push(place);
                } else if entered.insert(place) {
                    open.push((place, true));
                    let needs = [&self.build, &self.runtime].map(|needs| needs.get(place));
                    let needs = needs.into_iter().flatten().flatten().filter(is_within);
                    open.extend(needs.map(|need| (*need, false)));
                }
            }
        }
        ordered
    }

    /// For each job, the time from its start to the end of the longest chain of jobs that wait for
    /// it. A ring is cut where it is met.
    pub fn remaining_paths(&self, duration: impl Fn(Place) -> Duration) -> Vec<Duration> {
        let mut paths: Vec<Option<Duration>> = vec![None; self.len()];
        let mut entered = vec![false; self.len()];
        for start in 0..self.len() {
            let mut open = vec![(start, false)];
            while let Some((place, is_done)) = open.pop() {
                let behind = self.releases(place);
                if is_done {
                    let longest = behind.iter().filter_map(|next| *paths.get(*next)?).max();
                    if let Some(path) = paths.get_mut(place) {
                        *path = Some(duration(place) + longest.unwrap_or_default());
                    }
                } else if let Some(entered) = entered.get_mut(place)
                    && !std::mem::replace(entered, true)
                {
                    open.push((place, true));
                    open.extend(behind.iter().map(|next| (*next, false)));
                }
            }
        }
        paths.into_iter().map(Option::unwrap_or_default).collect()
    }
}

/// Walks along runtime needs.
struct Reach<'a> {
    build: &'a [Vec<Place>],
    runtime: &'a [Vec<Place>],
    /// In which walk a job was met last: nothing is cleared between two.
    met: Vec<usize>,
    walk: usize,
}

impl<'a> Reach<'a> {
    fn new(build: &'a [Vec<Place>], runtime: &'a [Vec<Place>]) -> Self {
        Self {
            build,
            runtime,
            met: vec![0; build.len()],
            walk: 0,
        }
    }

    /// These and all that they need to run, without `own`.
    fn walk(&mut self, from: &[Place], own: Place) -> Vec<Place> {
        self.walk += 1;
        let (mut found, mut open) = (Vec::new(), from.to_vec());
        while let Some(place) = open.pop() {
            let Some(met) = self.met.get_mut(place) else {
                continue;
            };
            if place != own && std::mem::replace(met, self.walk) != self.walk {
                found.push(place);
                open.extend(self.runtime.get(place).into_iter().flatten());
            }
        }
        found
    }

    fn closure(&mut self, own: Place) -> Vec<Place> {
        let (build, runtime) = (self.build, self.runtime);
        let (Some(build), Some(own_runtime)) = (build.get(own), runtime.get(own)) else {
            return Vec::new();
        };
        let mut found = self.walk(build, own);
        for need in own_runtime {
            if found.contains(need) {
                continue;
            }
            let behind = self.walk(std::slice::from_ref(need), own);
            let needs_own = |place: &Place| {
                let of = |needs: &[Vec<Place>]| needs.get(*place).is_some_and(|n| n.contains(&own));
                of(self.build) || of(self.runtime)
            };
            if !behind.iter().any(needs_own) {
                found.extend(behind);
            }
        }
        found.sort_unstable();
        found.dedup();
        found.shrink_to_fit();
        found
    }
}
