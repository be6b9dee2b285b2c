//! What guests want of a batch: it follows from their answers and from the ids of its jobs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gentoo_updater_portage::cpv::Cpv;
use serde::{Deserialize, Serialize};

use super::run::{Guest, Run};
use crate::graph::Place;
use crate::message::{Finding, GuestPlan, Job, Purpose, Update};
use crate::name::{GuestName, JobId, PlatformName};

/// What one guest wants of the batch of its run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The jobs whose binaries it installs, ascending. A fleet says this half a million times, so it
    /// is no more than a number. A snapshot has it elsewhere (`state/sharing.rs`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wants: Vec<Place>,
    /// What an administrator should know of these binaries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl Run {
    /// The jobs that a guest wants, by package.
    pub fn wanted(&self, plan: &Plan) -> HashMap<&Cpv, &JobId> {
        let (Some(graph), Some(jobs)) = (self.graph(), &self.jobs) else {
            return HashMap::new();
        };
        let ids = plan
            .wants
            .iter()
            .filter_map(|place| graph.ids().get(*place));
        let jobs = ids.filter_map(|id| jobs.get(id));
        jobs.map(|job| (&job.key.cpv, &job.id)).collect()
    }
}

/// Finds the jobs of rows.
struct Rows<'a> {
    /// The jobs, in the order of their ids.
    ids: Vec<&'a JobId>,
    /// Guests share the rows that are equal, so that each needs a digest once.
    known: HashMap<(&'a PlatformName, *const Update), Option<Place>>,
}

/// The plan of each guest of a batch, and in `jobs` who wants each of them.
///
/// What has no job in the batch is not wanted of it: closing holds such a row back.
pub(super) fn of_batch(
    guests: &BTreeMap<GuestName, Guest>,
    jobs: &mut BTreeMap<JobId, Job>,
    plans: BTreeMap<GuestName, GuestPlan>,
) -> BTreeMap<GuestName, Plan> {
    let mut rows = Rows {
        ids: jobs.keys().collect(),
        known: HashMap::new(),
    };
    let mut wanted_by: Vec<Vec<&GuestName>> = vec![Vec::new(); rows.ids.len()];
    let mut made = BTreeMap::new();
    for (name, GuestPlan { wants, findings }) in plans {
        let Some((name, guest)) = guests.get_key_value(&name) else {
            continue;
        };
        let mut wants: Vec<Place> = match &wants {
            Some(ids) => ids.values().filter_map(|id| rows.place(id)).collect(),
            None => rows.of_guest(guest),
        };
        wants.sort_unstable();
        wants.dedup();
        for place in &wants {
            if let Some(wanted_by) = wanted_by.get_mut(*place) {
                wanted_by.push(name);
            }
        }
        made.insert(name.clone(), Plan { wants, findings });
    }
    for (job, wanted_by) in jobs.values_mut().zip(wanted_by) {
        // Made in one go each takes half of the memory of one that guests are added to.
        let named = std::mem::take(&mut job.wanted_by);
        job.wanted_by = named
            .into_iter()
            .chain(wanted_by.into_iter().cloned())
            .collect();
    }
    made
}

impl<'a> Rows<'a> {
    fn place(&self, id: &JobId) -> Option<Place> {
        self.ids.binary_search(&id).ok()
    }

    fn of_guest(&mut self, guest: &'a Guest) -> Vec<Place> {
        let rows = guest.scan.iter().flat_map(|scan| &scan.updates);
        let wanted = rows.filter(|row| row.purpose == Purpose::Runtime);
        let place = |row: &'a Arc<Update>| {
            let known = (&guest.platform, Arc::as_ptr(row));
            if let Some(place) = self.known.get(&known) {
                return *place;
            }
            let place = self.place(&JobId::of(&guest.platform, &row.key));
            self.known.insert(known, place);
            place
        };
        wanted.filter_map(place).collect()
    }
}
