//! How long packages took to be compiled on the builder's machine before, by its own `emerge.log`.
//!
//! That tells nothing of what is built in clean rooms, whose logs go with them, and needs not: the
//! history knows those builds.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use gentoo_updater_fleet::message::{Durations, Failure, FailureClass};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_fleet::words::counted;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::emerge_log::{EmergeLogError, Finished, Tracker};
use gentoo_updater_portage::name::CategoryPackage;
use gentoo_updater_runtime::ask;

const READ: &str = include_str!("durations/read.sh");

/// How long it may take to read the log: the worker takes no work meanwhile.
const LIMIT: Duration = Duration::from_secs(30);
/// How many bytes of it are read, from its end. A merge takes about one KiB, so these are some
/// thousand.
const TAIL: usize = 8 * 1024 * 1024;
/// Of how many packages durations are told, of those that took longest: the shorter ones change
/// little in the order of builds. So a message has less than half a MiB.
const MOST: usize = 4000;
/// Of so many newest builds of a package the middle one counts: one alone may have waited for others,
/// or been spared by ccache.
const NEWEST: usize = 5;
/// In seconds: what seems to have lasted longer was under way when the clock was put forward.
const LONGEST: u64 = 7 * 24 * 3600;
/// In milliseconds: what ended within the second in which it began.
const WITHIN_A_SECOND: u64 = 500;

/// What the end of a log tells.
#[derive(Debug, Default)]
struct Told {
    durations: Durations,
    /// How many lines are not understood, and the first of them.
    foreign: Option<(usize, EmergeLogError)>,
}

/// Reads the log in this folder. A log that is not there or cannot be read tells nothing, and the log
/// of the worker says so.
pub(crate) async fn learn(host: &dyn Host, builder: &BuilderName, folder: &Path) -> Durations {
    let log = folder.join("emerge.log");
    let log = log.display();
    let end = match end_of_log(host, folder).await {
        Ok(end) => end,
        Err(failure) => {
            tracing::info!(
                "builder {builder} has no log of former builds that could be read, so what was never \
                 built is taken to last as long as its sources are large: {}",
                failure.message
            );
            return Durations::new();
        }
    };
    // A second of work for a log of this size in a program that is not optimised.
    let told = tokio::task::spawn_blocking(move || told_by(&end, end.len() >= TAIL)).await;
    let Ok(told) = told else {
        tracing::warn!("{log} of builder {builder} was not read to its end");
        return Durations::new();
    };
    if let Some((lines, first)) = &told.foreign {
        tracing::warn!(
            "{log} of builder {builder} has {} that {} no words of emerge; they are left out: {first}",
            counted(*lines, "line"),
            if *lines == 1 { "holds" } else { "hold" },
        );
    }
    tracing::info!(
        "{log} of builder {builder} tells how long {} took to build",
        counted(told.durations.len(), "package")
    );
    told.durations
}

async fn end_of_log(host: &dyn Host, folder: &Path) -> Result<Vec<u8>, Failure> {
    let parameters = [folder.display().to_string(), TAIL.to_string()];
    let command = Command::shell("read.sh", READ, parameters).timeout(LIMIT);
    let output = ask(host, &command).await?;
    if output.status == ExitStatus::Code(0) {
        return Ok(output.stdout);
    }
    let said = output.stderr_text().trim().to_owned();
    Err(Failure::new(
        FailureClass::Machine,
        "LogUnreadable",
        format!("{said} ({})", output.status),
    ))
}

/// The first line of a tail may be cut, and emerge may be writing the last one.
fn told_by(log: &[u8], is_tail: bool) -> Told {
    let mut tracker = match is_tail {
        true => Tracker::of_tail(),
        false => Tracker::new(),
    };
    let mut told = Told::default();
    let mut builds: BTreeMap<CategoryPackage, VecDeque<u64>> = BTreeMap::new();
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else {
            break;
        };
        match tracker.line(line) {
            Ok(Some(Finished::Merge(merge))) => {
                let seconds = merge.compiled().filter(|seconds| *seconds <= LONGEST);
                if let Some(seconds) = seconds {
                    let package = merge.name.cpv.category_package;
                    let newest = builds.entry(package).or_default();
                    newest.push_back(seconds);
                    if newest.len() > NEWEST {
                        newest.pop_front();
                    }
                }
            }
            Ok(_) => {}
            Err(error) => {
                let (lines, _) = told.foreign.get_or_insert((0, error));
                *lines += 1;
            }
        }
    }
    let all = builds.into_iter().filter_map(|(package, newest)| {
        let duration = middle(newest.into())?.saturating_mul(1000);
        Some((package, duration.max(WITHIN_A_SECOND)))
    });
    told.durations = longest(all.collect());
    told
}

fn middle(mut of: Vec<u64>) -> Option<u64> {
    of.sort_unstable();
    of.get(of.len() / 2).copied()
}

fn longest(mut all: Vec<(CategoryPackage, u64)>) -> Durations {
    // The sort is stable, so equal ones are chosen by name and each time alike.
    all.sort_by_key(|(_, duration)| std::cmp::Reverse(*duration));
    all.truncate(MOST);
    all.into_iter().collect()
}

#[cfg(test)]
mod tests;
