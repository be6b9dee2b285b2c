//! What became of a real run of emerge, read from what it printed and from its exit code.

use std::fmt;

use crate::cpv::Cpv;
use crate::name::RepositoryName;
use crate::text::without_escape_sequences;

/// The most characters of one line of a log that are kept.
const LINE_LENGTH: usize = 400;

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Why it failed, if it did.
    pub kind: FailureKind,
    /// The packages that failed, each once, in the order in which they did.
    pub failures: Vec<PackageFailure>,
}

/// Why a run failed. The first that applies: a full disk lets compilers fail, and not the other
/// way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// It did not: exit code 0.
    None,
    /// No space was left, or a quota was reached.
    DiskFull,
    /// emerge or a compiler was ended by a signal: by the kernel for lack of memory, by a person.
    Killed,
    /// Sources could not be fetched, or have to be fetched by hand.
    FetchFailure,
    /// A binary package of the store is damaged, or is in its index and not in the store.
    BinaryDamaged,
    /// No binary package of the store satisfies what was asked for, or its USE flags differ.
    BinaryMissing,
    /// A dependency is not installed, or no ebuild satisfies it.
    MissingDependency,
    /// A package is masked, or needs changes of configuration: keywords, licence, USE.
    Masked,
    /// Packages that cannot be installed at the same time, or files of one that another owns.
    Conflict,
    /// A phase of an ebuild failed: mostly a compiler. See [`PackageFailure::phase`].
    CompileFailure,
    /// None of the above.
    Unknown,
}

/// A package that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFailure {
    /// The package.
    pub cpv: Cpv,
    /// The repository of its ebuild, where emerge names it.
    pub repository: Option<RepositoryName>,
    /// The phase that failed (`compile`, `install`, `postinst` …), where one did.
    pub phase: Option<String>,
    /// The file that holds its whole log, on the machine where it was built.
    pub log: Option<String>,
}

impl fmt::Display for PackageFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.phase {
            Some(phase) => write!(formatter, "{} failed in its {phase} phase", self.cpv),
            None => write!(formatter, "{} failed", self.cpv),
        }
    }
}

/// What the words of a log mean, in the order in which they are looked for.
const WORDS: &[(FailureKind, &[&str])] = &[
    (
        FailureKind::DiskFull,
        &["No space left on device", "Disk quota exceeded"],
    ),
    (
        FailureKind::Killed,
        &[
            "Killed signal terminated program",
            "internal compiler error: Killed",
            "ld terminated with signal 9 [Killed]",
            "cannot allocate memory",
            "Cannot allocate memory",
            "Exiting on signal",
        ],
    ),
    (
        FailureKind::FetchFailure,
        &[
            "!!! Couldn't download",
            "Fetch failed for",
            "has fetch restriction turned on",
            "CommandNotFound: wget",
            "Unable to resolve host address",
        ],
    ),
    (
        FailureKind::BinaryDamaged,
        &[
            "Digest verification failed",
            "Tried to use non-existent binary",
            "Invalid binary package",
            "GPG verify failed",
        ],
    ),
    (
        FailureKind::BinaryMissing,
        &[
            "there are no binary packages to satisfy",
            "All binary packages that could satisfy",
        ],
    ),
    (
        FailureKind::MissingDependency,
        &[
            "--buildpkgonly requires all dependencies",
            "there are no ebuilds to satisfy",
            "there are no ebuilds built with USE flags to satisfy",
        ],
    ),
    (
        FailureKind::Masked,
        &[
            "One of the following masked packages is required",
            "changes are necessary to proceed",
            "has unmet requirements",
        ],
    ),
    (
        FailureKind::Conflict,
        &[
            "resulting in a slot conflict",
            "contains packages which cannot be",
            "NOT merged due to file collisions",
            "circular dependencies",
        ],
    ),
];

/// Reads the output of a run of emerge, both streams together, and its exit code. A negative code,
/// or one above 128, stands for a signal.
///
/// Damage is never read into a run that ended with code 0.
#[must_use]
pub fn parse(output: &str, code: i32) -> Outcome {
    let output = without_escape_sequences(output);
    let failures = failures(&output);
    Outcome {
        kind: kind(&output, code, &failures),
        failures,
    }
}

fn kind(output: &str, code: i32, failures: &[PackageFailure]) -> FailureKind {
    if code == 0 {
        return FailureKind::None;
    }
    let named = WORDS
        .iter()
        .find(|(_, words)| words.iter().any(|word| output.contains(word)));
    match named {
        // The disk is full whoever ended the run; other words may be older than its end.
        Some((FailureKind::DiskFull, _)) => FailureKind::DiskFull,
        _ if !(0..=128).contains(&code) => FailureKind::Killed,
        Some((kind, _)) => *kind,
        None if failures.iter().any(|failure| failure.phase.is_some()) => {
            FailureKind::CompileFailure
        }
        None => FailureKind::Unknown,
    }
}

fn failures(output: &str) -> Vec<PackageFailure> {
    let mut found: Vec<PackageFailure> = Vec::new();
    // Of the last ">>> Failed to emerge", whose log is named by the line after the next.
    let mut last: Option<usize> = None;
    for line in output.lines() {
        if let Some((cpv, repository, phase)) = read_error(line) {
            let index = place_of(&mut found, &cpv);
            found[index].repository = repository.or(found[index].repository.take());
            found[index].phase.get_or_insert(phase);
            last = Some(index);
        } else if let Some(cpv) = read_failed_to_emerge(line) {
            last = Some(place_of(&mut found, &cpv));
        } else if let (Some(path), Some(index)) = (read_log_path(line), last) {
            found[index].log.get_or_insert(path);
        }
    }
    found
}

fn place_of(found: &mut Vec<PackageFailure>, cpv: &Cpv) -> usize {
    found
        .iter()
        .position(|failure| failure.cpv == *cpv)
        .unwrap_or_else(|| {
            let cpv = cpv.clone();
            found.push(PackageFailure {
                cpv,
                repository: None,
                phase: None,
                log: None,
            });
            found.len() - 1
        })
}

/// ` * ERROR: app-misc/failer-2.0::gentoo failed (compile phase):`
fn read_error(line: &str) -> Option<(Cpv, Option<RepositoryName>, String)> {
    let rest = line.trim_start().strip_prefix("* ERROR: ")?;
    let (package, rest) = rest.split_once(" failed (")?;
    let (phase, _) = rest.split_once(" phase)")?;
    if phase.is_empty()
        || !phase
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    {
        return None;
    }
    let (cpv, repository) = match package.split_once("::") {
        Some((cpv, repository)) => (cpv, repository.parse().ok()),
        None => (package, None),
    };
    Some((cpv.parse().ok()?, repository, phase.to_owned()))
}

/// `>>> Failed to emerge app-misc/failer-2.0, Log file:`, perhaps with ` for /root/`.
fn read_failed_to_emerge(line: &str) -> Option<Cpv> {
    let rest = line.trim_start().strip_prefix(">>> Failed to emerge ")?;
    rest.split([',', ' ']).next()?.parse().ok()
}

/// ` * The complete build log is located at '/…/build.log'.` or `>>>  '/…/build.log'`.
fn read_log_path(line: &str) -> Option<String> {
    let line = line.trim();
    let quoted = line
        .strip_prefix("* The complete build log is located at '")
        .or_else(|| line.strip_prefix(">>>  '"))?;
    let path = quoted.trim_end_matches('.').strip_suffix('\'')?;
    path.starts_with('/').then(|| path.to_owned())
}

/// The `count` lines of a log that say most about why it failed, cleaned for a report.
///
/// Portage prints several screens after the error of a package: where its files are, and all of it
/// once more. What a compiler said stands before the error, so the lines are those that lead to
/// the first error of a package, its message included; where there is none, the last ones.
#[must_use]
pub fn last_lines(log: &str, count: usize) -> Vec<String> {
    let log = without_escape_sequences(log);
    let lines: Vec<&str> = log.lines().collect();
    let end = lines
        .iter()
        .position(|line| read_error(line).is_some())
        .map(|error| {
            // The message of the error follows it, up to an empty line or the call stack.
            let message = lines[error + 1..].iter().take_while(|line| {
                let words = line.trim().trim_start_matches('*').trim();
                !words.is_empty() && !words.starts_with("Call stack")
            });
            error + 1 + message.take(5).count()
        });
    let lines = &lines[..end.unwrap_or(lines.len())];
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

/// One line without control characters; of a line that a program wrote over, what stood there last.
fn clean_line(line: &str) -> String {
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
