//! What became of a real run of emerge, read from what it printed and from its exit code.
//!
//! emerge prints its own words and those of compilers and tests in one stream. What a package says
//! is taken for a cause only in the last lines before emerge says that this package failed, and
//! only in the form in which a failing system call is reported; emerge's own words count only at
//! the beginning of a line. Nothing is a cause in a run that ended well.
//!
//! The writers are `die` in `bin/isolated-functions.sh`, `_emerge/Scheduler.py`,
//! `_emerge/AbstractEbuildProcess.py`, `_emerge/Binpkg.py`, `_emerge/depgraph.py` and
//! `portage/package/ebuild/fetch.py`. With `--jobs` and more than one failure emerge prints no log
//! of a build, so that only the phase is known.

mod cause;
mod decisive;
mod failures;
mod last_lines;

pub use cause::refuses_signature;
pub use decisive::{decisive_line, decisive_lines};
pub use last_lines::last_lines;

use std::fmt;

use crate::cpv::Cpv;
use crate::name::RepositoryName;
use crate::text::without_escape_sequences;

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Why it failed, if it did.
    pub kind: FailureKind,
    /// The packages that failed, each once, in the order in which they did. Empty after a run that
    /// ended well.
    pub failures: Vec<PackageFailure>,
}

/// Why a run failed. The first that applies to any of its packages: a full disk lets compilers
/// fail, and not the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// It did not: exit code 0.
    None,
    /// No space was left, or a quota was reached, or an ebuild found too little before it began.
    DiskFull,
    /// emerge or a compiler was ended by a signal: by the kernel for lack of memory, by a person.
    Killed,
    /// Sources could not be fetched, or came damaged, or have to be fetched by hand.
    FetchFailure,
    /// A binary package is not signed as the machine requires it: not at all, by a key that it does not
    /// trust or whose time is over, or it is not what was signed. The lines of gpg above tell which.
    SignatureRefused,
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
    /// Why. [`FailureKind::Unknown`] where emerge says no more than that it failed.
    pub kind: FailureKind,
    /// The repository of its ebuild, where emerge names it.
    pub repository: Option<RepositoryName>,
    /// The phase that failed (`compile`, `install`, `postinst` …), where one did.
    pub phase: Option<String>,
    /// What the ebuild said when it gave up, as in `emake failed`.
    pub message: Option<String>,
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

/// Reads the output of a run of emerge, both streams together, and its exit code. A negative code,
/// or one above 128, stands for a signal.
///
/// The order of the streams makes no difference, as long as each is whole.
#[must_use]
pub fn parse(output: &str, code: i32) -> Outcome {
    if code == 0 {
        return Outcome {
            kind: FailureKind::None,
            failures: Vec::new(),
        };
    }
    let output = without_escape_sequences(output);
    let lines: Vec<&str> = output.lines().collect();
    let causes = cause::Causes::read(&lines);
    let failures = failures::read(&lines, &causes);
    let signalled = !(0..=128).contains(&code) || lines.iter().any(|line| cause::is_signal(line));
    let of_packages = failures.iter().map(|failure| failure.kind).min();
    let kind = match of_packages {
        // The disk is full whoever ended the run.
        Some(FailureKind::DiskFull) => FailureKind::DiskFull,
        _ if signalled => FailureKind::Killed,
        Some(kind) if kind != FailureKind::Unknown => kind,
        _ => causes.of_run(&lines),
    };
    Outcome { kind, failures }
}
