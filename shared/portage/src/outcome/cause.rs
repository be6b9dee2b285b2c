//! Why a package, or a whole run, failed.

use std::collections::BTreeSet;

use crate::outcome::{FailureKind, PackageFailure};

/// How many lines before the mark of a failure can name its cause. Portage's own lines and the last
/// words of make stand in between.
const REACH: usize = 30;

/// The beginnings of emerge's own lines that name a cause of a package's failure.
const OF_PACKAGES: &[(FailureKind, &[&str])] = &[
    (
        FailureKind::FetchFailure,
        &[
            "!!! Couldn't download '",
            "!!! Fetch failed for '",
            "!!! Fetched file: ",
            "!!! Fetching Binary failed for '",
            " * Fetch failed for '",
            "portage.exception.CommandNotFound: ",
        ],
    ),
    (
        FailureKind::BinaryDamaged,
        &[
            "!!! Digest verification failed:",
            "!!! Tried to use non-existent binary for '",
            "!!! Invalid binary package",
            "!!! GPG verify failed",
        ],
    ),
];

/// The beginnings of emerge's own lines that name a cause of a run that built nothing.
const OF_RUNS: &[(FailureKind, &[&str])] = &[
    (
        FailureKind::BinaryMissing,
        &[
            "emerge: there are no binary packages to satisfy ",
            "!!! All binary packages that could satisfy ",
        ],
    ),
    (
        FailureKind::MissingDependency,
        &[
            "!!! --buildpkgonly requires all dependencies ",
            "emerge: there are no ebuilds to satisfy ",
            "emerge: there are no ebuilds built with USE flags to satisfy ",
        ],
    ),
    (
        FailureKind::Masked,
        &[
            "!!! One of the following masked packages is required ",
            "!!! All ebuilds that could satisfy ",
            "!!! The ebuild selected to satisfy ",
            "The following keyword changes are necessary to proceed:",
            "The following mask changes are necessary to proceed:",
            "The following USE changes are necessary to proceed:",
            "The following REQUIRED_USE flag constraints are unsatisfied:",
            "The following license changes are necessary to proceed:",
        ],
    ),
    (
        FailureKind::Conflict,
        &[
            "!!! Multiple package instances within a single package slot have been pulled",
            " * Error: The above package list contains packages which cannot be",
            " * Error: circular dependencies:",
        ],
    ),
];

/// Whether emerge says in this line that it refuses a binary package for its signature
/// (`_emerge/BinpkgExtractorAsync.py`, `_emerge/Scheduler.py`). Of what gpg says it prints as much where nobody
/// requires signatures, and goes on.
#[must_use]
pub fn refuses_signature(line: &str) -> bool {
    let is_refusal = ["!!! Error extracting '", "!!! Invalid binary package: '"]
        .iter()
        .any(|start| line.starts_with(start));
    is_refusal
        && [
            ", GnuPG verification failed",
            " signature not found in ",
            ", No signature provided",
        ]
        .iter()
        .any(|words| line.contains(words))
}

/// `Exiting on signal 15`, emerge's own.
pub(super) fn is_signal(line: &str) -> bool {
    line.strip_prefix("Exiting on signal ")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// What each line of an output says of a cause, and what emerge says itself.
pub(super) struct Causes<'a> {
    /// For each line the last line up to it that names a cause.
    named: Vec<Option<(usize, FailureKind)>>,
    /// For each line the last line up to it that names a phase which ended without an error.
    ended: Vec<Option<(usize, &'a str)>>,
    own_words: OwnWords<'a>,
}

impl<'a> Causes<'a> {
    pub(super) fn read(lines: &[&'a str]) -> Self {
        Self {
            named: last_of(lines, kind_of),
            ended: last_of(lines, unexpected_end),
            own_words: OwnWords::read(lines),
        }
    }

    /// Fills in the kind, and the phase where only the lines before a mark name it.
    pub(super) fn explain(&self, failure: &mut PackageFailure, marks: &[usize]) {
        if failure.phase.is_none() {
            let mut ended = marks.iter().filter_map(|mark| before(&self.ended, *mark));
            failure.phase = ended.next().map(str::to_owned);
        }
        let named = marks.iter().find_map(|mark| before(&self.named, *mark));
        failure.kind = match (named, failure.phase.as_deref()) {
            (Some(kind), _) => kind,
            (None, Some("unpack")) if says_fetch(failure.message.as_deref()) => {
                FailureKind::FetchFailure
            }
            (None, Some(_)) => FailureKind::CompileFailure,
            (None, None) => self.own_words.of(&failure.cpv.to_string()),
        };
    }

    /// Why a run failed that names no package.
    pub(super) fn of_run(&self, lines: &[&str]) -> FailureKind {
        let end = before(&self.named, lines.len());
        if let Some(kind @ (FailureKind::DiskFull | FailureKind::Killed)) = end {
            return kind;
        }
        match self.own_words.unnamed {
            FailureKind::Unknown => first(OF_RUNS, lines),
            kind => kind,
        }
    }
}

/// For each line what the last line up to it says, and where that line is.
fn last_of<'a, T: Copy>(
    lines: &[&'a str],
    read: impl Fn(&'a str) -> Option<T>,
) -> Vec<Option<(usize, T)>> {
    let mut last = None;
    let said = lines.iter().enumerate().map(|(index, line)| {
        last = read(line).map(|said| (index, said)).or(last);
        last
    });
    said.collect()
}

/// What the lines within reach before `mark` say.
fn before<T: Copy>(last: &[Option<(usize, T)>], mark: usize) -> Option<T> {
    let (line, said) = (*last.get(mark.checked_sub(1)?)?)?;
    (line + REACH >= mark).then_some(said)
}

/// What emerge itself says of packages of which no phase failed.
struct OwnWords<'a> {
    restricted: BTreeSet<&'a str>,
    colliding: BTreeSet<&'a str>,
    /// Without the name of a package.
    unnamed: FailureKind,
}

impl<'a> OwnWords<'a> {
    fn read(lines: &[&'a str]) -> Self {
        let restricted = lines.iter().filter_map(|line| {
            let cpv = line.strip_prefix("!!! ")?;
            cpv.strip_suffix(" has fetch restriction turned on.")
        });
        let colliding = lines.iter().filter_map(|line| {
            let (_, rest) = line.split_once("Package '")?;
            let (cpv, _) = rest.split_once("' NOT merged due to file collisions")?;
            Some(cpv)
        });
        Self {
            restricted: restricted.collect(),
            colliding: colliding.collect(),
            unnamed: match lines.iter().any(|line| refuses_signature(line)) {
                true => FailureKind::SignatureRefused,
                false => first(OF_PACKAGES, lines),
            },
        }
    }

    fn of(&self, cpv: &str) -> FailureKind {
        if self.restricted.contains(cpv) {
            FailureKind::FetchFailure
        } else if self.colliding.contains(cpv) {
            FailureKind::Conflict
        } else {
            self.unnamed
        }
    }
}

/// The first kind of which a line begins with one of the words.
fn first(kinds: &[(FailureKind, &[&str])], lines: &[&str]) -> FailureKind {
    let is_said = |starts: &[&str]| {
        let mut lines = lines.iter();
        lines.any(|line| starts.iter().any(|start| line.starts_with(start)))
    };
    let said = kinds.iter().find(|(_, starts)| is_said(starts));
    said.map_or(FailureKind::Unknown, |(kind, _)| *kind)
}

/// ` * The ebuild phase 'compile' has exited unexpectedly. …` or `… has been killed by signal 9.`
fn unexpected_end(line: &str) -> Option<&str> {
    let rest = line.trim().strip_prefix("* The ebuild phase '")?;
    let (phase, rest) = rest.split_once('\'')?;
    (rest.starts_with(" has exited unexpectedly") || rest.starts_with(" has been killed by"))
        .then_some(phase)
}

fn kind_of(line: &str) -> Option<FailureKind> {
    if is_disk_full(line) {
        Some(FailureKind::DiskFull)
    } else if is_killed(line) {
        Some(FailureKind::Killed)
    } else if is_compiler_error(line) {
        Some(FailureKind::CompileFailure)
    } else {
        None
    }
}

/// The words of a failed system call: `cp: error writing 'x': No space left on device`,
/// `[Errno 28] No space left on device: 'x'`, `No space left on device (os error 28)`. And the words
/// of check-reqs.eclass.
fn is_disk_full(line: &str) -> bool {
    let is_too_small = line
        .trim()
        .strip_prefix("* There is NOT at least ")
        .is_some_and(|rest| rest.contains(" disk space at "));
    is_too_small
        || is_system_error(line, "No space left on device")
        || is_system_error(line, "Disk quota exceeded")
}

fn is_killed(line: &str) -> bool {
    const WORDS: &[&str] = &[
        "Killed signal terminated program ",
        "internal compiler error: Killed",
        " terminated with signal 9 [Killed]",
        "(signal: 9, SIGKILL: kill)",
        "virtual memory exhausted",
    ];
    WORDS.iter().any(|words| line.contains(words))
        || is_system_error(line, "Cannot allocate memory")
        || line.trim().starts_with("* The ebuild phase '") && line.contains("' has been killed by")
        || line.contains(": *** [") && line.ends_with("] Killed")
        || is_killed_job(line)
}

/// Of bash: `/…/environment: line 197: 13796 Killed                  bash -c …`
fn is_killed_job(line: &str) -> bool {
    let Some((_, rest)) = line.split_once(": line ") else {
        return false;
    };
    let Some((number, rest)) = rest.split_once(": ") else {
        return false;
    };
    let mut words = rest.split_ascii_whitespace();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(number) && words.next().is_some_and(is_number) && words.next() == Some("Killed")
}

/// `main.c:1:24: error: …`
fn is_compiler_error(line: &str) -> bool {
    let Some((place, _)) = line.split_once(": error: ") else {
        return false;
    };
    place
        .rsplit(':')
        .next()
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a line ends as `strerror` makes it: behind a colon or an error number, and with nothing
/// after it but a place or the number.
fn is_system_error(line: &str, words: &str) -> bool {
    let line = line.trim_end();
    line.match_indices(words).any(|(start, _)| {
        let (before, after) = (&line[..start], &line[start + words.len()..]);
        let is_reported = before.ends_with(": ") || before.ends_with("] ");
        let ends = ["", ".", ")", "'", "\""].contains(&after);
        is_reported && (ends || after.starts_with(": ") || after.starts_with(" (os error "))
    })
}

/// Of the eclasses that fetch from version control in `src_unpack`.
fn says_fetch(message: Option<&str>) -> bool {
    message.is_some_and(|message| {
        message.contains("Unable to fetch") || message.contains("fetch failed")
    })
}
