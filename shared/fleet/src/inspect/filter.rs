//! Which events are shown.

use std::collections::BTreeSet;

use gentoo_updater_portage::atom::{Atom, Candidate, PackageUse};
use gentoo_updater_portage::build_key::BuildKey;
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::UseFlag;
use jiff::Timestamp;

use super::jobs::{KnownJob, KnownJobs, job_of, work_of};
use super::run_name::RunName;
use crate::message::{Envelope, Event, HeldBack, PackageChange, StoreSearched, Task};
use crate::name::GuestName;

/// What must hold of an event that is shown. An absent part asks for nothing.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Its sender made it at this time or later, by the sender's clock.
    pub since: Option<Timestamp>,
    /// It belongs to this run.
    pub run: Option<RunName>,
    /// It concerns this guest: it names it, or a job that it wants.
    pub guest: Option<GuestName>,
    /// It concerns a package that this atom speaks of: a job, what a guest needs or got, or what a
    /// builder's log tells.
    pub package: Option<Atom>,
    /// Its type is one of these.
    pub kinds: BTreeSet<String>,
}

impl EventFilter {
    /// Whether the event is shown. `jobs` knows the batches up to this event, itself included.
    pub fn takes(&self, event: &Envelope<Event>, jobs: &KnownJobs) -> bool {
        let message = &event.message;
        self.since.is_none_or(|since| event.at >= since)
            && (self.kinds.is_empty() || self.kinds.contains(message.kind()))
            && self
                .run
                .as_ref()
                .is_none_or(|name| message.run().is_some_and(|run| name.is(run)))
            && self
                .guest
                .as_ref()
                .is_none_or(|guest| concerns_guest(message, guest, jobs))
            && self
                .package
                .as_ref()
                .is_none_or(|atom| concerns_package(message, atom, jobs))
    }

    /// Whether it asks for something that only the batch before an event tells.
    pub fn needs_jobs(&self) -> bool {
        self.guest.is_some() || self.package.is_some()
    }
}

fn concerns_guest(event: &Event, guest: &GuestName, jobs: &KnownJobs) -> bool {
    if job_of(event).is_some() {
        let known = jobs.of_event(event);
        return known.is_some_and(|job| job.wanted_by.contains(guest));
    }
    match event {
        Event::RunRequested(e) => e.guests.contains_key(guest),
        Event::GuestScanned(e) => e.guest == *guest,
        Event::ScanFailed(e) => e.guest == *guest,
        Event::BatchPlanned(e) => e.batch.guests.contains_key(guest),
        Event::StoreSearched(e) => found(e, jobs).any(|job| job.wanted_by.contains(guest)),
        Event::GuestUpdated(e) => e.guest == *guest,
        Event::InstallFailed(e) => e.guest == *guest,
        event => work_of(event).is_some_and(
            |work| matches!(&work.task, Task::Scan(named) | Task::Install(named) if named == guest),
        ),
    }
}

fn concerns_package(event: &Event, atom: &Atom, jobs: &KnownJobs) -> bool {
    if job_of(event).is_some() {
        let known = jobs.of_event(event);
        return known.is_some_and(|job| speaks_of(atom, &job.key));
    }
    match event {
        Event::GuestScanned(e) => e.updates.iter().any(|update| speaks_of(atom, &update.key)),
        Event::BatchPlanned(e) => e.batch.jobs.iter().any(|job| speaks_of(atom, &job.key)),
        Event::StoreSearched(e) => found(e, jobs).any(|job| speaks_of(atom, &job.key)),
        Event::GuestUpdated(e) => changed(atom, &e.changes) || held(atom, &e.held),
        Event::InstallFailed(e) => changed(atom, &e.changes) || held(atom, &e.held),
        // No version is told.
        Event::DurationsLearned(e) => e.durations.contains_key(atom.category_package()),
        Event::BuilderCleaned(e) => {
            let mut all = [&e.removed, &e.updated, &e.gone].into_iter();
            all.any(|changes| changed(atom, changes))
        }
        _ => false,
    }
}

/// The jobs that need not be built, because a store holds what they would make.
fn found<'a>(event: &'a StoreSearched, jobs: &'a KnownJobs) -> impl Iterator<Item = &'a KnownJob> {
    event.held.keys().filter_map(|job| jobs.get(event.run, job))
}

pub(super) fn speaks_of(atom: &Atom, key: &BuildKey) -> bool {
    let known: BTreeSet<UseFlag> = key.use_flags.keys().cloned().collect();
    let enabled = key.use_flags.iter().filter(|(_, enabled)| **enabled);
    let enabled: BTreeSet<UseFlag> = enabled.map(|(flag, _)| flag.clone()).collect();
    atom.matches(&Candidate {
        cpv: &key.cpv,
        slot: &key.slot,
        repository: Some(&key.repository),
        build_id: None,
        use_flags: Some(PackageUse {
            known: &known,
            enabled: &enabled,
        }),
    })
}

/// Changes name versions only, so slot, repository and flags of the atom exclude none.
fn changed(atom: &Atom, changes: &[PackageChange]) -> bool {
    let versions = changes
        .iter()
        .flat_map(|change| [&change.before, &change.after]);
    versions
        .flatten()
        .any(|cpv: &Cpv| atom.matches_version(cpv))
}

fn held(atom: &Atom, held: &[HeldBack]) -> bool {
    held.iter().any(|held| atom.matches_version(&held.cpv))
}
