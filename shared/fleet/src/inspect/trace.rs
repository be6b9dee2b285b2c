//! A run as a tree of spans: what it did from when to when, and what waited meanwhile.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::message::{Failure, RunOutcome, Task, WorkKey};
use crate::name::{RunId, WorkerId};
use crate::state::{Attempt, Fleet, Run, TaskOutcome, TaskState};
use crate::trace::{SpanId, TraceId};

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanStatus {
    /// It goes on.
    Open,
    /// Well.
    Done,
    /// It failed, or something below it did.
    Failed,
    /// Its worker fell silent, or another attempt took its place.
    Lost,
}

/// Something that took its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceSpan {
    /// Its id, for tracing systems: 16 hexadecimal digits.
    pub span_id: String,
    /// What it is: `run`, `phase`, `task`, `wait` (in a queue) or `attempt`.
    pub level: &'static str,
    /// `sync`, `scan`, `plan`, `search`, `build`, `install`, `clean` or `collect`; `run` for the whole.
    pub kind: &'static str,
    /// Its name for people: the guest, the builder, the platform, or the package that is built.
    pub name: String,
    /// When it began, by the clock of whoever said so.
    pub start: Timestamp,
    /// When it ended; absent while it goes on.
    pub end: Option<Timestamp>,
    /// How it ended.
    pub status: SpanStatus,
    /// Which try, for what is an attempt or its waiting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Who worked on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// Why it failed: the stable name of the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What it is made of, by the time of their begin.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<TraceSpan>,
}

/// A run with its further rounds, each a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceView {
    /// The run, and the rounds behind it.
    pub rounds: Vec<RunTrace>,
}

/// The trace of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunTrace {
    /// The run.
    pub run: RunId,
    /// Its trace: 32 hexadecimal digits.
    pub trace_id: String,
    /// The run that this one is a further round of.
    pub follows: Option<RunId>,
    /// All of it.
    pub root: TraceSpan,
}

impl TraceView {
    /// Of a run that is known, and of the rounds behind it.
    pub fn of(fleet: &Fleet, run: &Run) -> Self {
        let rounds = std::iter::successors(Some(run), |run| {
            let further = fleet.runs.get(&run.id.following());
            further.map(AsRef::as_ref)
        });
        let rounds = rounds.map(RunTrace::of).collect();
        Self { rounds }
    }
}

impl RunTrace {
    fn of(run: &Run) -> Self {
        let mut tasks: BTreeMap<&'static str, Vec<TraceSpan>> = BTreeMap::new();
        for (task, state) in &run.tasks {
            let of_kind = tasks.entry(task.kind()).or_default();
            of_kind.extend(task_span(run, task, state));
        }
        let mut phases: Vec<TraceSpan> = tasks
            .into_iter()
            .filter_map(|(kind, tasks)| phase(run, kind, tasks))
            .collect();
        phases.extend(planning(run, &phases));
        by_begin(&mut phases);
        let end = run.finished.map(|finished| finished.at);
        let status = match run.finished.map(|finished| finished.outcome) {
            None => SpanStatus::Open,
            Some(RunOutcome::Complete) => SpanStatus::Done,
            Some(RunOutcome::WithFailures) => SpanStatus::Failed,
        };
        let name = match run.is_scan_only() {
            true => "scan",
            false => "update",
        };
        let id = SpanId::of_run(run.id);
        let root = TraceSpan {
            status,
            children: phases,
            ..TraceSpan::new(id, "run", "run", name, run.requested_at, end)
        };
        Self {
            run: run.id,
            trace_id: TraceId::of(run.id).to_string(),
            follows: run.follows,
            root,
        }
    }
}

impl TraceSpan {
    fn new(
        id: SpanId,
        level: &'static str,
        kind: &'static str,
        name: impl Into<String>,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> Self {
        Self {
            span_id: id.to_string(),
            level,
            kind,
            name: name.into(),
            start,
            // The clocks of two machines differ a little.
            end: end.map(|end| end.max(start)),
            status: match end {
                None => SpanStatus::Open,
                Some(_) => SpanStatus::Done,
            },
            attempt: None,
            worker: None,
            cause: None,
            children: Vec::new(),
        }
    }
}

/// All tasks of one kind: from the begin of the first to the end of the last.
fn phase(run: &Run, kind: &'static str, mut tasks: Vec<TraceSpan>) -> Option<TraceSpan> {
    by_begin(&mut tasks);
    let start = tasks.first()?.start;
    let is_open = tasks.iter().any(|task| task.end.is_none());
    let end = tasks.iter().filter_map(|task| task.end).max();
    let has_failed = tasks.iter().any(|task| task.status == SpanStatus::Failed);
    let id = SpanId::of_phase(run.id, kind);
    let mut phase = TraceSpan::new(id, "phase", kind, kind, start, end.filter(|_| !is_open));
    if has_failed && !is_open {
        phase.status = SpanStatus::Failed;
    }
    phase.children = tasks;
    Some(phase)
}

/// The merging of the answers: from the last of them to the first command that follows from the batch,
/// or to the end of the run where none does. The state knows no other time of it.
fn planning(run: &Run, phases: &[TraceSpan]) -> Option<TraceSpan> {
    run.jobs.as_ref()?;
    let answered = phases.iter().find(|phase| phase.kind == "scan")?.end?;
    let behind = phases
        .iter()
        .filter(|phase| !matches!(phase.kind, "sync" | "scan"));
    let end = behind.map(|phase| phase.start).min();
    let end = end.or(run.finished.map(|finished| finished.at));
    let id = SpanId::of_phase(run.id, "plan");
    let name = "merge the answers";
    Some(TraceSpan::new(id, "phase", "plan", name, answered, end))
}

/// One task, with the waiting and the work of each of its attempts. None of what was given up before
/// anybody was told to do it.
fn task_span(run: &Run, task: &Task, state: &TaskState) -> Option<TraceSpan> {
    let name = subject(run, task);
    let mut children = Vec::new();
    for (number, attempt) in &state.attempts {
        let work = WorkKey {
            run: run.id,
            task: task.clone(),
            attempt: *number,
        };
        children.extend(wait_span(&work, &name, attempt, state));
        children.extend(attempt_span(&work, &name, attempt, state));
    }
    let start = children.iter().map(|child| child.start).min()?;
    let (end, failure) = match &state.outcome {
        None => (None, None),
        Some(TaskOutcome::Done { at, .. }) => (Some(*at), None),
        Some(TaskOutcome::Failed { failure, at }) => (Some(*at), Some(failure)),
    };
    let id = SpanId::of_task(run.id, task);
    let mut span = TraceSpan::new(id, "task", task.kind(), name, start, end);
    span.fail(failure);
    span.children = children;
    Some(span)
}

/// The time that a command lay in its queue. What nobody took until the end waited until then.
fn wait_span(
    work: &WorkKey,
    name: &str,
    attempt: &Attempt,
    state: &TaskState,
) -> Option<TraceSpan> {
    let issued = attempt.issued.as_ref()?;
    let claimed = attempt.claim.as_ref().map(|claim| claim.at);
    let (id, kind) = (SpanId::of_wait(work), work.task.kind());
    let end = claimed.or_else(|| replaced(work, state));
    Some(TraceSpan {
        attempt: Some(work.attempt),
        status: match (claimed, end) {
            (Some(_), _) => SpanStatus::Done,
            (None, Some(_)) => SpanStatus::Lost,
            (None, None) => SpanStatus::Open,
        },
        ..TraceSpan::new(id, "wait", kind, name, issued.first, end)
    })
}

fn attempt_span(
    work: &WorkKey,
    name: &str,
    attempt: &Attempt,
    state: &TaskState,
) -> Option<TraceSpan> {
    let claim = attempt.claim.as_ref()?;
    let failed = attempt.failure.as_ref();
    let done = match &state.outcome {
        Some(TaskOutcome::Done { attempt, at }) if *attempt == work.attempt => Some(*at),
        _ => None,
    };
    let end = done.or(failed.map(|(_, at)| *at));
    let (id, kind) = (SpanId::of_work(work), work.task.kind());
    let lost = replaced(work, state).filter(|_| end.is_none());
    let mut span = TraceSpan::new(id, "attempt", kind, name, claim.at, end.or(lost));
    span.attempt = Some(work.attempt);
    span.worker = Some(claim.worker.clone());
    if lost.is_some() {
        span.status = SpanStatus::Lost;
        // Of the last attempt the outcome tells what became of it.
        if let Some(TaskOutcome::Failed { failure, .. }) = &state.outcome {
            let is_last = state.attempts.keys().next_back() == Some(&work.attempt);
            span.fail(is_last.then_some(failure));
        }
    }
    span.fail(
        failed
            .filter(|_| done.is_none())
            .map(|(failure, _)| failure),
    );
    Some(span)
}

/// When something else took the place of an attempt: the next one, or the end of its task.
fn replaced(work: &WorkKey, state: &TaskState) -> Option<Timestamp> {
    let mut later = state.attempts.range(work.attempt.saturating_add(1)..);
    let next = later.find_map(|(_, attempt)| {
        let issued = attempt.issued.as_ref().map(|issued| issued.first);
        issued.or(attempt.claim.as_ref().map(|claim| claim.at))
    });
    next.or(match &state.outcome {
        Some(TaskOutcome::Done { at, .. } | TaskOutcome::Failed { at, .. }) => Some(*at),
        None => None,
    })
}

impl TraceSpan {
    fn fail(&mut self, failure: Option<&Failure>) {
        if let Some(failure) = failure {
            self.status = SpanStatus::Failed;
            self.cause = Some(failure.cause.clone());
        }
    }
}

/// What a task is about, for people.
fn subject(run: &Run, task: &Task) -> String {
    let Task::Build(id) = task else {
        return task.subject().to_owned();
    };
    let job = run.jobs.as_ref().and_then(|jobs| jobs.get(id));
    job.map_or_else(|| id.short().to_owned(), |job| job.key.cpv.to_string())
}

fn by_begin(spans: &mut [TraceSpan]) {
    spans.sort_by(|a, b| (a.start, &a.name).cmp(&(b.start, &b.name)));
}
