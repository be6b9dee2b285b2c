//! The batch of a run as an operator is shown it: what is built, in which order, and why so.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::SlotAndSubslot;
use jiff::Timestamp;
use serde::Serialize;

use crate::graph::{Graph, Place};
use crate::message::{Job, Task};
use crate::name::{BuilderName, GuestName, JobId, PlatformName, RunId, WorkerId};
use crate::needs::{Needs, lacking};
use crate::order::{Expectations, Expected};
use crate::report::{self, BarrierReport, UnapprovedReport};
use crate::state::{Fleet, JobProgress, Run, TaskState};

/// The batch of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanView {
    /// The run.
    pub run: RunId,
    /// Whether all answers were merged. Until then there are no jobs.
    pub planned: bool,
    /// Whether the run shows only what is pending, so that nothing will be built.
    pub scan_only: bool,
    /// What comes before the batch and is not over.
    pub waits_for: Vec<String>,
    /// The guests that could not be asked, so that nothing is built for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_asked: Vec<GuestName>,
    /// What goes first, as a step of its own; the rest follows in a further round.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub barriers: Vec<BarrierReport>,
    /// What waits for an approval, because it cannot be undone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unapproved: Vec<UnapprovedReport>,
    /// The jobs, the longest remaining path first.
    pub jobs: Vec<PlanJob>,
    /// The rings that had to be broken.
    pub rings: Vec<PlanRing>,
    /// The sums.
    pub totals: PlanTotals,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanJob {
    /// Its id.
    pub job: JobId,
    /// Package and version.
    pub cpv: Cpv,
    /// Slot and subslot.
    pub slot: SlotAndSubslot,
    /// The platform whose store it goes to.
    pub platform: PlatformName,
    /// The USE flags in which it differs from other jobs of the same package, as `ssl` and `-doc`.
    pub differing_use: Vec<String>,
    /// The guests that install it. Empty where only other jobs need it.
    pub wanted_by: Vec<GuestName>,
    /// The jobs that its build needs.
    pub build_needs: Vec<JobId>,
    /// The jobs that it needs when it runs.
    pub runtime_needs: Vec<JobId>,
    /// Those of all these that it does not wait for, because it is the first of a ring.
    pub cut_needs: Vec<JobId>,
    /// Those that it waits for and that are not built.
    pub waits_for: Vec<JobId>,
    /// How long it takes, in milliseconds: it took so long, or did when it was built last.
    pub duration_ms: u64,
    /// Whether that is a guess, because neither the fleet nor the log of a builder knows the package.
    pub guessed: bool,
    /// From its start to the end of the longest chain of jobs behind it, in milliseconds.
    pub path_ms: u64,
    /// Whether it is part of the longest chain of all.
    pub critical: bool,
    /// What it needs of its machine: what is configured or, where nothing is, what was learnt.
    #[serde(skip_serializing_if = "Needs::is_none")]
    pub needs: Needs,
    /// Whether that is configured, and no builder that has ever come up has it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub too_large: bool,
    /// How far it is.
    pub progress: PlanProgress,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PlanProgress {
    /// Other jobs come first.
    Waiting,
    /// Everything that it needs is there.
    Ready,
    /// A worker works on it.
    Claimed {
        /// Which.
        by: WorkerId,
        /// Since when.
        since: Timestamp,
    },
    /// Its binary is in the store.
    Built {
        /// Where it was built, or looked up.
        on: BuilderName,
        /// Whether it was there already.
        reused: bool,
    },
    /// It failed for good.
    Failed {
        /// The cause, in a word.
        cause: String,
    },
    /// It needs something that failed.
    HeldBack {
        /// The job.
        by: JobId,
    },
}

/// A ring that had to be broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanRing {
    /// The jobs that wait for each other, by package.
    pub jobs: Vec<JobId>,
    /// The one that is built first.
    pub first: JobId,
    /// What its build uses and does not get from this batch: its builder takes what it has.
    pub lacks: Vec<JobId>,
}

/// The sums over a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PlanTotals {
    /// How many jobs there are.
    pub jobs: usize,
    /// How many of them are built.
    pub built: usize,
    /// How many of them failed or are held back.
    pub failed: usize,
    /// How many durations are guesses.
    pub guessed: usize,
    /// All durations together, in milliseconds.
    pub work_ms: u64,
    /// Those of what is neither built nor failed or held back.
    pub left_ms: u64,
    /// The length of the longest chain, in milliseconds: with any number of builders it takes no
    /// less.
    pub critical_ms: u64,
    /// That chain, from its start.
    pub critical_path: Vec<JobId>,
}

impl PlanView {
    /// The batch of this run as it stands.
    pub fn of(fleet: &Fleet, run: &Run) -> Self {
        let Some(jobs) = &run.jobs else {
            return Self {
                run: run.id,
                planned: false,
                scan_only: run.is_scan_only(),
                waits_for: what_comes_before(run),
                not_asked: not_asked(run),
                barriers: Vec::new(),
                unapproved: Vec::new(),
                jobs: Vec::new(),
                rings: Vec::new(),
                totals: PlanTotals::default(),
            };
        };
        let progress = run.progress();
        let expectations = Expectations::new(&fleet.durations, jobs);
        let expected = |job: &Job| expected(&expectations, run, job);
        // Those of the graph are in the order of the ids, too.
        let durations: Vec<Duration> = jobs.values().map(|job| expected(job).0).collect();
        let duration = |place: Place| durations.get(place).copied().unwrap_or_default();
        let empty = Graph::default();
        let graph = run.graph().unwrap_or(&empty);
        let paths = graph.remaining_paths(duration);
        let path = |id: &JobId| paths.get(graph.place(id)?).copied();
        let critical = critical_path(graph, &paths, duration);
        let on_it: BTreeSet<&JobId> = critical.iter().collect();
        let flags = differing(jobs);
        let mut views: Vec<PlanJob> = jobs
            .values()
            .map(|job| {
                let (duration, guessed) = expected(job);
                PlanJob {
                    duration_ms: milliseconds(duration),
                    guessed,
                    path_ms: milliseconds(path(&job.id).unwrap_or_default()),
                    critical: on_it.contains(&job.id),
                    progress: job_progress(run, &job.id, progress.get(&job.id)),
                    needs: needs_of(fleet, job),
                    too_large: is_too_large(fleet, job),
                    differing_use: flags.get(&job.id).cloned().unwrap_or_default(),
                    ..needs(run, jobs, job)
                }
            })
            .collect();
        views.sort_by(|a, b| {
            let by_path = b.path_ms.cmp(&a.path_ms);
            by_path.then_with(|| (&a.cpv, &a.job).cmp(&(&b.cpv, &b.job)))
        });
        Self {
            run: run.id,
            planned: true,
            scan_only: run.is_scan_only(),
            waits_for: Vec::new(),
            not_asked: not_asked(run),
            barriers: report::barriers(fleet, run),
            unapproved: report::unapproved(fleet, run),
            totals: totals(&views, critical),
            jobs: views,
            rings: rings(run, jobs),
        }
    }

    /// One of its jobs.
    pub fn job(&self, id: &JobId) -> Option<&PlanJob> {
        self.jobs.iter().find(|job| job.job == *id)
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn not_asked(run: &Run) -> Vec<GuestName> {
    let failed = run.guests.keys().filter(|guest| {
        let scan = run.tasks.get(&Task::Scan((*guest).clone()));
        scan.is_some_and(TaskState::has_failed)
    });
    failed.cloned().collect()
}

/// What is configured or, where nothing is, what was learnt.
fn needs_of(fleet: &Fleet, job: &Job) -> Needs {
    let learnt = fleet.needs.get(&job.key.cpv.category_package);
    job.needs.or(learnt.copied().unwrap_or_default())
}

fn is_too_large(fleet: &Fleet, job: &Job) -> bool {
    let mut builders = fleet
        .workers
        .values()
        .filter(|worker| {
            let machine = worker.machine.as_ref();
            machine.is_some_and(|machine| machine.platform == job.platform)
        })
        .peekable();
    builders.peek().is_some() && builders.all(|worker| lacking(worker, &job.needs).is_some())
}

/// The syncs and scans that are not over.
fn what_comes_before(run: &Run) -> Vec<String> {
    let syncs = run.sync.builders.iter().cloned().map(Task::Sync);
    let scans = run.guests.keys().cloned().map(Task::Scan);
    let tasks = syncs.chain(scans);
    let open = tasks.filter(|task| !run.is_over(task));
    open.map(|task| task.to_string()).collect()
}

/// How long a job takes, and whether that is a guess.
pub fn expected(expectations: &Expectations<'_>, run: &Run, job: &Job) -> (Duration, bool) {
    let took = run.built.get(&job.id).filter(|built| !built.reused);
    let took = took.map(|built| Duration::from_millis(built.duration_ms));
    match (took, expectations.of(job)) {
        (Some(took), _) | (None, Expected::Known(took)) => (took, false),
        (None, Expected::Guessed(guess)) => (guess, true),
    }
}

/// What a job is and needs; the rest is filled in by whoever asks.
fn needs(run: &Run, jobs: &BTreeMap<JobId, Job>, job: &Job) -> PlanJob {
    let known = |ids: &BTreeSet<JobId>| -> Vec<JobId> {
        let ids = ids.iter().filter(|id| jobs.contains_key(*id));
        ids.cloned().collect()
    };
    let ring = run.rings.iter().find(|ring| ring.first == job.id);
    let is_cut = |id: &&JobId| ring.is_some_and(|ring| ring.without.contains(*id));
    let all: BTreeSet<JobId> = job.build_needs.union(&job.runtime_needs).cloned().collect();
    let is_over = run.built.contains_key(&job.id);
    let waits_for = run.waits_for(&job.id).into_iter();
    PlanJob {
        job: job.id.clone(),
        cpv: job.key.cpv.clone(),
        slot: job.key.slot.clone(),
        platform: job.platform.clone(),
        differing_use: Vec::new(),
        wanted_by: job.wanted_by.iter().cloned().collect(),
        build_needs: known(&job.build_needs),
        runtime_needs: known(&job.runtime_needs),
        cut_needs: all.iter().filter(is_cut).cloned().collect(),
        waits_for: waits_for.filter(|_| !is_over).cloned().collect(),
        duration_ms: 0,
        guessed: false,
        path_ms: 0,
        critical: false,
        needs: Needs::default(),
        too_large: false,
        progress: PlanProgress::Waiting,
    }
}

/// How far a job is, of which the state of the batch says `progress`.
pub fn job_progress(run: &Run, id: &JobId, progress: Option<&JobProgress>) -> PlanProgress {
    let task = Task::Build(id.clone());
    match progress {
        Some(JobProgress::Built) => match run.built.get(id) {
            Some(built) => PlanProgress::Built {
                on: built.builder.clone(),
                reused: built.reused,
            },
            None => PlanProgress::Ready,
        },
        Some(JobProgress::Failed) => {
            let failure = run.failure(&task);
            let cause = failure.map(|failure| failure.cause.clone());
            PlanProgress::Failed {
                cause: cause.unwrap_or_default(),
            }
        }
        Some(JobProgress::HeldBack(by)) => PlanProgress::HeldBack { by: by.clone() },
        Some(JobProgress::Ready) => {
            let newest = run
                .tasks
                .get(&task)
                .and_then(|state| Some((state.before_retry, state.attempts.last_key_value()?)));
            let counted = newest.filter(|(before, (number, _))| *number > before);
            let attempt = counted.map(|(_, (_, attempt))| attempt);
            let open = attempt.filter(|attempt| attempt.failure.is_none());
            match open.and_then(|attempt| attempt.claim.as_ref()) {
                Some(claim) => PlanProgress::Claimed {
                    by: claim.worker.clone(),
                    since: claim.at,
                },
                None => PlanProgress::Ready,
            }
        }
        Some(JobProgress::Waiting) | None => PlanProgress::Waiting,
    }
}

/// Of each package that has several jobs, the flags that are not the same in all of them.
fn differing(jobs: &BTreeMap<JobId, Job>) -> BTreeMap<JobId, Vec<String>> {
    let mut alike: BTreeMap<(&PlatformName, &Cpv), Vec<&Job>> = BTreeMap::new();
    for job in jobs.values() {
        alike
            .entry((&job.platform, &job.key.cpv))
            .or_default()
            .push(job);
    }
    let mut differing = BTreeMap::new();
    for group in alike.values() {
        for job in group {
            let flags = job.key.use_flags.iter();
            let is_shared = |flag, on| {
                let mut others = group.iter();
                others.all(|other| other.key.use_flags.get(flag) == Some(on))
            };
            let own = flags.filter(|(flag, on)| !is_shared(*flag, *on));
            let words = own.map(|(flag, on)| match on {
                true => flag.to_string(),
                false => format!("-{flag}"),
            });
            differing.insert(job.id.clone(), words.collect());
        }
    }
    differing
}

/// The longest chain, from its start: each time on to the dependant with the longest way left.
pub fn critical_path(
    graph: &Graph,
    paths: &[Duration],
    duration: impl Fn(Place) -> Duration,
) -> Vec<JobId> {
    // Of equal ones the first.
    let longest = |places: &mut dyn Iterator<Item = Place>| {
        places.max_by_key(|place| (paths.get(*place), Reverse(*place)))
    };
    let mut chain = Vec::new();
    let mut next = longest(&mut (0..graph.len()));
    while let Some(place) = next {
        chain.extend(graph.ids().get(place).cloned());
        let path = paths.get(place).copied().unwrap_or_default();
        let rest = path.saturating_sub(duration(place));
        let behind = graph.releases(place).iter().copied();
        let mut behind = behind.filter(|next| paths.get(*next) == Some(&rest));
        next = longest(&mut behind);
    }
    chain
}

fn rings(run: &Run, jobs: &BTreeMap<JobId, Job>) -> Vec<PlanRing> {
    let by_package = |ids: &BTreeSet<JobId>| {
        let mut ids: Vec<JobId> = ids.iter().cloned().collect();
        ids.sort_by_cached_key(|id| jobs.get(id).map(|job| job.key.cpv.clone()));
        ids
    };
    let rings = run.rings.iter().map(|ring| PlanRing {
        jobs: by_package(&ring.jobs),
        first: ring.first.clone(),
        lacks: by_package(&ring.lacks),
    });
    rings.collect()
}

fn totals(jobs: &[PlanJob], critical_path: Vec<JobId>) -> PlanTotals {
    use PlanProgress::{Built, Failed, HeldBack};
    let count = |is: &dyn Fn(&PlanJob) -> bool| jobs.iter().filter(|job| is(job)).count();
    let sum = |is: &dyn Fn(&PlanJob) -> bool| {
        let durations = jobs.iter().filter(|job| is(job)).map(|job| job.duration_ms);
        durations.fold(0, u64::saturating_add)
    };
    let is_built = |job: &PlanJob| matches!(job.progress, Built { .. });
    let has_failed = |job: &PlanJob| matches!(job.progress, Failed { .. } | HeldBack { .. });
    PlanTotals {
        jobs: jobs.len(),
        built: count(&is_built),
        failed: count(&has_failed),
        guessed: count(&|job| job.guessed),
        work_ms: sum(&|_| true),
        left_ms: sum(&|job| !is_built(job) && !has_failed(job)),
        critical_ms: jobs.iter().map(|job| job.path_ms).max().unwrap_or(0),
        critical_path,
    }
}
