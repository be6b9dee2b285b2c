//! What tracing systems know a run by: ids of the W3C Trace Context
//! (<https://www.w3.org/TR/trace-context/>).
//!
//! The trace of a run *is* the run: its id is the 16 bytes of the run's UUID, and the id of each span
//! is a digest of what it stands for. So no message has to carry any of it: whoever knows what is
//! worked on knows its trace, messages of older versions have one, and the same work has the same ids
//! whoever exports it, and however often. A UUIDv7 ends in 62 random bits, which is what the
//! specification asks for samplers, and is never zero. An operator finds the trace by the id of the run
//! without its hyphens.
//!
//! A further round is a run of its own, so it is a trace of its own; [`RunId::following`] links both.

use std::fmt;

use uuid::Uuid;

use crate::message::{Task, WorkKey};
use crate::name::RunId;

/// The variable of the environment in which a program gets its trace, in the form of [`parent`].
pub const VARIABLE: &str = "TRACEPARENT";

/// Names the trace of a run: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(u128);

/// Names one span of a trace: 16 hexadecimal digits, never all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(u64);

impl TraceId {
    /// Of a run.
    pub fn of(run: RunId) -> Self {
        Self(run.0.as_u128())
    }
}

impl SpanId {
    /// The whole of a run.
    pub fn of_run(run: RunId) -> Self {
        Self::of(run, "run")
    }

    /// One phase of a run, by its name.
    pub fn of_phase(run: RunId, phase: &str) -> Self {
        Self::of(run, &format!("phase\n{phase}"))
    }

    /// A task with all its attempts.
    pub fn of_task(run: RunId, task: &Task) -> Self {
        Self::of(run, &format!("{}\n{}", task.kind(), task.subject()))
    }

    /// One attempt.
    pub fn of_work(work: &WorkKey) -> Self {
        let WorkKey { run, task, attempt } = work;
        Self::of(
            *run,
            &format!("{}\n{}\n{attempt}", task.kind(), task.subject()),
        )
    }

    /// The time that one attempt waited in its queue.
    pub fn of_wait(work: &WorkKey) -> Self {
        let WorkKey { run, task, attempt } = work;
        Self::of(
            *run,
            &format!("wait\n{}\n{}\n{attempt}", task.kind(), task.subject()),
        )
    }

    fn of(run: RunId, name: &str) -> Self {
        let digest = Uuid::new_v5(&run.0, name.as_bytes());
        // The first half holds the version, so it is not zero.
        Self(digest.as_u64_pair().0)
    }
}

/// `traceparent`: what a program is told that works for this run (Trace Context, section 3.2).
pub fn parent(run: RunId) -> String {
    format!("00-{}-{}-01", TraceId::of(run), SpanId::of_run(run))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn run() -> RunId {
        "0197a4e2-7e43-7d2a-8b5f-6c0d1e2f3a4b".parse().unwrap()
    }

    #[test]
    fn a_trace_is_the_run_without_hyphens() {
        let trace = TraceId::of(run()).to_string();
        assert_eq!(trace, "0197a4e27e437d2a8b5f6c0d1e2f3a4b");
        let parent = parent(run());
        // The same in every version, or traces would fall apart at an update.
        assert_eq!(parent, format!("00-{trace}-{}-01", SpanId::of_run(run())));
        assert_eq!(parent.len(), 55);
    }

    #[test]
    fn each_span_has_an_id_of_its_own_and_the_same_each_time() {
        let work = |task: Task, attempt| WorkKey {
            run: run(),
            task,
            attempt,
        };
        let web = || Task::Scan("web".parse().unwrap());
        let all = || {
            BTreeSet::from([
                SpanId::of_run(run()),
                SpanId::of_phase(run(), "scan"),
                SpanId::of_task(run(), &web()),
                SpanId::of_work(&work(web(), 1)),
                SpanId::of_wait(&work(web(), 1)),
                SpanId::of_work(&work(web(), 2)),
                SpanId::of_work(&work(Task::Install("web".parse().unwrap()), 1)),
                SpanId::of_work(&work(Task::Scan("mail".parse().unwrap()), 1)),
                SpanId::of_run(run().following()),
            ])
        };
        assert_eq!(all().len(), 9);
        assert_eq!(all(), all());
    }
}
