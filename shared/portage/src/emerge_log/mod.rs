//! `/var/log/emerge.log`: what emerge did on a machine, and how long it took.
//!
//! Each line is a time in seconds since 1970, a colon, a blank, and one of the texts that
//! [`EventKind`] lists. The writers are spread over Portage (`_emerge/emergelog.py` and its
//! callers); the texts did not change between Portage 2.1 and 3.0.83, but for additions.
//!
//! The log carries no process ids. Of two emerges that run at once it cannot be told which one a
//! line belongs to, and emerge writes nothing when it is killed: see [`Tracker`] for what follows
//! from that.

mod event;
mod history;
mod tracker;

pub use event::{Event, EventKind, MergeName, Position, Step};
pub use history::History;
pub use tracker::{ClockStep, Finished, Merge, Run, RunEnd, Tracker, Unmerge};

/// A line of the log that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmergeLogError {
    /// It is not UTF-8; emerge writes nothing else.
    #[error("line {0} is not UTF-8")]
    NotUtf8(usize),
    /// It is none of the texts that Portage writes.
    #[error("line {number} is not understood: {line:?}")]
    Line {
        /// The number of the line, from 1.
        number: usize,
        /// The line, shortened.
        line: String,
    },
    /// The last line has no end: the log was cut, or emerge is writing it.
    #[error("line {0} has no end: the log was cut there")]
    Truncated(usize),
}
