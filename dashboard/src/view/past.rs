//! What came of runs, for longer than the state knows them: a small fold over the whole history.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use gentoo_updater_fleet::message::{Envelope, Event, RunKind, RunOutcome};
use gentoo_updater_fleet::name::{BuilderName, GuestName, JobId, RunId};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::CategoryPackage;
use jiff::Timestamp;
use serde::Serialize;

/// Of how many runs it is known what came of them.
pub const KEPT_PAST_RUNS: usize = 200;
/// How many of the newest builds are known.
pub const KEPT_BUILDS: usize = 1000;

/// The runs and builds of the history, the newest of each.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Past {
    /// The offset of the newest event that is in it.
    pub offset: u64,
    /// The runs, by the time of their request.
    pub runs: BTreeMap<RunId, PastRun>,
    /// The newest builds, the oldest of them first.
    pub builds: VecDeque<PastBuild>,
    /// The packages of the jobs of runs that go on.
    #[serde(skip)]
    jobs: BTreeMap<RunId, BTreeMap<JobId, String>>,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastRun {
    /// How far it went.
    pub kind: RunKind,
    /// When its request was made.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<RunOutcome>,
    /// How many guests it has.
    pub guests: usize,
    /// How many guests were updated.
    pub updated: usize,
    /// How many guests failed.
    pub failed_guests: usize,
    /// How many jobs its batch had.
    pub jobs: usize,
    /// How many binaries were built.
    pub built: usize,
    /// How many binaries the stores had already.
    pub reused: usize,
    /// How many jobs failed, counted once each.
    pub failed: usize,
    /// How long all builds took together, in milliseconds.
    pub build_ms: u64,
    /// Bytes of what was built.
    pub bytes: u64,
    #[serde(skip)]
    failed_jobs: BTreeSet<JobId>,
    #[serde(skip)]
    failed_names: BTreeSet<GuestName>,
}

/// One build.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastBuild {
    /// The run.
    pub run: RunId,
    /// Package and version.
    pub cpv: String,
    /// The first digits of its job's id.
    pub job: String,
    /// Where.
    pub builder: BuilderName,
    /// When it was done.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Bytes of the binary.
    pub size: u64,
}

impl Past {
    /// Takes over the next event of the history.
    pub fn apply(&mut self, offset: u64, event: &Envelope<Event>) {
        self.offset = offset;
        match &event.message {
            Event::RunRequested(requested) => {
                let run = PastRun::requested(requested.kind, event.at, requested.guests.len());
                self.runs.entry(requested.run).or_insert(run);
                while self.runs.len() > KEPT_PAST_RUNS {
                    if let Some((run, _)) = self.runs.pop_first() {
                        self.jobs.remove(&run);
                    }
                }
            }
            Event::BatchPlanned(planned) => {
                let Some(run) = self.runs.get_mut(&planned.run).filter(|it| it.jobs == 0) else {
                    return;
                };
                run.jobs = planned.batch.jobs.len();
                let jobs = planned.batch.jobs.iter();
                let names = jobs.map(|job| (job.id.clone(), job.key.cpv.to_string()));
                self.jobs.insert(planned.run, names.collect());
            }
            Event::StoreSearched(searched) => {
                let count = searched.held.len();
                self.change(searched.run, |run| run.reused += count);
            }
            Event::PackageBuilt(built) => {
                if built.reused {
                    return self.change(built.run, |run| run.reused += 1);
                }
                let names = self.jobs.get_mut(&built.run);
                // A result that came twice, or of a run of which nothing is known.
                let Some(cpv) = names.and_then(|names| names.remove(&built.job)) else {
                    return;
                };
                let (duration_ms, size) = (built.duration_ms, built.binary.size);
                self.change(built.run, |run| {
                    run.built += 1;
                    run.build_ms = run.build_ms.saturating_add(duration_ms);
                    run.bytes = run.bytes.saturating_add(size);
                    run.failed_jobs.remove(&built.job);
                    run.failed = run.failed_jobs.len();
                });
                self.builds.push_back(PastBuild {
                    run: built.run,
                    cpv,
                    job: built.job.short().to_owned(),
                    builder: built.builder.clone(),
                    at: event.at,
                    duration_ms,
                    size,
                });
                if self.builds.len() > KEPT_BUILDS {
                    self.builds.pop_front();
                }
            }
            Event::BuildFailed(failed) => self.change(failed.run, |run| {
                run.failed_jobs.insert(failed.job.clone());
                run.failed = run.failed_jobs.len();
            }),
            Event::GuestUpdated(updated) => self.change(updated.run, |run| {
                run.updated += 1;
                run.guest(&updated.guest, false);
            }),
            Event::GuestScanned(scanned) => {
                self.change(scanned.run, |run| run.guest(&scanned.guest, false));
            }
            Event::ScanFailed(failed) => {
                self.change(failed.run, |run| run.guest(&failed.guest, true));
            }
            Event::InstallFailed(failed) => {
                self.change(failed.run, |run| run.guest(&failed.guest, true));
            }
            Event::RunFinished(finished) => {
                self.jobs.remove(&finished.run);
                let (outcome, at) = (finished.outcome, event.at);
                self.change(finished.run, |run| {
                    run.outcome = Some(outcome);
                    run.finished_at = Some(at);
                });
            }
            _ => {}
        }
    }

    fn change(&mut self, run: RunId, change: impl FnOnce(&mut PastRun)) {
        if let Some(run) = self.runs.get_mut(&run) {
            change(run);
        }
    }
}

impl PastBuild {
    /// Whether it built this package.
    pub(super) fn is_of(&self, package: &CategoryPackage) -> bool {
        let cpv = self.cpv.parse::<Cpv>();
        cpv.is_ok_and(|cpv| cpv.category_package == *package)
    }
}

impl PastRun {
    fn requested(kind: RunKind, started_at: Timestamp, guests: usize) -> Self {
        Self {
            kind,
            started_at,
            finished_at: None,
            outcome: None,
            guests,
            updated: 0,
            failed_guests: 0,
            jobs: 0,
            built: 0,
            reused: 0,
            failed: 0,
            build_ms: 0,
            bytes: 0,
            failed_jobs: BTreeSet::new(),
            failed_names: BTreeSet::new(),
        }
    }

    /// How the last attempt on a guest went: another one may go better.
    fn guest(&mut self, name: &GuestName, failed: bool) {
        if failed {
            self.failed_names.insert(name.clone());
        } else {
            self.failed_names.remove(name);
        }
        self.failed_guests = self.failed_names.len();
    }
}
