//! What can be wrong with the output of `emerge --depclean`.

use crate::cpv::Cpv;
use crate::depclean::Need;

/// Where a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The standard output.
    Stdout,
    /// The standard error output.
    Stderr,
}

/// A dependency that nothing installed satisfies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The dependency, its USE conditions evaluated.
    pub need: Need,
    /// The installed package that has it.
    pub parent: Cpv,
}

/// An output of `emerge --depclean` that is not understood, or one that says that it did nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepcleanError {
    /// emerge refused, because installed packages lack dependencies: nobody can say what is not
    /// needed then. Nothing was removed.
    #[error("{}", unresolved(.0))]
    Unresolved(Vec<Missing>),
    /// emerge refused for another reason, or ended early, and removed nothing or not all.
    #[error("emerge --depclean ended with status {status}: {words}")]
    Failed {
        /// Its exit status.
        status: i32,
        /// The beginning of what it wrote to stderr.
        words: String,
        /// The packages whose removal began.
        begun: Vec<Cpv>,
    },
    /// The lists of packages and their number differ, or one of them is missing: the output was cut.
    #[error(
        "emerge --depclean names {listed} packages and {}: the output was cut",
        count(.counted)
    )]
    Incomplete {
        /// The number of packages that it names.
        listed: usize,
        /// The number that it counts, if it does.
        counted: Option<usize>,
    },
    /// A line within a list is not understood.
    #[error("line {number} of {stream:?} is not understood: {line:?}")]
    Line {
        /// Where it was written.
        stream: Stream,
        /// The number of the line, from 1.
        number: usize,
        /// The line, shortened.
        line: String,
    },
}

fn count(counted: &Option<usize>) -> String {
    match counted {
        Some(number) => format!("counts {number}"),
        None => "counts none".to_owned(),
    }
}

fn unresolved(missing: &[Missing]) -> String {
    let parts = missing
        .iter()
        .map(|missing| format!("{} of {}", missing.need, missing.parent));
    format!(
        "emerge --depclean refused, because dependencies are not installed: {}",
        parts.collect::<Vec<_>>().join(", ")
    )
}
