//! What a worker starts on a machine: a detached program that outlives the worker and is attached
//! to again, and that writes down that it began and that it ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::job::{self, JobSpec};
use gentoo_updater_hosts::{Command, HostAddress, SshSettings, connect};

use crate::scene::Scene;

/// Writes `begun …`, takes its time, leaves its product where it belongs, and writes `ended …`.
/// A line is one write to a file that is appended to, so lines of several programs do not mix.
const PROGRAM: &str = r#"
set -e
record=$1 line=$2 seconds=$3 product=$4
echo "begun $line" >>"$record"
sleep "$seconds"
if [ -n "$product" ]; then : >"$product.new"; mv "$product.new" "$product"; fi
echo "ended $line" >>"$record"
"#;

/// One program.
#[derive(Debug)]
pub struct Program<'a> {
    /// The machine that it runs on.
    pub machine: &'a str,
    /// The run that it belongs to.
    pub run: RunId,
    /// What it does: `build`, `install` or `clean`, and to what, as two words.
    pub work: String,
    /// How long it takes.
    pub takes: Duration,
    /// What it leaves.
    pub product: Option<&'a Path>,
}

impl Program<'_> {
    /// Starts it, or attaches to it where it runs or has ended, and waits for its end.
    ///
    /// # Errors
    /// When it cannot be started, or failed.
    pub async fn run(&self, scene: &Scene) -> Result<(), Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(FailureClass::Transient, "ProgramFailed", error.to_string())
        };
        let host = connect(&HostAddress::Local, &SshSettings::default())
            .await
            .map_err(|error| failed(&error))?;
        let line = format!("{} {} {}", self.run, self.work, self.machine);
        let product = self.product.map(|path| path.display().to_string());
        let command = Command::shell(
            "chaos",
            PROGRAM,
            [
                scene.record().display().to_string(),
                line,
                self.takes.as_secs_f64().to_string(),
                product.unwrap_or_default(),
            ],
        );
        let id = format!("{}-{}", self.run, self.work.replace(' ', "-"));
        let id = id.parse().map_err(|error| failed(&error))?;
        let lock = "portage".parse().map_err(|error| failed(&error))?;
        let spool = scene.machine(self.machine).join("jobs");
        let spec = JobSpec::new(id, command).spool(spool).lock(lock);
        let mut handle = job::start_or_attach(&*host, &spec)
            .await
            .map_err(|error| failed(&error))?;
        let outcome = handle.wait(|_| {}).await.map_err(|error| failed(&error))?;
        match outcome.success() {
            true => Ok(()),
            false => Err(failed(&format!("{outcome:?}"))),
        }
    }
}

/// How often a work of a run was begun and ended, by what the programs wrote down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How often it was begun.
    pub begun: usize,
    /// How often it came to its end.
    pub ended: usize,
}

/// What the programs of a run wrote down: each work (`build ID`, say) with its counts.
pub type Record = BTreeMap<String, Count>;

/// Reads the record of one run.
pub fn record(scene: &Scene, run: RunId) -> Record {
    // It is not there before the first program.
    let text = fs::read_to_string(scene.record()).unwrap_or_default();
    let mut counts = Record::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [what, of, kind, subject, _machine] = words[..] else {
            panic!("this is no line of a record: {line:?}");
        };
        if of != run.to_string() {
            continue;
        }
        let count = counts.entry(format!("{kind} {subject}")).or_default();
        match what {
            "begun" => count.begun += 1,
            "ended" => count.ended += 1,
            other => panic!("a record says {other:?}"),
        }
    }
    counts
}
