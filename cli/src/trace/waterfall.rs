//! A trace as a waterfall of bars.

use std::fmt::Write as _;

use gentoo_updater_fleet::inspect::{RunTrace, SpanStatus, TraceSpan, TraceView};
use gentoo_updater_fleet::words::seconds;
use jiff::{SignedDuration, Timestamp};

use crate::output::table;

/// How many characters the time of a run has.
const WIDTH: i128 = 40;

/// All rounds, one below the other.
pub(super) fn text(view: &TraceView, now: Timestamp) -> String {
    let rounds: Vec<String> = view
        .rounds
        .iter()
        .map(|round| of_round(round, now))
        .collect();
    rounds.join("\n")
}

fn of_round(round: &RunTrace, now: Timestamp) -> String {
    let mut text = String::new();
    let root = &round.root;
    let end = root.end.unwrap_or(now).max(root.start);
    let follows = match round.follows {
        Some(run) => format!(", a further round of {run}"),
        None => String::new(),
    };
    // To write into a string cannot fail.
    let _ = writeln!(
        text,
        "Run {} of {:.0}{follows}: {}, {}.\nTrace {}.\n",
        round.run,
        root.start,
        ended(root),
        seconds(end.duration_since(root.start)),
        round.trace_id
    );
    let mut rows = vec![["SPAN", "", "BEGAN", "TOOK", ""].map(str::to_owned)];
    let scale = Scale {
        start: root.start,
        end,
        now,
    };
    push(&mut rows, root, 0, &scale);
    text.push_str(&table(&rows));
    text
}

fn push(rows: &mut Vec<[String; 5]>, span: &TraceSpan, depth: usize, scale: &Scale) {
    rows.push([
        format!("{:indent$}{}", "", name(span), indent = 2 * depth),
        scale.bar(span),
        format!("+{}", seconds(span.start.duration_since(scale.start))),
        seconds(scale.took(span)),
        remark(span),
    ]);
    // One attempt that took the whole task says nothing new.
    let is_plain = |child: &TraceSpan| child.level == "attempt" && child.status == span.status;
    if let [only] = span.children.as_slice()
        && is_plain(only)
    {
        return;
    }
    for child in &span.children {
        push(rows, child, depth + 1, scale);
    }
}

fn name(span: &TraceSpan) -> String {
    match (span.level, span.attempt) {
        ("wait", Some(attempt)) => format!("in the queue, attempt {attempt}"),
        ("attempt", Some(attempt)) => format!("attempt {attempt}"),
        _ => span.name.clone(),
    }
}

fn ended(span: &TraceSpan) -> &'static str {
    match span.status {
        SpanStatus::Open => "goes on",
        SpanStatus::Done => "complete",
        SpanStatus::Failed => "with failures",
        SpanStatus::Lost => "lost",
    }
}

/// Who, and why not.
fn remark(span: &TraceSpan) -> String {
    let status = match (span.status, &span.cause) {
        (_, Some(cause)) => Some(cause.clone()),
        (SpanStatus::Open, None) => Some("goes on".to_owned()),
        (SpanStatus::Lost, None) => Some("lost".to_owned()),
        (SpanStatus::Done | SpanStatus::Failed, None) => None,
    };
    let worker = span.worker.as_ref().map(ToString::to_string);
    let words: Vec<String> = worker.into_iter().chain(status).collect();
    words.join(", ")
}

/// Where times lie in a bar.
struct Scale {
    start: Timestamp,
    end: Timestamp,
    now: Timestamp,
}

impl Scale {
    fn took(&self, span: &TraceSpan) -> SignedDuration {
        let end = span.end.unwrap_or(self.now).max(span.start);
        end.duration_since(span.start)
    }

    /// A column at least, so that nothing is too short to be seen.
    fn bar(&self, span: &TraceSpan) -> String {
        let first = self.column(span.start).min(WIDTH - 1);
        let last = self.column(span.end.unwrap_or(self.now));
        let mark = match (span.level, span.status) {
            (_, SpanStatus::Failed | SpanStatus::Lost) => 'x',
            ("wait", _) => '.',
            _ => '#',
        };
        let column = |column| match (first..last.max(first + 1)).contains(&column) {
            true => mark,
            false => ' ',
        };
        (0..WIDTH).map(column).collect()
    }

    fn column(&self, at: Timestamp) -> i128 {
        let whole = self.end.as_nanosecond() - self.start.as_nanosecond();
        let part = at.as_nanosecond() - self.start.as_nanosecond();
        // What the clock of another machine tells may lie outside.
        (part * WIDTH / whole.max(1)).clamp(0, WIDTH)
    }
}
