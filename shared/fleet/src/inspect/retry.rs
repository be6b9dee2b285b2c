//! What an operator has tried again, and how: within its run, or by a further one.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::cpv::Cpv;

use super::filter::speaks_of;
use super::run_name::RunName;
use crate::message::{Job, RunKind, Task, WorkKey};
use crate::name::{GuestName, JobId, PlatformName, RunId};
use crate::report::{GuestOutcome, guest_outcome};
use crate::state::{Fleet, JobProgress, Run};

/// How many digits of a job's id are asked for at least: as many as are shown.
const SHORT: usize = 12;

/// What is to be said so that what an operator names is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retry {
    /// Its run goes on: these failed for good and get further attempts.
    Again {
        /// Each with its last attempt.
        work: Vec<WorkKey>,
        /// The guests of that run that lack something and are not helped by it: another run may,
        /// when this one is over.
        left: BTreeSet<GuestName>,
    },
    /// Its run is over: a further one of these guests, which did not get all that they wanted.
    Further {
        /// The run that is over.
        of: RunId,
        /// How far the further one goes.
        kind: RunKind,
        /// The guests.
        guests: BTreeMap<GuestName, PlatformName>,
    },
    /// Its run is about to end, and takes nothing more up.
    Ending(RunId),
    /// Another run goes on with all guests that lack something.
    Covered(RunId),
    /// There is nothing to try again.
    Nothing(Nothing),
}

/// Why there is nothing to try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nothing {
    /// Nothing of the run failed, as far as it is.
    NotFailed(RunId),
    /// Nothing of what failed is tried again within the run, which goes on.
    NotWithin {
        /// The run.
        run: RunId,
        /// The guests on which something was begun.
        begun: BTreeSet<GuestName>,
        /// The others that lack something.
        others: BTreeSet<GuestName>,
    },
    /// Everybody has what they wanted, or got it by a later run.
    AllWell(RunId),
    /// These jobs have not failed.
    Jobs(Vec<KnownAs>),
}

/// A job as an operator may name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownAs {
    /// Its id.
    pub job: JobId,
    /// Package and version.
    pub cpv: Cpv,
    /// Its USE flags, as `ssl -doc`.
    pub flags: String,
    /// How far it is.
    pub progress: JobProgress,
}

/// Why a name leads to nothing that could be tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownRetry {
    /// It names nothing.
    #[error(
        "{0:?} names neither a run nor a job: write the id of a run, the first 12 digits of the id \
         of a job, as `gentoo-updater plan` shows them, or a package such as dev-libs/foo"
    )]
    Malformed(String),
    /// There was no run yet.
    #[error("there was no run yet")]
    NoRun,
    /// There is no run of this name.
    #[error("the history knows no run {0}; see gentoo-updater events")]
    UnknownRun(RunName),
    /// The newest run has no such job.
    #[error("run {run} has no job {text}; `gentoo-updater plan` shows those that it has")]
    NoJob {
        /// What was asked for.
        text: String,
        /// The newest run.
        run: RunId,
    },
    /// Several jobs could be meant.
    #[error(
        "{text} may be any of these; write the first 12 digits of one:\n{}",
        lines(candidates)
    )]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// The jobs.
        candidates: Vec<KnownAs>,
    },
}

fn lines(candidates: &[KnownAs]) -> String {
    let lines = candidates.iter().map(|known| {
        let line = format!("  {}  {}  {}", known.job.short(), known.cpv, known.flags);
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What `text` names, and what is to be said of it: a run, or a job of the newest run and its further
/// rounds.
///
/// # Errors
/// [`UnknownRetry`].
pub fn retry(fleet: &Fleet, text: &str) -> Result<Retry, UnknownRetry> {
    if let Ok(name) = text.parse::<RunName>() {
        if let Some(run) = name.find(fleet) {
            return Ok(whole(fleet, run));
        }
        if matches!(name, RunName::Id(_)) {
            return Err(UnknownRetry::UnknownRun(name));
        }
    }
    let named = Named::parse(text).ok_or_else(|| UnknownRetry::Malformed(text.to_owned()))?;
    let newest = fleet.newest_update().ok_or(UnknownRetry::NoRun)?;
    let rounds = rounds(fleet, newest);
    let found = rounds.iter().rev().find_map(|round| {
        let jobs = round.jobs.iter().flat_map(|jobs| jobs.values());
        let jobs: Vec<&Job> = jobs.filter(|job| named.is(job)).collect();
        (!jobs.is_empty()).then_some((*round, jobs))
    });
    let Some((round, jobs)) = found else {
        let (text, run) = (text.to_owned(), newest.id);
        return Err(UnknownRetry::NoJob { text, run });
    };
    one(fleet, round, &jobs, text)
}

/// How a job is named.
enum Named {
    Digits(String),
    Package(Atom),
    Version(Cpv),
}

impl Named {
    fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() >= SHORT && text.chars().all(|c| c.is_ascii_hexdigit());
        if is_id {
            return Some(Self::Digits(text.to_ascii_lowercase()));
        }
        // As the report shows a package: without the sign that an atom with a version has.
        let version = || text.parse().ok().map(Self::Version);
        text.parse().ok().map(Self::Package).or_else(version)
    }

    fn is(&self, job: &Job) -> bool {
        match self {
            Self::Digits(digits) => job.id.as_str().starts_with(digits),
            Self::Package(atom) => speaks_of(atom, &job.key),
            Self::Version(cpv) => job.key.cpv == *cpv,
        }
    }
}

/// One job of those that may be meant: the one that failed, or that is held back by one that did.
fn one(fleet: &Fleet, run: &Run, jobs: &[&Job], text: &str) -> Result<Retry, UnknownRetry> {
    let progress = run.progress();
    let known: Vec<KnownAs> = jobs
        .iter()
        .filter_map(|job| {
            let flags = job.key.use_flags.iter();
            let flags = flags.map(|(flag, on)| format!("{}{flag}", if *on { "" } else { "-" }));
            Some(KnownAs {
                job: job.id.clone(),
                cpv: job.key.cpv.clone(),
                flags: flags.collect::<Vec<_>>().join(" "),
                progress: progress.get(&job.id)?.clone(),
            })
        })
        .collect();
    let failed: BTreeSet<JobId> = known.iter().filter_map(failed_of).cloned().collect();
    let mut failed = failed.into_iter();
    let job = match (failed.next(), failed.next()) {
        (None, _) => return Ok(Retry::Nothing(Nothing::Jobs(known))),
        (Some(job), None) => job,
        (Some(_), Some(_)) => {
            let mut candidates = known;
            candidates.retain(|known| failed_of(known).is_some());
            let text = text.to_owned();
            return Err(UnknownRetry::Ambiguous { text, candidates });
        }
    };
    let task = Task::Build(job.clone());
    if fleet.can_retry(run.id, &task) {
        let work = last_attempt(run, task).into_iter().collect();
        let left = BTreeSet::new();
        return Ok(Retry::Again { work, left });
    }
    if run.finished.is_none() {
        return Ok(Retry::Ending(run.id));
    }
    let lacks = |name: &GuestName| {
        let plan = run.guests.get(name).and_then(|guest| guest.plan.as_ref());
        let mut wanted = plan
            .into_iter()
            .flat_map(|plan| run.wanted(plan).into_values());
        wanted.any(|id| match progress.get(id) {
            Some(JobProgress::Failed) => *id == job,
            Some(JobProgress::HeldBack(by)) => *by == job,
            _ => false,
        })
    };
    Ok(further(fleet, &[run], lacks))
}

/// The failed job that a job is, or waits for.
fn failed_of(known: &KnownAs) -> Option<&JobId> {
    match &known.progress {
        JobProgress::Failed => Some(&known.job),
        JobProgress::HeldBack(by) => Some(by),
        _ => None,
    }
}

/// All that failed in a run and its further rounds.
fn whole(fleet: &Fleet, run: &Run) -> Retry {
    let rounds = rounds(fleet, run);
    let Some(open) = rounds.iter().find(|round| round.finished.is_none()) else {
        return further(fleet, &rounds, |_| true);
    };
    let tasks = open
        .tasks
        .keys()
        .filter(|task| fleet.can_retry(open.id, task));
    let work: Vec<WorkKey> = tasks
        .filter_map(|task| last_attempt(open, task.clone()))
        .collect();
    let helped = |name: &GuestName| {
        work.iter().any(|work| match &work.task {
            Task::Install(guest) => guest == name,
            Task::Build(_) => open.failure(&Task::Scan(name.clone())).is_none(),
            _ => false,
        })
    };
    let has_failed = |name: &&GuestName| {
        let outcome = guest_outcome(open, name);
        matches!(
            outcome,
            GuestOutcome::Failed | GuestOutcome::HeldBack | GuestOutcome::LeftOut
        )
    };
    let lacking: BTreeSet<GuestName> = open.guests.keys().filter(has_failed).cloned().collect();
    if !work.is_empty() {
        let left = lacking.into_iter().filter(|name| !helped(name)).collect();
        return Retry::Again { work, left };
    }
    if lacking.is_empty() {
        return Retry::Nothing(Nothing::NotFailed(open.id));
    }
    if !fleet.takes_retries(open.id) {
        return Retry::Ending(open.id);
    }
    let (begun, others) = lacking.into_iter().partition(|name| open.is_begun_on(name));
    let run = open.id;
    Retry::Nothing(Nothing::NotWithin { run, begun, others })
}

/// A further run of those guests of a run that is over that did not get all they wanted. Left out is
/// who got it by a later run.
fn further(fleet: &Fleet, rounds: &[&Run], is_meant: impl Fn(&GuestName) -> bool) -> Retry {
    let Some(first) = rounds.first() else {
        return Retry::Nothing(Nothing::Jobs(Vec::new()));
    };
    let own: BTreeSet<RunId> = rounds.iter().map(|round| round.id).collect();
    let is_later =
        |run: &&Run| run.id > first.id && !own.contains(&run.id) && run.kind == first.kind;
    let later = || fleet.runs.values().map(AsRef::as_ref).filter(is_later);
    let lacks = |name: &GuestName, runs: &mut dyn DoubleEndedIterator<Item = &Run>| {
        let mut newest_first = runs.rev();
        let run = newest_first.find(|run| run.finished.is_some() && run.guests.contains_key(name));
        run.map(|run| did_not_get_all(run, name))
    };
    let guests: BTreeMap<GuestName, PlatformName> = first
        .guests
        .iter()
        .filter(|(name, _)| is_meant(name))
        .filter(|(name, _)| lacks(name, &mut rounds.iter().copied()) == Some(true))
        .filter(|(name, _)| lacks(name, &mut later()) != Some(false))
        .map(|(name, guest)| (name.clone(), guest.platform.clone()))
        .collect();
    if guests.is_empty() {
        return Retry::Nothing(Nothing::AllWell(first.id));
    }
    let covers = |run: &&Run| guests.keys().all(|name| run.guests.contains_key(name));
    let mut going_on = later().filter(|run| run.finished.is_none());
    if let Some(run) = going_on.find(covers) {
        return Retry::Covered(run.id);
    }
    Retry::Further {
        of: first.id,
        kind: first.kind,
        guests,
    }
}

fn did_not_get_all(run: &Run, name: &GuestName) -> bool {
    let outcome = guest_outcome(run, name);
    !matches!(
        outcome,
        GuestOutcome::UpToDate | GuestOutcome::Updated | GuestOutcome::Pending
    )
}

fn last_attempt(run: &Run, task: Task) -> Option<WorkKey> {
    let attempt = run.tasks.get(&task)?.last();
    Some(WorkKey {
        run: run.id,
        attempt,
        task,
    })
}

/// A run and the further rounds behind it, in order.
fn rounds<'a>(fleet: &'a Fleet, run: &'a Run) -> Vec<&'a Run> {
    let following = |run: &&Run| fleet.runs.get(&run.id.following()).map(AsRef::as_ref);
    std::iter::successors(Some(run), following).collect()
}
