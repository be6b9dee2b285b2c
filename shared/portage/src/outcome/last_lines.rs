//! The lines of a log that say most about why it failed.

use std::ops::Range;

use crate::outcome::failures::{Mark, are_real, marks};
use crate::text::without_escape_sequences;

/// The most characters of one line of a log that are kept.
const LINE_LENGTH: usize = 400;

/// The `count` lines of a log that say most about why it failed, cleaned for a report.
///
/// Portage prints several screens after the error of a package: where its files are, and all of it
/// once more. What a compiler said stands before the error, so the lines are those that lead to
/// the first error of a package that failed, its message included; without one, those that lead to
/// emerge's word that a package failed; and without that, the last ones.
#[must_use]
pub fn last_lines(log: &str, count: usize) -> Vec<String> {
    let log = without_escape_sequences(log);
    let lines: Vec<&str> = log.lines().collect();
    let lines = &lines[..end(&lines)];
    let mut last: Vec<String> = lines
        .iter()
        .rev()
        .map(|line| clean_line(line))
        .filter(|line| !line.is_empty())
        .take(count)
        .collect();
    last.reverse();
    last
}

/// The lines of the package that failed: from where emerge came to it to [`end`].
pub(super) fn region(lines: &[&str]) -> Range<usize> {
    let end = end(lines);
    let begins = |line: &&str| {
        line.starts_with(">>> Emerging (")
            || line.starts_with(">>> Running pre-merge checks for ")
            || line.starts_with("@@ gentoo-updater: ")
    };
    let start = lines[..end].iter().rposition(begins);
    start.map_or(0, |start| start + 1)..end
}

/// Behind the last line that matters.
fn end(lines: &[&str]) -> usize {
    let marks = marks(lines);
    let is_real = are_real(&marks);
    let died = marks
        .iter()
        .find(|(_, mark)| is_real(mark) && matches!(mark, Mark::Died { .. }));
    match (died, marks.first()) {
        (Some((error, _)), _) => {
            // The message of the error follows it, up to an empty line or the call stack.
            let message = lines[error + 1..].iter().take_while(|line| {
                let words = line.trim().trim_start_matches('*').trim();
                !words.is_empty() && !words.starts_with("Call stack")
            });
            error + 1 + message.take(5).count()
        }
        (None, Some((reported, _))) => reported + 1,
        (None, None) => lines.len(),
    }
}

/// One line without control characters; of a line that a program wrote over, what stood there last.
pub(super) fn clean_line(line: &str) -> String {
    let line = line.trim_end();
    let line = line.rsplit('\r').next().unwrap_or(line);
    let tabs_to_blanks = |c: char| if c == '\t' { ' ' } else { c };
    let clean: String = line
        .chars()
        .map(tabs_to_blanks)
        .filter(|c| !c.is_control())
        .take(LINE_LENGTH)
        .collect();
    clean.trim_end().to_owned()
}
