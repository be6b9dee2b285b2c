//! The lines of a log that say why a build failed, wherever in it they stand.
//!
//! What a compiler complains of first is mostly the cause, and everything behind it a consequence:
//! with parallel jobs that can be hundreds of lines. So the first complaint is looked for, around
//! the first word of whoever called the compiler (make, ninja, cargo) that something ended badly:
//! a complaint that nobody heeded, of a test or of a probe, is no cause.

use super::last_lines::{clean_line, last_lines, region};
use crate::text::without_escape_sequences;

/// How many lines before the word of make the complaint is looked for. The output of what failed
/// stands right before it, mixed with that of what ran beside it.
const BEFORE_CONSEQUENCE: usize = 300;

/// How many lines before a complaint are shown: `In function 'main':`, `In file included from …`.
const CONTEXT: usize = 3;

/// How many lines of the end are shown, too: who gave up, in which phase.
const ENDING: usize = 6;

/// Stands for what is left out.
const GAP: &str = "…";

/// At most `count` lines of a log that say most about why a build failed, cleaned for a report: the
/// first complaint of a compiler, linker, interpreter or build system with what stands around it,
/// and the end. Where nobody complains in a way that is known, they are the last lines before the
/// package was given up, as [`last_lines`] tells them.
#[must_use]
pub fn decisive_lines(log: &str, count: usize) -> Vec<String> {
    let clean = without_escape_sequences(log);
    let lines: Vec<&str> = clean.lines().collect();
    let own = region(&lines);
    let lines = &lines[own];
    let Some(cause) = cause(lines) else {
        return last_lines(log, count);
    };
    let ending = ENDING.min(count / 3);
    let start = cause.saturating_sub(CONTEXT);
    let is_near = lines.len() - start <= count;
    let text = |lines: &[&str]| -> Vec<String> {
        let lines = lines.iter().map(|line| clean_line(line));
        lines.filter(|line| !line.is_empty()).collect()
    };
    if is_near {
        // There is room for more of what led there.
        let mut all = text(lines);
        return all.split_off(all.len().saturating_sub(count));
    }
    let about = count.saturating_sub(ending + 1);
    let end = lines.len() - ending;
    let mut found = text(&lines[start..end.min(start + about)]);
    if start + about < end {
        found.push(GAP.to_owned());
    }
    found.extend(text(&lines[end..]));
    found
}

/// The first complaint alone, for one line of a report.
#[must_use]
pub fn decisive_line(log: &str) -> Option<String> {
    let clean = without_escape_sequences(log);
    let lines: Vec<&str> = clean.lines().collect();
    let lines = &lines[region(&lines)];
    let line = clean_line(lines[cause(lines)?]);
    Some(line.trim().to_owned())
}

/// The place of the first complaint that had consequences.
fn cause(lines: &[&str]) -> Option<usize> {
    let consequence = lines.iter().position(|line| is_consequence(line));
    let start = consequence.map_or(0, |place| place.saturating_sub(BEFORE_CONSEQUENCE));
    let complaint = (start..lines.len()).find(|place| is_complaint(lines[*place]));
    let complaint = complaint.map(|place| match lines[place].starts_with(TRACEBACK) {
        true => exception(lines, place),
        false => place,
    });
    complaint.or(consequence)
}

const TRACEBACK: &str = "Traceback (most recent call last)";

/// The line of a Python exception, which stands behind its traceback.
fn exception(lines: &[&str], traceback: usize) -> usize {
    let behind = lines[traceback + 1..].iter();
    let place = behind
        .take(60)
        .position(|line| !line.starts_with(' ') && !line.is_empty());
    place.map_or(traceback, |place| traceback + 1 + place)
}

/// Whether somebody says that what it called has failed.
fn is_consequence(line: &str) -> bool {
    let line = line.trim_start();
    let is_make = || {
        let word = line.split([':', '[']).next().unwrap_or_default();
        let is_make = matches!(word, "make" | "gmake" | "bmake" | "mingw32-make");
        is_make && line.contains(" *** ") && !line.contains("(ignored)")
    };
    line.starts_with("FAILED: ")
        || line.starts_with("ninja: build stopped")
        || line.starts_with("error: could not compile ")
        || line.starts_with("error: command ")
        || line.starts_with("collect2: error: ld returned ")
        || line.starts_with("error: subprocess-exited-with-error")
        || is_make()
}

/// Beginnings of lines that complain.
const BEGINNINGS: [&str; 17] = [
    "error[E",
    "CMake Error",
    "configure: error:",
    "SyntaxError:",
    "IndentationError:",
    TRACEBACK,
    "cc1: error:",
    "cc1plus: error:",
    "gcc: error:",
    "g++: error:",
    "clang: error:",
    "clang++: error:",
    "patch: ****",
    "Can't locate ",
    "BUILD FAILED",
    "ERROR: ",
    "FATAL: ",
];

/// What complains wherever in a line it stands.
const ANYWHERE: [&str; 20] = [
    ": error: ",
    ": fatal error: ",
    ": Error: ",
    "undefined reference to ",
    "undefined symbol: ",
    "multiple definition of ",
    "cannot find -l",
    "relocation truncated to fit",
    "internal compiler error",
    "No space left on device",
    "Disk quota exceeded",
    "Killed signal terminated program",
    "virtual memory exhausted",
    "out of memory allocating",
    "Cannot allocate memory",
    ": syntax error",
    ": command not found",
    "No rule to make target",
    ": cannot stat ",
    "unrecognized command-line option",
];

fn is_complaint(line: &str) -> bool {
    let trimmed = line.trim_start();
    if is_consequence(line) && !trimmed.contains("No rule to make target") {
        return false;
    }
    // Of Meson: `meson.build:5:0: ERROR: Dependency "x" not found`.
    let of_meson = || trimmed.contains("meson.build:") && trimmed.contains(": ERROR: ");
    BEGINNINGS.iter().any(|words| line.starts_with(words))
        || of_rust(line)
        || of_place(trimmed)
        || of_meson()
        || (ANYWHERE.iter().any(|words| trimmed.contains(words)) && !is_ignored(trimmed))
}

/// `error: expected …` of rustc and others, at the very beginning.
fn of_rust(line: &str) -> bool {
    line.strip_prefix("error: ").is_some_and(|rest| {
        !rest.starts_with("could not compile ") && !rest.starts_with("aborting due to ")
    })
}

/// `./main.go:12:5: undefined: x`: a place of a source without the word error, as Go writes it.
fn of_place(line: &str) -> bool {
    let Some((file, rest)) = line.split_once(".go:") else {
        return false;
    };
    let mut parts = rest.splitn(3, ':');
    let is_number = |part: Option<&str>| {
        part.is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    !file.contains(' ') && is_number(parts.next()) && is_number(parts.next())
}

/// What make says that it does not mind, and what a probe says of itself.
fn is_ignored(line: &str) -> bool {
    line.contains("(ignored)") || line.starts_with("checking ") || line.starts_with("-- ")
}
