//! The lines of one stream, one at a time, with a look ahead.

use crate::depclean::{DepcleanError, Stream};
use crate::text::excerpt;

pub(super) struct Lines<'a> {
    stream: Stream,
    lines: Vec<&'a str>,
    next: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(stream: Stream, text: &'a str) -> Self {
        Self {
            stream,
            lines: text.lines().collect(),
            next: 0,
        }
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        let line = self.lines.get(self.next).copied();
        self.next += usize::from(line.is_some());
        line
    }

    pub(super) fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.next).copied()
    }

    /// The error of the line that came last.
    pub(super) fn wrong(&self) -> DepcleanError {
        let last = self.next.saturating_sub(1);
        DepcleanError::Line {
            stream: self.stream,
            number: self.next,
            line: excerpt(self.lines.get(last).copied().unwrap_or_default()),
        }
    }

    /// What `read` makes of the next line; the error of that line where it makes nothing.
    pub(super) fn expect<T>(
        &mut self,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, DepcleanError> {
        let line = self.next().unwrap_or_default();
        read(line).ok_or_else(|| self.wrong())
    }

    /// The lines of a list up to an empty one, of which there is at least one.
    pub(super) fn list<T>(
        &mut self,
        read: impl Fn(&'a str) -> Option<T>,
    ) -> Result<Vec<T>, DepcleanError> {
        let mut list = vec![self.expect(&read)?];
        while self.peek().is_some_and(|line| !line.is_empty()) {
            list.push(self.expect(&read)?);
        }
        Ok(list)
    }
}
