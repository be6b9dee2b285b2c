//! What log lines say of the work that they are about.
//!
//! They are spans of [`tracing`], so that every line of a handler carries them without a word of its
//! own, in the text and as keys of the JSON.

use gentoo_updater_fleet::message::WorkKey;
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::trace::{SpanId, TraceId};
use tracing::Span;

/// Where filters of the log find them. They are errors for the filter, and no lines: a filter that
/// leaves errors alone in the log is to leave them their fields.
pub const TARGET: &str = "gentoo_updater::work";

/// One attempt at a task.
pub fn of_work(work: &WorkKey) -> Span {
    tracing::error_span!(
        target: TARGET,
        "work",
        trace_id = %TraceId::of(work.run),
        span_id = %SpanId::of_work(work),
        run = %work.run,
        kind = work.task.kind(),
        task = work.task.subject(),
        attempt = work.attempt,
    )
}

/// A run.
pub fn of_run(run: RunId) -> Span {
    tracing::error_span!(
        target: TARGET,
        "run",
        trace_id = %TraceId::of(run),
        span_id = %SpanId::of_run(run),
        run = %run,
    )
}
