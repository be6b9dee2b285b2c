//! The logs of builds, read where they are: on the builder while it builds, in the store afterwards.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::message::{Failure, Job, Task};
use gentoo_updater_fleet::name::{BuilderName, RunId};
use gentoo_updater_fleet::state::{Attempt, Run, TaskOutcome, TaskState};
use gentoo_updater_hosts::{Command, ExitStatus};
use gentoo_updater_runtime::jobs::{Description, LOGS, STORED_LOGS};
use gentoo_updater_runtime::{Machines, ask};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::view;

const READ: &str = include_str!("logs.sh");
/// How many bytes are read at once.
const PART: usize = 64 * 1024;
/// How long a builder may take for that.
const LIMIT: Duration = Duration::from_secs(20);
/// For how long a part is given to others who ask for the same one.
const FRESH: Duration = Duration::from_secs(1);
/// How many parts are kept for that.
const KEPT: usize = 64;
/// How many are read at once.
const AT_ONCE: usize = 8;
/// How many of them of one builder: one that hangs is not to keep all others waiting, and one that builds has
/// other things to do.
const AT_ONCE_OF_ONE: usize = 2;
/// The exit code of the program where there is no such file.
const NO_FILE: i32 = 3;

/// A log that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    builder: BuilderName,
    path: String,
    attempt: u32,
    running: bool,
}

/// A part of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Piece {
    /// The attempt that it is of.
    attempt: u32,
    /// Where the log is, as `builder:path`.
    place: String,
    /// Whether the build goes on, so that more can come.
    running: bool,
    /// The first byte of the part.
    from: u64,
    /// The first byte behind it.
    next: u64,
    /// How many bytes the log has.
    size: u64,
    /// The part.
    text: String,
    /// Why there is none, if there is none, and what to do.
    why: Option<String>,
}

/// Parts by the place of their log and the byte that was asked for, and when they were read.
type Fresh = HashMap<(String, Option<u64>), (Instant, Arc<Piece>)>;

/// Reads logs. Who asks for the same part gets what was read for another one.
pub(crate) struct Logs {
    machines: Machines,
    turns: Turns,
    fresh: Mutex<Fresh>,
}

impl Logs {
    pub(crate) fn new(machines: Machines) -> Self {
        Self {
            machines,
            turns: Turns::default(),
            fresh: Mutex::default(),
        }
    }

    /// A part of a log, from a byte on; its end without one.
    pub(crate) async fn read(&self, wanted: Wanted, from: Option<u64>) -> Arc<Piece> {
        let key = (wanted.place(), from);
        let _turn = self.turns.take(&wanted.builder).await;
        if let Some(piece) = self.find(&key) {
            return piece;
        }
        let piece = match self.ask(&wanted, from).await {
            Ok(piece) => piece,
            Err(why) => wanted.without(why),
        };
        let piece = Arc::new(piece);
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.retain(|_, (at, _)| at.elapsed() < FRESH);
        if fresh.len() < KEPT {
            fresh.insert(key, (Instant::now(), piece.clone()));
        }
        piece
    }

    fn find(&self, key: &(String, Option<u64>)) -> Option<Arc<Piece>> {
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, piece) = fresh.get(key)?;
        (at.elapsed() < FRESH).then(|| piece.clone())
    }

    async fn ask(&self, wanted: &Wanted, from: Option<u64>) -> Result<Piece, String> {
        let in_words = |failure: Failure| format!("{}: {}", failure.cause, failure.message);
        let host = self
            .machines
            .builder(&wanted.builder)
            .await
            .map_err(in_words)?;
        let from = from.map_or_else(String::new, |from| from.to_string());
        let arguments = [wanted.path.clone(), from, PART.to_string()];
        let program = Command::shell("log", READ, arguments).timeout(LIMIT);
        let output = ask(host.as_ref(), &program).await.map_err(in_words)?;
        match output.status {
            ExitStatus::Code(0) => {}
            ExitStatus::Code(NO_FILE) if wanted.running => {
                return Err("nothing is written yet, or the log is just being put away".to_owned());
            }
            ExitStatus::Code(NO_FILE) => {
                let words = "the log is gone: logs are kept as long as policy.keep_build_logs_days says, or \
                             somebody has removed it";
                return Err(words.to_owned());
            }
            _ => return Err(output.stderr_text().trim().to_owned()),
        }
        wanted
            .piece(&output.stdout)
            .ok_or_else(|| "the builder's answer cannot be understood".to_owned())
    }
}

/// Whose turn it is to read.
struct Turns {
    all: Semaphore,
    each: Mutex<HashMap<BuilderName, Arc<Semaphore>>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            all: Semaphore::new(AT_ONCE),
            each: Mutex::default(),
        }
    }
}

/// A turn, until it is dropped.
struct Turn<'a> {
    _own: Option<OwnedSemaphorePermit>,
    _all: Option<SemaphorePermit<'a>>,
}

impl Turns {
    /// Waits for the turn to read on this builder. Who waits for a builder takes nobody else's turn.
    async fn take(&self, builder: &BuilderName) -> Turn<'_> {
        let own = {
            let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Semaphore::new(AT_ONCE_OF_ONE));
            each.entry(builder.clone()).or_insert_with(new).clone()
        };
        // Neither is ever closed.
        Turn {
            _own: own.acquire_owned().await.ok(),
            _all: self.all.acquire().await.ok(),
        }
    }
}

impl Wanted {
    /// The log of an attempt at a job; of the last one unless told. Nothing where none was begun, words where
    /// there is no log.
    pub(crate) fn of(
        settings: &Settings,
        run: &Run,
        job: &str,
        attempt: Option<u32>,
    ) -> Option<Result<Self, String>> {
        let job = view::job_of(run, job)?;
        let state = run.tasks.get(&Task::Build(job.id.clone()))?;
        let mut claimed = state.attempts.iter().filter(|(_, it)| it.claim.is_some());
        let (attempt, of_it) = match attempt {
            Some(number) => claimed.rev().find(|(own, _)| **own == number)?,
            None => claimed.next_back()?,
        };
        let builder = of_it.claim.as_ref()?.builder.clone()?;
        let is_last = state.attempts.keys().next_back() == Some(attempt);
        let told = ended(run, job, state, of_it, is_last);
        let running = told.is_none();
        let path = match told {
            None => Description::of_build(run.id, job).log_path(),
            Some(None) => return Some(Err("this attempt ended before it wrote a log".to_owned())),
            Some(Some(place)) => {
                let store = settings.platforms.get(&job.platform);
                let store = store.map(|platform| platform.store.as_path());
                match of_this_run(place, run.id, store) {
                    Some(path) => path.to_owned(),
                    None => {
                        return Some(Err(format!("{place} is no place for the log of a build")));
                    }
                }
            }
        };
        let attempt = *attempt;
        Some(Ok(Self {
            builder,
            path,
            attempt,
            running,
        }))
    }

    fn place(&self) -> String {
        format!("{}:{}", self.builder, self.path)
    }

    fn without(&self, why: String) -> Piece {
        Piece {
            attempt: self.attempt,
            place: self.place(),
            running: self.running,
            from: 0,
            next: 0,
            size: 0,
            text: String::new(),
            why: Some(why),
        }
    }

    /// What the program has printed.
    fn piece(&self, output: &[u8]) -> Option<Piece> {
        let end = output.iter().position(|byte| *byte == b'\n')?;
        let head = std::str::from_utf8(output.get(..end)?).ok()?;
        let (size, from) = head.split_once(' ')?;
        let (size, from): (u64, u64) = (size.parse().ok()?, from.parse().ok()?);
        let part = output.get(end + 1..)?;
        // A character that the end of the part has cut comes with the next one.
        let whole = part.len() - cut(part);
        let part = part.get(..whole)?;
        Some(Piece {
            next: from + part.len() as u64,
            text: String::from_utf8_lossy(part).into_owned(),
            from,
            size,
            why: None,
            ..self.without(String::new())
        })
    }
}

/// Where the log of an attempt is that has ended, where it has one; nothing while it goes on.
fn ended<'a>(
    run: &'a Run,
    job: &Job,
    state: &'a TaskState,
    attempt: &'a Attempt,
    is_last: bool,
) -> Option<Option<&'a str>> {
    if let Some((failure, _)) = &attempt.failure {
        return Some(failure.log_path.as_deref());
    }
    if !is_last {
        return Some(None);
    }
    match &state.outcome {
        None => None,
        Some(TaskOutcome::Failed { failure, .. }) => Some(failure.log_path.as_deref()),
        Some(TaskOutcome::Done { .. }) => {
            let built = run.built.get(&job.id);
            Some(built.and_then(|built| built.log_path.as_deref()))
        }
    }
}

/// The path of a log, where it is one of this run. What a worker tells of places is not believed: it would
/// make this program read any file of a builder.
fn of_this_run<'a>(place: &'a str, run: RunId, store: Option<&Path>) -> Option<&'a str> {
    // Of an address the colon of `ssh://` is none.
    let mut colons = place.match_indices(":/").map(|(at, _)| at);
    let colon = colons.find(|at| !place[at + 2..].starts_with('/'))?;
    let path = &place[colon + 1..];
    let kept = store.map(|store| store.join(STORED_LOGS));
    let mut folders = [Some(Path::new(LOGS).to_owned()), kept]
        .into_iter()
        .flatten();
    let name = folders.find_map(|folder| {
        let folder = format!("{}/", folder.join(run.to_string()).display());
        path.strip_prefix(&folder)
    })?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-_.".contains(c);
    (!name.starts_with('.') && name.chars().all(is_plain)).then_some(path)
}

/// How many bytes at the end are the beginning of a character of UTF-8.
fn cut(text: &[u8]) -> usize {
    let last = text.len().saturating_sub(3)..text.len();
    for place in last.rev() {
        let length = match text.get(place) {
            Some(0xC0..=0xDF) => 2,
            Some(0xE0..=0xEF) => 3,
            Some(0xF0..=0xF7) => 4,
            Some(0x80..=0xBF) => continue,
            _ => return 0,
        };
        let have = text.len() - place;
        return if have < length { have } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::Command as Process;

    use futures_util::FutureExt as _;
    use tempfile::TempDir;

    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            builder: "b1".parse().unwrap(),
            path: "/x".to_owned(),
            attempt: 1,
            running: true,
        }
    }

    #[test]
    fn only_logs_of_the_run_are_read_whatever_a_worker_says() {
        let run = RunId::generate();
        let store = Some(Path::new("/var/cache/binpkgs"));
        let good = [
            format!("b1:{LOGS}/{run}/hello-2.0-0123456789ab.log"),
            format!("b1:/var/cache/binpkgs/{STORED_LOGS}/{run}/app-misc-hello-2.0+1-0123.1.log.gz"),
            format!("ssh://b1:{LOGS}/{run}/hello.log"),
        ];
        for place in &good {
            let path = of_this_run(place, run, store);
            assert_eq!(
                path,
                place.find(":/v").map(|colon| &place[colon + 1..]),
                "{place}"
            );
        }
        for place in [
            "b1:/etc/shadow".to_owned(),
            format!("b1:{LOGS}/{run}/../../../../etc/shadow"),
            format!("b1:{LOGS}/{}/hello.log", RunId::generate()),
            format!("b1:{LOGS}/{run}/.hidden"),
            format!("b1:{LOGS}/{run}/a b"),
            format!("{LOGS}/{run}/hello.log"),
            String::new(),
        ] {
            assert_eq!(of_this_run(&place, run, store), None, "{place}");
        }
    }

    #[test]
    fn a_part_begins_where_it_is_asked_for_and_cuts_no_character() {
        let piece = wanted().piece("1000 7\nab\u{e4}".as_bytes()).unwrap();
        assert_eq!((piece.from, piece.next, piece.size), (7, 11, 1000));
        let piece = wanted().piece(b"1000 7\nab\xc3").unwrap();
        assert_eq!((piece.text.as_str(), piece.next), ("ab", 9));
        // What is no character at all is shown as such.
        assert_eq!(wanted().piece(b"9 0\n\xffab").unwrap().next, 3);
        assert_eq!(wanted().piece(b"no head"), None);
    }

    #[test]
    fn a_builder_that_hangs_keeps_nobody_from_the_logs_of_others() {
        let turns = Turns::default();
        let take = |name: &str| turns.take(&name.parse().unwrap()).now_or_never();
        let hung = [take("b1"), take("b1")];
        assert!(hung.iter().all(Option::is_some));
        assert!(take("b1").is_none(), "no third one of the same builder");
        let others = ["b2", "b3", "b4"].map(|name| [take(name), take(name)]);
        assert!(others.iter().flatten().all(Option::is_some));
        assert!(take("b5").is_none(), "no more than {AT_ONCE} at all");
        drop(others);
        assert!(take("b5").is_some() && take("b1").is_none());
        drop(hung);
        assert!(take("b1").is_some());
    }

    fn program(arguments: &[&str]) -> (Option<i32>, String) {
        run(READ, arguments)
    }

    fn run(program: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let output = Process::new("sh")
            .args(["-c", program, "sh"])
            .args(arguments)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    }

    #[test]
    fn the_program_reads_any_part_of_a_log_compressed_or_not_and_follows_no_link() {
        let folder = TempDir::new().unwrap();
        let log = folder.path().join("build.log").display().to_string();
        std::fs::write(&log, "0123456789").unwrap();
        assert!(
            Process::new("gzip")
                .args(["-k", &log])
                .status()
                .unwrap()
                .success()
        );
        for log in [log.clone(), format!("{log}.gz")] {
            let said = |from, most| program(&[&log, from, most]).1;
            assert_eq!(said("", "4"), "10 6\n6789");
            assert_eq!(said("", "400"), "10 0\n0123456789");
            assert_eq!(said("3", "2"), "10 3\n34");
            assert_eq!(said("10", "2"), "10 10\n");
            assert_eq!(said("99", "2"), "10 10\n");
        }
        // What is before the part is not read: all of this would take minutes, and there are seconds.
        let long = folder.path().join("long.log");
        let size = 1_u64 << 40;
        File::create(&long).unwrap().set_len(size).unwrap();
        let (long, few) = (long.display().to_string(), format!("ulimit -t 10\n{READ}"));
        let said = run(&few, &[&long, "", "4"]);
        assert_eq!(said, (Some(0), format!("{size} {}\n\0\0\0\0", size - 4)));
        let said = run(&few, &[&long, &(size - 1).to_string(), "4"]);
        assert_eq!(said, (Some(0), format!("{size} {}\n\0", size - 1)));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&log, &link).unwrap();
        assert_eq!(
            program(&[&link.display().to_string(), "", "4"]).0,
            Some(NO_FILE)
        );
        assert_eq!(program(&["/nowhere", "", "4"]).0, Some(NO_FILE));
    }
}
