//! Whether a store is what its index and its records say, and what mends it.
//!
//! All binaries are read once, without the lock: that takes its time, and builders go on. What they
//! change meanwhile looks like a fault, and so what was found is looked at once more under the lock,
//! where nobody is in the middle of anything; only what is still there then is told. [`judge`] and
//! [`repair`] decide and read nothing.

mod finding;
pub(super) mod inventory;
mod judge;
pub(super) mod measure;
mod repair;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::time::Duration;

use gentoo_updater_fleet::doctor::SurveyFacts;
use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_hosts::{Command, Host};
use gentoo_updater_portage::command;
use gentoo_updater_runtime::ask;
use gentoo_updater_runtime::emerge::in_own_environment;
use gentoo_updater_runtime::store::{INDEX, LOCK_PATIENCE, under_lock};

pub use finding::Finding;
pub use repair::Repaired;

use self::inventory::Inventory;
use self::judge::{Judgement, judge};
use self::measure::{Measures, Reading};
use self::repair::Plan;
use super::catalog::Total;
use super::machine::{NOTES, PATIENCE, refused_by, succeeded};

const SURVEY: &str = include_str!("survey.py");
const MEASURE: &str = include_str!("measure.py");
const REPAIR: &str = include_str!("repair.py");

/// How long a builder may be between two files that belong together.
const MEANWHILE: Duration = Duration::from_secs(2);

/// How many bytes a disk reads in a second, at the least.
const SLOWEST: u64 = 1_000_000;

/// How far the reading of a store is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many were read.
    pub read: u64,
    /// How many are read in all.
    pub of: u64,
}

/// What a store was found to be.
#[derive(Debug)]
pub struct Verified {
    /// The binaries that were read.
    pub binaries: Total,
    /// The algorithms of the digests that were compared.
    pub algorithms: BTreeSet<String>,
    /// What is wrong, or has to be known.
    pub findings: Vec<Finding>,
    inventory: Inventory,
    measures: Measures,
}

impl Verified {
    /// What was found, without anything that would mend it: for those that show it.
    pub fn of(binaries: Total, algorithms: BTreeSet<String>, findings: Vec<Finding>) -> Self {
        Self {
            binaries,
            algorithms,
            findings,
            inventory: Inventory::default(),
            measures: Measures::new(),
        }
    }

    /// Whether something is wrong.
    pub fn has_faults(&self) -> bool {
        self.findings.iter().any(Finding::is_fault)
    }
}

/// Reads all binaries of a store, and compares them with what its index and its records say; `now` is
/// in seconds since 1970.
///
/// # Errors
/// When the machine cannot be asked, the store not be read, or its lock not be had.
pub async fn verify(
    host: &dyn Host,
    store: &Path,
    now: u64,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Verified, Failure> {
    let mut inventory = survey(host, store, false).await?;
    let readings = measure::all(&inventory);
    let mut binaries = Total::default();
    for reading in &readings {
        binaries.add(reading.size);
    }
    let mut measures = Measures::new();
    read(host, store, readings, &mut measures, &mut progress).await?;
    let mut found = judge(&inventory, &measures, now);
    let doubted = found.doubted();
    if !doubted.is_empty() {
        reread(host, store, &inventory, &doubted, &mut measures).await?;
        found = judge(&inventory, &measures, now);
    }
    if found.is_doubtful() {
        inventory = survey(host, store, true).await?;
        let again = judge(&inventory, &measures, now);
        // What came meanwhile is nobody's fault, and was not read.
        let paths = found.paths();
        let open: BTreeSet<String> = again.open.intersection(&paths).cloned().collect();
        if !open.is_empty() {
            reread(host, store, &inventory, &open, &mut measures).await?;
        }
        found = judge(&inventory, &measures, now).confirms(&found);
    }
    Ok(Verified {
        binaries,
        algorithms: measure::algorithms(&measures),
        findings: found.findings,
        inventory,
        measures,
    })
}

/// What of a store is told without reading any binary: its index, and whether index, records and files are
/// about each other. What is found is looked for once more, since builders may be writing.
///
/// # Errors
/// When the machine cannot be asked, or the store not be read.
pub async fn survey_alone(host: &dyn Host, store: &Path, now: u64) -> Result<SurveyFacts, Failure> {
    let first = glance(&survey(host, store, false).await?, now);
    if first == SurveyFacts::default() {
        return Ok(first);
    }
    tokio::time::sleep(MEANWHILE).await;
    let again = glance(&survey(host, store, false).await?, now);
    let both = |first: Vec<String>, again: &[String]| -> Vec<String> {
        first.into_iter().filter(|it| again.contains(it)).collect()
    };
    Ok(SurveyFacts {
        index_unusable: first.index_unusable.and(again.index_unusable),
        index_differs: both(first.index_differs, &again.index_differs),
        oddities: both(first.oddities, &again.oddities),
    })
}

fn glance(inventory: &Inventory, now: u64) -> SurveyFacts {
    let mut facts = SurveyFacts::default();
    let words = |finding: &Finding| {
        let (path, words) = finding.words();
        format!("{path} {words}")
    };
    // Of binaries that nobody has read the judgement says nothing.
    for finding in judge(inventory, &Measures::new(), now).findings {
        match &finding {
            Finding::IndexUnusable { wrong } => facts.index_unusable = Some(wrong.clone()),
            Finding::FileMissing { .. } => facts.index_differs.push(words(&finding)),
            _ if finding.is_fault() => facts.oddities.push(words(&finding)),
            _ => {}
        }
    }
    let sizes = inventory.other_sizes();
    facts
        .index_differs
        .extend(sizes.map(|path| format!("{path} has another size than the index says")));
    facts
}

/// Mends what was found, under the lock of the store. What is somebody else's is never deleted, and what
/// is spoiled goes only where it reads once more as it did before.
///
/// # Errors
/// When the lock cannot be had, the store not be written, or its index not be brought up to date.
/// Everything that the index names then is there all the same.
pub async fn repair(
    host: &dyn Host,
    store: &Path,
    verified: &Verified,
) -> Result<Repaired, Failure> {
    let fix = in_own_environment(command::fix_index(), &[("PKGDIR", store)]);
    repair_with(host, store, verified, fix.argv).await
}

/// The same, with this command that brings the index up to date.
async fn repair_with(
    host: &dyn Host,
    store: &Path,
    verified: &Verified,
    fix: Vec<String>,
) -> Result<Repaired, Failure> {
    let Some(plan) = Plan::of(
        &verified.findings,
        &verified.inventory,
        &verified.measures,
        fix,
    ) else {
        return Ok(Repaired::default());
    };
    let told = |what: &str, error: &serde_json::Error| {
        let message = format!("{what} {}: {error}", store.display());
        Failure::new(FailureClass::Machine, "StoreUnwritable", message)
    };
    let plan =
        serde_json::to_string(&plan).map_err(|error| told("what mends is not told", &error))?;
    let program = format!("{INDEX}{NOTES}{REPAIR}");
    let command = under_lock("repair", store, &program, LOCK_PATIENCE, []).stdin(plan);
    // Portage reads what its index lacks.
    let reading = Duration::from_secs(verified.binaries.bytes / SLOWEST);
    let timeout = command.timeout + reading;
    let command = command.timeout(timeout);
    let output = ask(host, &command).await?;
    let cause = refused_by(&output);
    let output = succeeded(output, cause)?;
    serde_json::from_slice(&output.stdout)
        .map_err(|error| told("what was mended is not told in", &error))
}

impl Judgement {
    fn is_doubtful(&self) -> bool {
        !self.open.is_empty() || self.findings.iter().any(Finding::is_fault)
    }

    /// The binaries that have to be read again: nothing is called spoiled after one reading.
    fn doubted(&self) -> BTreeSet<String> {
        let spoiled = self.findings.iter().filter_map(|finding| match finding {
            Finding::Spoiled { path, .. } => Some(path.clone()),
            _ => None,
        });
        spoiled.chain(self.open.clone()).collect()
    }

    /// The binaries that it has doubts about.
    fn paths(&self) -> BTreeSet<String> {
        let found = self.findings.iter().map(|finding| finding.words().0);
        found.map(str::to_owned).chain(self.open.clone()).collect()
    }

    /// What this second look still says of what the first one found.
    fn confirms(mut self, first: &Self) -> Self {
        let known: HashSet<_> = first.findings.iter().map(Finding::subject).collect();
        self.findings.retain(|finding| {
            let is_known = known.contains(&finding.subject());
            is_known || first.open.contains(finding.words().0) || !finding.is_fault()
        });
        self
    }
}

async fn survey(host: &dyn Host, store: &Path, locked: bool) -> Result<Inventory, Failure> {
    let program = format!("{NOTES}{SURVEY}");
    let command = match locked {
        true => under_lock("survey", store, &program, LOCK_PATIENCE, []),
        false => Command::new("python3")
            .args(["-c", &program])
            .arg(store.display().to_string())
            .timeout(PATIENCE),
    };
    let output = ask(host, &command).await?;
    let cause = match locked {
        true => refused_by(&output),
        false => UNREADABLE,
    };
    let output = succeeded(output, cause)?;
    Inventory::read(&output.stdout_text()).map_err(|error| unreadable(store, &error.to_string()))
}

const UNREADABLE: &str = "StoreUnreadable";

fn unreadable(store: &Path, words: &str) -> Failure {
    let message = format!("{}: {words}", store.display());
    Failure::new(FailureClass::Machine, UNREADABLE, message)
}

/// Reads these again, and asks whether they are whole.
async fn reread(
    host: &dyn Host,
    store: &Path,
    inventory: &Inventory,
    paths: &BTreeSet<String>,
    measures: &mut Measures,
) -> Result<(), Failure> {
    let readings = measure::again(&measure::all(inventory), paths);
    read(host, store, readings, measures, &mut |_| {}).await
}

/// Reads these, whatever else the store holds.
pub(super) async fn read_all(
    host: &dyn Host,
    store: &Path,
    readings: Vec<Reading>,
) -> Result<Measures, Failure> {
    let mut measures = Measures::new();
    read(host, store, readings, &mut measures, &mut |_| {}).await?;
    Ok(measures)
}

async fn read(
    host: &dyn Host,
    store: &Path,
    readings: Vec<Reading>,
    measures: &mut Measures,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<(), Failure> {
    let size = |part: &[Reading]| -> u64 { part.iter().map(|reading| reading.size).sum() };
    let mut told = Progress {
        read: 0,
        of: size(&readings),
    };
    progress(told);
    for part in measure::parts(readings) {
        let bytes = size(&part);
        let command = Command::new("python3")
            .args(["-c", MEASURE])
            .arg(store.display().to_string())
            .stdin(measure::question(&part))
            .timeout(PATIENCE + Duration::from_secs(bytes / SLOWEST));
        let output = succeeded(ask(host, &command).await?, UNREADABLE)?;
        measure::answered(measures, &part, &output.stdout_text())
            .map_err(|words| unreadable(store, &words))?;
        told.read += bytes;
        progress(told);
    }
    Ok(())
}
