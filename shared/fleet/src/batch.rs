//! Merging the plans of all guests into one batch: every build key once.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use gentoo_updater_portage::build_key::BuildKey;
use gentoo_updater_portage::compact::CompactSet;
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::RepositoryName;

use crate::message::{Batch, GuestPlan, Job, Update};
use crate::name::{GuestName, JobId, PlatformName};
use crate::needs::Needs;

/// One guest's answer, as far as the batch needs it.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The guest.
    pub guest: &'a GuestName,
    /// Its platform: binaries are shared within one platform only.
    pub platform: &'a PlatformName,
    /// What it needs.
    pub updates: &'a [Arc<Update>],
}

/// Merges the answers. Two updates are one job exactly when their build keys are equal and their
/// guests are of one platform.
///
/// Where two guests agree on a key and would take its dependencies from different jobs (one has
/// a library with documentation, say), the first guest's choice serves both: whatever differs in
/// the result is part of the key.
///
/// What each guest wants is not said: it follows from its own answer, by the same keys.
///
/// What any of the guests of a job accepts is accepted for its build. `revisions` are those that the
/// run goes by.
pub fn merge(answers: &[Answer<'_>], revisions: &BTreeMap<RepositoryName, String>) -> Batch {
    let mut merging = Merging::default();
    let mut guests = BTreeMap::new();
    for answer in answers {
        let begun = merging.jobs.len();
        let numbers: Vec<usize> = answer
            .updates
            .iter()
            .map(|update| merging.number(answer.platform, update, revisions))
            .collect();
        if merging.jobs.len() > begun {
            merging.resolve_needs(answer, &numbers, begun);
        }
        for (update, number) in answer.updates.iter().zip(numbers) {
            let Some(job) = merging.jobs.get_mut(number) else {
                continue;
            };
            let is_new = |cpv: &&Cpv| !job.accepts.contains(*cpv);
            let more: Vec<Cpv> = update.accepts.iter().filter(is_new).cloned().collect();
            job.accepts.extend(more);
            // A guest that has some of the sources would download the rest.
            job.download = job.download.max(update.download);
        }
        guests.insert(answer.guest.clone(), GuestPlan::default());
    }
    let mut jobs = merging.jobs;
    jobs.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    Batch {
        jobs,
        guests,
        unserved: BTreeMap::new(),
    }
}

/// The jobs so far, and where each is. A digest is made once for each key, and not for each guest:
/// a thousand guests of one kind say the same a thousand times.
#[derive(Default)]
struct Merging<'a> {
    jobs: Vec<Job>,
    by_key: HashMap<(&'a PlatformName, &'a BuildKey), usize>,
    /// Rows that guests share need not even be compared.
    by_row: HashMap<(&'a PlatformName, *const Update), usize>,
}

impl<'a> Merging<'a> {
    /// The place of the job for an update. Its needs are those of its first guest, and found when
    /// all updates of that guest have a job.
    fn number(
        &mut self,
        platform: &'a PlatformName,
        update: &'a Arc<Update>,
        revisions: &BTreeMap<RepositoryName, String>,
    ) -> usize {
        let row = match self.by_row.entry((platform, Arc::as_ptr(update))) {
            Entry::Occupied(known) => return *known.get(),
            Entry::Vacant(row) => row,
        };
        let key = &update.key;
        let number = *self.by_key.entry((platform, key)).or_insert_with(|| {
            self.jobs.push(Job {
                id: JobId::of(platform, key),
                platform: platform.clone(),
                key: key.clone(),
                wanted_by: BTreeSet::new(),
                build_needs: BTreeSet::new(),
                runtime_needs: BTreeSet::new(),
                accepts: BTreeSet::new(),
                revision: revisions.get(&key.repository).cloned(),
                download: None,
                compiled_as: None,
                needs: Needs::default(),
            });
            self.jobs.len() - 1
        });
        *row.insert(number)
    }

    /// Gives the jobs from `begun` on the needs that they have on this guest.
    fn resolve_needs(&mut self, answer: &Answer<'_>, numbers: &[usize], begun: usize) {
        let rows = || answer.updates.iter().zip(numbers);
        let by_package: HashMap<&Cpv, JobId> = rows()
            .filter_map(|(update, number)| {
                Some((&update.key.cpv, self.jobs.get(*number)?.id.clone()))
            })
            .collect();
        for (update, number) in rows().filter(|(_, number)| **number >= begun) {
            let Some(job) = self.jobs.get_mut(*number) else {
                continue;
            };
            let resolve = |needs: &CompactSet<Cpv>| -> BTreeSet<JobId> {
                let jobs = needs.iter().filter_map(|cpv| by_package.get(cpv));
                jobs.filter(|id| **id != job.id).cloned().collect()
            };
            (job.build_needs, job.runtime_needs) =
                (resolve(&update.build_needs), resolve(&update.runtime_needs));
        }
    }
}
