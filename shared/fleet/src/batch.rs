//! Merging the plans of all guests into one batch: every build key once.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::RepositoryName;

use crate::message::{Batch, GuestPlan, Job, Purpose, Update};
use crate::name::{GuestName, JobId, PlatformName};

/// One guest's answer, as far as the batch needs it.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The guest.
    pub guest: &'a GuestName,
    /// Its platform: binaries are shared within one platform only.
    pub platform: &'a PlatformName,
    /// What it needs.
    pub updates: &'a [Update],
}

/// Merges the answers. Two updates are one job exactly when their build keys are equal and their
/// guests are of one platform.
///
/// Where two guests agree on a key and would take its dependencies from different jobs (one has
/// a library with documentation, say), the first guest's choice serves both: whatever differs in
/// the result is part of the key.
///
/// What any of the guests of a job accepts is accepted for its build. `revisions` are those that the
/// run goes by.
pub fn merge(answers: &[Answer<'_>], revisions: &BTreeMap<RepositoryName, String>) -> Batch {
    let mut jobs: BTreeMap<JobId, Job> = BTreeMap::new();
    let mut guests = BTreeMap::new();
    for answer in answers {
        let ids: BTreeMap<&Cpv, JobId> = answer
            .updates
            .iter()
            .map(|update| (&update.key.cpv, JobId::of(answer.platform, &update.key)))
            .collect();
        let resolve = |needs: &BTreeSet<Cpv>, own: &JobId| -> BTreeSet<JobId> {
            needs
                .iter()
                .filter_map(|cpv| ids.get(cpv))
                .filter(|id| *id != own)
                .cloned()
                .collect()
        };
        let mut wants = BTreeMap::new();
        for update in answer.updates {
            let Some(id) = ids.get(&update.key.cpv) else {
                continue;
            };
            let job = jobs.entry(id.clone()).or_insert_with(|| Job {
                id: id.clone(),
                platform: answer.platform.clone(),
                key: update.key.clone(),
                wanted_by: BTreeSet::new(),
                build_needs: resolve(&update.build_needs, id),
                runtime_needs: resolve(&update.runtime_needs, id),
                accepts: BTreeSet::new(),
                revision: revisions.get(&update.key.repository).cloned(),
                compiled_as: None,
            });
            job.accepts.extend(update.accepts.iter().cloned());
            if update.purpose == Purpose::Runtime {
                job.wanted_by.insert(answer.guest.clone());
                wants.insert(update.key.cpv.clone(), id.clone());
            }
        }
        guests.insert(
            answer.guest.clone(),
            GuestPlan {
                wants,
                findings: Vec::new(),
            },
        );
    }
    Batch {
        jobs: jobs.into_values().collect(),
        guests,
        unserved: BTreeMap::new(),
    }
}
