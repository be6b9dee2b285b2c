//! Why an output is not a plan.

use super::Notice;

/// An output that is not a plan, or not all of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A line of the list is not understood.
    #[error("line {number} is not understood: {reason}: {line:?}")]
    Line {
        /// The number of the line in stdout, from 1.
        number: usize,
        /// The line, shortened.
        line: String,
        /// What is wrong with it.
        reason: String,
    },
    /// emerge did not begin to calculate, and says why.
    #[error("emerge made no plan and ended with status {status}: {}", summary(.notices))]
    Refused {
        /// Its exit status.
        status: i32,
        /// What it said.
        notices: Vec<Notice>,
    },
    /// The output has no `Calculating dependencies` line: it is not that of
    /// `emerge --pretend --verbose`, or its beginning is missing, or emerge ran with `--quiet`.
    #[error(
        "the output does not hold the line \"Calculating dependencies\": its beginning is missing, \
         or emerge ran with --quiet (status {status})"
    )]
    NotCalculated {
        /// The exit status.
        status: i32,
    },
    /// The list has no `Total:` line: its end is missing, or emerge ran without `--verbose`.
    #[error(
        "the list has no line \"Total:\" at its end: the end is missing, or emerge ran without \
         --verbose (status {status})"
    )]
    NoTotal {
        /// The exit status.
        status: i32,
    },
    /// The rows do not add up to the `Total:` line: some are missing, or counted twice.
    #[error("the list has {rows} {what}, but its total says {total}")]
    Total {
        /// What was counted, as in "upgrades".
        what: &'static str,
        /// The number in the rows.
        rows: u64,
        /// The number in the line.
        total: u64,
    },
    /// Nothing that is installed, status 0, and reasons not to believe it.
    #[error("emerge plans to install nothing, but says: {}", summary(.notices))]
    EmptyContradicted {
        /// The reasons.
        notices: Vec<Notice>,
    },
    /// A complete list, but an exit status which nothing that was said explains: emerge may have
    /// been ended from outside.
    #[error("emerge ended with status {status} after a complete list, and does not say why")]
    UnexplainedStatus {
        /// The exit status.
        status: i32,
    },
}

/// The first lines of the notices, but of an exception of Python the last one, which names it; of
/// the objections alone, where there are any.
fn summary(notices: &[Notice]) -> String {
    let objections = || notices.iter().filter(|notice| notice.kind.is_objection());
    let chosen: Vec<&Notice> = if objections().next().is_some() {
        objections().collect()
    } else {
        notices.iter().collect()
    };
    let firsts: Vec<String> = chosen
        .iter()
        .map(|notice| crate::text::excerpt(telling_line(notice)))
        .collect();
    if firsts.is_empty() {
        "it does not say why".to_owned()
    } else {
        firsts.join("; ")
    }
}

fn telling_line(notice: &Notice) -> &str {
    let mut lines = notice.text.lines();
    let first = lines.next().unwrap_or_default();
    if !first.starts_with("Traceback") {
        return first;
    }
    // What else emerge said may follow after an empty line; the exception's own line is not
    // indented.
    let is_exception = |line: &&str| !line.is_empty() && !line.starts_with(char::is_whitespace);
    lines.find(is_exception).unwrap_or(first)
}
