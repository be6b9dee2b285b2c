//! Which packages failed.

use std::collections::{BTreeMap, BTreeSet};

use crate::cpv::Cpv;
use crate::name::RepositoryName;
use crate::outcome::cause::Causes;
use crate::outcome::{FailureKind, PackageFailure};

/// A line that says that a package failed.
pub(super) enum Mark {
    /// emerge's own: ` >>> Failed to emerge …`, or in the list at the end.
    Reported(Cpv),
    /// Of an ebuild that gave up: ` * ERROR: … failed (compile phase):`. A package's tests can print
    /// the same, about another package.
    Died {
        cpv: Cpv,
        repository: Option<RepositoryName>,
        phase: Option<String>,
    },
}

impl Mark {
    pub(super) fn read(line: &str) -> Option<Self> {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix(">>> Failed to ") {
            return reported(rest).map(Self::Reported);
        }
        let line = line.strip_prefix("* ")?;
        if let Some(rest) = line.strip_prefix("ERROR: ") {
            return died(rest);
        }
        // ` *  (app-misc/failer-2.0:0/0::gentoo, ebuild scheduled for merge), Log file:`
        let package = line.trim_start().strip_prefix('(')?;
        let (package, rest) = package.split_once(", ")?;
        let cpv = package.split(':').next()?.parse().ok()?;
        let is_listed = rest.contains(" scheduled for ") || rest.starts_with("installed)");
        is_listed.then_some(Self::Reported(cpv))
    }

    pub(super) fn cpv(&self) -> &Cpv {
        match self {
            Self::Reported(cpv) | Self::Died { cpv, .. } => cpv,
        }
    }
}

/// `emerge app-misc/failer-2.0, Log file:`, perhaps with ` for /root/`.
fn reported(text: &str) -> Option<Cpv> {
    let actions = ["emerge ", "install ", "execute postinst for "];
    let rest = actions
        .iter()
        .find_map(|action| text.strip_prefix(action))?;
    rest.split([',', ' ']).next()?.parse().ok()
}

/// `app-misc/failer-2.0::gentoo failed (compile phase):`. The repository and the phase are not
/// there in Portage before 2.1.10, which ends with a full stop instead.
fn died(text: &str) -> Option<Mark> {
    let (package, rest) = text.split_once(" failed")?;
    let phase = match rest {
        ":" | "." => None,
        _ => {
            let phase = rest.strip_prefix(" (")?.strip_suffix(" phase):")?;
            let is_name = !phase.is_empty()
                && phase
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            Some(is_name.then(|| phase.to_owned())?)
        }
    };
    let (cpv, repository) = match package.split_once("::") {
        Some((cpv, repository)) => (cpv, repository.parse().ok()),
        None => (package, None),
    };
    Some(Mark::Died {
        cpv: cpv.parse().ok()?,
        repository,
        phase,
    })
}

/// The lines that name a package which failed, with their places.
pub(super) fn marks(lines: &[&str]) -> Vec<(usize, Mark)> {
    lines
        .iter()
        .enumerate()
        .filter_map(|(index, line)| Some((index, Mark::read(line)?)))
        .collect()
}

/// Whether a mark is that of a package which emerge itself reports. Where it reports none, each is.
pub(super) fn are_real(marks: &[(usize, Mark)]) -> impl Fn(&Mark) -> bool {
    let reported: BTreeSet<&Cpv> = marks
        .iter()
        .filter(|(_, mark)| matches!(mark, Mark::Reported(_)))
        .map(|(_, mark)| mark.cpv())
        .collect();
    move |mark| reported.is_empty() || reported.contains(mark.cpv())
}

/// All that failed, in the order of the first mark.
pub(super) fn read(lines: &[&str], causes: &Causes<'_>) -> Vec<PackageFailure> {
    let marks = marks(lines);
    let is_real = are_real(&marks);
    let mut found: Vec<(PackageFailure, Vec<usize>)> = Vec::new();
    let mut places: BTreeMap<&Cpv, usize> = BTreeMap::new();
    for (line, mark) in marks.iter().filter(|(_, mark)| is_real(mark)) {
        let place = *places.entry(mark.cpv()).or_insert_with(|| {
            found.push((unknown(mark.cpv()), Vec::new()));
            found.len() - 1
        });
        let (failure, marks) = &mut found[place];
        marks.push(*line);
        if let Mark::Died {
            repository, phase, ..
        } = mark
        {
            failure.repository = failure.repository.take().or_else(|| repository.clone());
            failure.phase = failure.phase.take().or_else(|| phase.clone());
            failure.message = failure.message.take().or_else(|| message(lines, *line));
        }
    }
    let mut failures: Vec<PackageFailure> = Vec::new();
    for (mut failure, marks) in found {
        causes.explain(&mut failure, &marks);
        failures.push(failure);
    }
    name_logs(&mut failures, lines, &places);
    failures
}

fn unknown(cpv: &Cpv) -> PackageFailure {
    PackageFailure {
        cpv: cpv.clone(),
        kind: FailureKind::Unknown,
        repository: None,
        phase: None,
        message: None,
        log: None,
    }
}

/// The first line under an error, ` *   emake failed`.
fn message(lines: &[&str], error: usize) -> Option<String> {
    let text = lines.get(error + 1)?.trim().strip_prefix('*')?.trim();
    let is_message = !text.is_empty() && !text.starts_with("Call stack");
    is_message.then(|| super::last_lines::clean_line(text))
}

/// A log is named below the mark of its package, with other lines in between.
fn name_logs(failures: &mut [PackageFailure], lines: &[&str], places: &BTreeMap<&Cpv, usize>) {
    let mut last = None;
    for line in lines {
        if let Some(mark) = Mark::read(line) {
            last = places.get(mark.cpv()).copied();
        } else if let (Some(path), Some(place)) = (log_path(line), last) {
            failures[place].log.get_or_insert(path);
        }
    }
}

/// ` * The complete build log is located at '/…/build.log'.`, `>>>  '/…/build.log'`, or
/// ` *   '/…/build.log'`.
fn log_path(line: &str) -> Option<String> {
    let line = line.trim();
    let quoted = line
        .strip_prefix("* The complete build log is located at '")
        .or_else(|| line.strip_prefix(">>>  '"))
        .or_else(|| line.strip_prefix("*   '"))?;
    let path = quoted.trim_end_matches('.').strip_suffix('\'')?;
    path.starts_with('/').then(|| path.to_owned())
}
