//! What many guests say alike is kept once.
//!
//! Guests of one kind want the same updates and have the same packages installed. In memory each
//! such row is shared between all guests of a run that told it, and a snapshot writes it once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use gentoo_updater_portage::build_key::BuildKey;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

use super::Fleet;
use super::run::{Guest, Run};
use super::steps::Steps;
use crate::message::{GuestScanned, InstalledPackage, Job, PackageChange, Update};
use crate::name::{GuestName, JobId};

/// The rows that the guests of a run have told. It says nothing that the run does not say, and is
/// no part of a snapshot.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    updates: HashSet<Arc<Update>>,
    installed: HashSet<Arc<InstalledPackage>>,
    changes: HashSet<Arc<PackageChange>>,
}

/// Two runs are equal whatever they remember for the sake of memory.
impl PartialEq for Told {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Told {
    /// Replaces each row of an answer that was told before by the one that is kept.
    fn share(&mut self, answer: &mut GuestScanned) {
        share(&mut self.updates, &mut answer.updates);
        share(&mut self.installed, &mut answer.installed);
    }
}

fn share<T: Eq + Hash>(told: &mut HashSet<Arc<T>>, rows: &mut Vec<Arc<T>>) {
    for row in rows.iter_mut() {
        match told.get(row) {
            Some(before) => *row = before.clone(),
            None => {
                told.insert(row.clone());
            }
        }
    }
    rows.shrink_to_fit();
}

impl Run {
    /// Keeps what a guest has said.
    pub(super) fn keep_answer(&mut self, answer: &GuestScanned) {
        self.recall();
        if let Some(guest) = self.guests.get_mut(&answer.guest) {
            let mut answer = answer.clone();
            self.told.share(&mut answer);
            guest.scan = Some(Arc::new(answer));
        }
    }

    /// What changed on a guest, as others may have told it before.
    pub(super) fn share_changes(&mut self, changes: &[PackageChange]) -> Vec<Arc<PackageChange>> {
        self.recall();
        let mut changes = changes.iter().cloned().map(Arc::new).collect();
        share(&mut self.told.changes, &mut changes);
        changes
    }

    /// Replaces what jobs say by the same of others: the build key of the row that wants it, the names of the
    /// guests, and the ids of the jobs that they need. The sets are made anew, without room for more.
    pub(super) fn share_with(&self, jobs: &mut BTreeMap<JobId, Job>) {
        let scans = self.guests.values().filter_map(|guest| guest.scan.as_ref());
        // Guests share the rows that are equal, so that each key is looked at once.
        let mut met = HashSet::new();
        let rows = scans.flat_map(|scan| &scan.updates);
        let rows = rows.filter(|row| met.insert(Arc::as_ptr(row)));
        let keys: HashSet<&Arc<BuildKey>> = rows.map(|row| &row.key).collect();
        let ids: HashSet<JobId> = jobs.keys().cloned().collect();
        let known_id = |id: JobId| ids.get(&id).cloned().unwrap_or(id);
        let known_guest = |name: GuestName| match self.guests.get_key_value(&name) {
            Some((known, _)) => known.clone(),
            None => name,
        };
        for job in jobs.values_mut() {
            if let Some(key) = keys.get(&job.key) {
                job.key = Arc::clone(key);
            }
            let wanted_by = std::mem::take(&mut job.wanted_by);
            job.wanted_by = wanted_by.into_iter().map(known_guest).collect();
            for needs in [&mut job.build_needs, &mut job.runtime_needs] {
                *needs = std::mem::take(needs).into_iter().map(known_id).collect();
            }
        }
    }

    /// A run that came from a snapshot has shared rows that are not known here.
    fn recall(&mut self) {
        let told = &mut self.told;
        if !(told.updates.is_empty() && told.installed.is_empty() && told.changes.is_empty()) {
            return;
        }
        for guest in self.guests.values() {
            let scan = guest.scan.iter();
            told.updates
                .extend(scan.clone().flat_map(|scan| scan.updates.iter().cloned()));
            told.installed
                .extend(scan.flat_map(|scan| scan.installed.iter().cloned()));
            let changes = guest.installation.iter().flat_map(|done| &done.changes);
            told.changes.extend(changes.cloned());
        }
    }
}

impl Fleet {
    /// Lets a state that was read share what it shared before it was written.
    pub(crate) fn share(&mut self) {
        for run in self.runs.values_mut().map(Arc::make_mut) {
            if let Some(jobs) = run.jobs.take() {
                let mut jobs = Arc::unwrap_or_clone(jobs);
                run.share_with(&mut jobs);
                run.jobs = Some(Arc::new(jobs));
            }
        }
    }
}

/// The guests of a run as a snapshot writes them.
#[derive(serde::Serialize, serde::Deserialize)]
struct Written {
    /// Every row once, in the order in which the guests, by their names, tell it first.
    updates: Vec<Arc<Update>>,
    installed: Vec<Arc<InstalledPackage>>,
    changes: Vec<Arc<PackageChange>>,
    guests: BTreeMap<GuestName, WrittenGuest>,
}

/// A guest whose answer has its rows elsewhere.
#[derive(serde::Serialize, serde::Deserialize)]
struct WrittenGuest {
    guest: Guest,
    /// Places in [`Written::updates`].
    updates: Steps,
    /// Places in [`Written::installed`].
    installed: Steps,
    /// Places in [`Written::changes`].
    #[serde(default, skip_serializing_if = "Steps::is_empty")]
    changes: Steps,
    /// What it wants of the batch.
    #[serde(default, skip_serializing_if = "Steps::is_empty")]
    wants: Steps,
}

/// Gives each row its place.
struct Places<T>(HashMap<Arc<T>, usize>);

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Eq + Hash> Places<T> {
    fn of(&mut self, rows: &[Arc<T>], all: &mut Vec<Arc<T>>) -> Steps {
        let place = |row: &Arc<T>| {
            *self.0.entry(row.clone()).or_insert_with(|| {
                all.push(row.clone());
                all.len() - 1
            })
        };
        Steps::of(rows.iter().map(place))
    }
}

/// Writes the guests of a run, each row once.
pub(super) fn serialize<S: Serializer>(
    guests: &BTreeMap<GuestName, Guest>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut written = Written {
        updates: Vec::new(),
        installed: Vec::new(),
        changes: Vec::new(),
        guests: BTreeMap::new(),
    };
    let (mut updates, mut installed) = (Places::default(), Places::default());
    let mut changes = Places::default();
    for (name, guest) in guests {
        let mut kept = WrittenGuest {
            guest: guest.clone(),
            updates: Steps::default(),
            installed: Steps::default(),
            changes: Steps::default(),
            wants: Steps::default(),
        };
        if let Some(done) = &mut kept.guest.installation {
            let own = std::mem::take(&mut done.changes);
            kept.changes = changes.of(&own, &mut written.changes);
        }
        if let Some(plan) = kept.guest.plan.as_mut().map(Arc::make_mut) {
            kept.wants = Steps::of(std::mem::take(&mut plan.wants).into_iter());
        }
        if let Some(scan) = &guest.scan {
            kept.updates = updates.of(&scan.updates, &mut written.updates);
            kept.installed = installed.of(&scan.installed, &mut written.installed);
            kept.guest.scan = Some(Arc::new(GuestScanned {
                run: scan.run,
                guest: scan.guest.clone(),
                attempt: scan.attempt,
                identity: scan.identity.clone(),
                updates: Vec::new(),
                installed: Vec::new(),
                findings: scan.findings.clone(),
                unchanged_since: scan.unchanged_since,
                unsettled: scan.unsettled,
            }));
        }
        written.guests.insert(name.clone(), kept);
    }
    written.serialize(serializer)
}

/// Reads what [`serialize`] wrote.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<GuestName, Guest>, D::Error> {
    fn rows<T, E: serde::de::Error>(steps: &Steps, all: &[Arc<T>]) -> Result<Vec<Arc<T>>, E> {
        let row = |place: usize| {
            let row = all.get(place).cloned();
            row.ok_or_else(|| E::custom(format!("there is no row {place}")))
        };
        steps.places().map(row).collect()
    }
    let written = Written::deserialize(deserializer)?;
    let mut guests = Vec::with_capacity(written.guests.len());
    for (name, kept) in written.guests {
        let mut guest = kept.guest;
        if let Some(scan) = guest.scan.as_mut().map(Arc::make_mut) {
            scan.updates = rows(&kept.updates, &written.updates)?;
            scan.installed = rows(&kept.installed, &written.installed)?;
        } else if !kept.updates.is_empty() || !kept.installed.is_empty() {
            return Err(D::Error::custom(format!("{name} has rows and no answer")));
        }
        if let Some(done) = &mut guest.installation {
            done.changes = rows(&kept.changes, &written.changes)?;
        }
        if let Some(plan) = guest.plan.as_mut().map(Arc::make_mut) {
            plan.wants = kept.wants.places().collect();
        }
        guests.push((name, guest));
    }
    // Made of a whole list it leaves no room for more.
    Ok(guests.into_iter().collect())
}
