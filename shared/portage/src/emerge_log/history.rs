//! A whole log.

use crate::emerge_log::{ClockStep, EmergeLogError, Finished, Merge, Run, Tracker, Unmerge};

/// All that a log tells, what has no end included. Sorted by the line of the end; what has none
/// comes last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The packages that were merged, or were to be.
    pub merges: Vec<Merge>,
    /// The packages that were removed, or were to be.
    pub unmerges: Vec<Unmerge>,
    /// The calls of emerge.
    pub runs: Vec<Run>,
    /// Where the clock was set back.
    pub clock_steps: Vec<ClockStep>,
}

impl History {
    /// Reads a whole log, which can be that of a rotation. See [`Tracker`] for logs that are too
    /// large to be held, and for the end of one.
    ///
    /// # Errors
    ///
    /// See [`EmergeLogError`]. An empty log is no error.
    pub fn parse(log: impl AsRef<[u8]>) -> Result<Self, EmergeLogError> {
        let mut history = Self::default();
        let mut tracker = Tracker::new();
        let mut rest = log.as_ref();
        let mut number = 1;
        while !rest.is_empty() {
            let Some(end) = memchr::memchr(b'\n', rest) else {
                return Err(EmergeLogError::Truncated(number));
            };
            if let Some(finished) = tracker.line(&rest[..end])? {
                history.add(finished);
            }
            rest = &rest[end + 1..];
            number += 1;
        }
        history.clock_steps = tracker.clock_steps().to_vec();
        for unfinished in tracker.finish() {
            history.add(unfinished);
        }
        Ok(history)
    }

    fn add(&mut self, finished: Finished) {
        match finished {
            Finished::Merge(merge) => self.merges.push(merge),
            Finished::Unmerge(unmerge) => self.unmerges.push(unmerge),
            Finished::Run(run) => self.runs.push(run),
        }
    }
}
