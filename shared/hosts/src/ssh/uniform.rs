//! An answer of `ssh -G` that holds for every machine.
//!
//! To ask costs a start of a process, several times what a login costs. Most configurations say the
//! same of every machine, and then one question is enough for a fleet: as long as no file of the
//! configuration changes, what was said of one machine is said of the next with its name in it.
//! Whatever is not certain about that makes another question, and no error.

use std::collections::HashMap;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::configuration::Answer;
use crate::host::ssh_folder;

/// What a file has to be older than when the question is asked: ssh may have read what it held a
/// moment before.
const SETTLED: Duration = Duration::from_secs(1);

/// The lines of `ssh -v` that name the files it reads (readconf.c).
const READING: &str = "debug1: Reading configuration data ";

/// All of a call of `ssh -G` but the machine.
pub(super) type Call = Vec<String>;

/// What is known of a call. Who asks holds it, so that others wait for the answer instead of asking
/// as well.
pub(super) type Kept = Arc<tokio::sync::Mutex<Option<Known>>>;

/// What is known of a call, since its last answer.
pub(super) struct Known {
    files: Vec<(PathBuf, Option<Stamp>)>,
    /// The machine and its answer; `None` where each machine has to be asked about.
    answer: Option<(String, Answer)>,
}

/// What is another one after each change of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// What is known of this call; `None` for a machine of which others cannot tell.
pub(super) fn kept(call: &Call, host: &str) -> Option<Kept> {
    static KEPT: LazyLock<Mutex<HashMap<Call, Kept>>> = LazyLock::new(Mutex::default);
    // A token in an option is another text for each machine.
    if !is_plain(host) || call.iter().any(|word| word.contains('%')) {
        return None;
    }
    let mut all = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    Some(Arc::clone(all.entry(call.clone()).or_default()))
}

/// Whether ssh takes the name as it stands: it writes others small, and completes addresses.
fn is_plain(host: &str) -> bool {
    let is_name = host.starts_with(|first: char| first.is_ascii_lowercase())
        && host
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'));
    is_name || host.parse::<Ipv4Addr>().is_ok()
}

impl Known {
    /// What an answer tells of others, from what `ssh -v` said beside it; `None` where nobody can
    /// tell for how long it holds.
    pub(super) fn from(
        host: &str,
        answer: &Answer,
        said: &str,
        asked_at: SystemTime,
    ) -> Option<Self> {
        let read: Vec<PathBuf> = said
            .lines()
            .filter_map(|line| line.strip_prefix(READING))
            .map(PathBuf::from)
            .collect();
        if read.is_empty() || read.iter().any(|file| file.is_relative()) {
            return None;
        }
        let mut watched = read.clone();
        let mut is_uniform = !names(answer, host);
        for file in &read {
            let text = fs::read_to_string(file).ok()?;
            let base = match file.starts_with("/etc") {
                true => PathBuf::from("/etc/ssh"),
                false => ssh_folder(),
            };
            for line in text.lines() {
                match judge(line, &base) {
                    Line::Same => {}
                    Line::Includes(folders) => watched.extend(folders),
                    Line::Differs => is_uniform = false,
                }
            }
        }
        // What is not there may come.
        for file in [ssh_folder().join("config"), "/etc/ssh/ssh_config".into()] {
            if !watched.contains(&file) {
                watched.push(file);
            }
        }
        let limit = asked_at.checked_sub(SETTLED)?;
        let limit = limit.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let limit = i64::try_from(limit.as_secs()).ok()?;
        let files: Vec<_> = watched.into_iter().map(stamped).collect();
        let is_settled = |(_, stamp): &(PathBuf, Option<Stamp>)| {
            stamp.is_none_or(|stamp| stamp.changed.0 < limit)
        };
        files.iter().all(is_settled).then(|| Self {
            answer: is_uniform.then(|| (host.to_owned(), answer.clone())),
            files,
        })
    }

    /// Whether no file of the configuration has changed since.
    pub(super) fn holds(&self) -> bool {
        self.files
            .iter()
            .all(|(file, stamp)| stamp_of(file) == *stamp)
    }

    /// What is said of another machine; `None` where it has to be asked about.
    pub(super) fn of(&self, host: &str) -> Option<Answer> {
        let (asked, answer) = self.answer.as_ref()?;
        Some(answer.about(asked, host))
    }
}

/// What a line of a configuration means for other machines.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// It says the same of each.
    Same,
    /// It takes in files of these folders.
    Includes(Vec<PathBuf>),
    /// It may say something else of another.
    Differs,
}

fn judge(line: &str, base: &Path) -> Line {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Line::Same;
    }
    let end = line.find([' ', '\t', '=', '"']).unwrap_or(line.len());
    let (keyword, value) = line.split_at(end);
    let value = value.trim_matches([' ', '\t', '=']);
    let keyword = keyword.to_ascii_lowercase();
    match &*keyword {
        "host" if value == "*" => Line::Same,
        "host" | "match" => Line::Differs,
        _ if keyword.starts_with("canonical") || line.contains('%') => Line::Differs,
        "include" => included(value, base).map_or(Line::Differs, Line::Includes),
        _ => Line::Same,
    }
}

/// The folders whose files are taken in; `None` where that is more than a pattern in one folder.
fn included(value: &str, base: &Path) -> Option<Vec<PathBuf>> {
    let folder = |word: &str| {
        let word = word.trim_matches('"');
        let path = match word.strip_prefix("~/") {
            Some(rest) => ssh_folder().parent()?.join(rest),
            None => base.join(word),
        };
        let folder = path.parent()?.to_owned();
        let is_fixed = !folder
            .to_str()?
            .contains(['*', '?', '[', '~', '$', '"', '\\']);
        is_fixed.then_some(folder)
    };
    value.split_ascii_whitespace().map(folder).collect()
}

/// Whether an answer names the machine elsewhere than as its name.
fn names(answer: &Answer, host: &str) -> bool {
    let others = answer.about(host, "");
    others.get("hostname") != Some("") || others.contains(host)
}

fn stamped(file: PathBuf) -> (PathBuf, Option<Stamp>) {
    let stamp = stamp_of(&file);
    (file, stamp)
}

/// `None` where there is no such file.
fn stamp_of(file: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(file).ok()?;
    Some(Stamp {
        inode: metadata.ino(),
        size: metadata.size(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests;
