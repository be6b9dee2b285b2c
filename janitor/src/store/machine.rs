//! A store on the machine where it can be written.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::StorePath;
use gentoo_updater_hosts::{Command, ExitStatus, Host, Output};
use gentoo_updater_runtime::ask;
use gentoo_updater_runtime::store::{INDEX, LOCKED, under_lock};
use serde::{Deserialize, Serialize};

use super::catalog::{Catalog, Stored};
use super::collect::Decision;
use super::compare::compare;
use super::permitted::{self, TRY};
use super::verify::inventory::FileState;

/// What builders have written about binaries, as functions in Python.
pub(super) const NOTES: &str = include_str!("notes.py");
const LOOK: &str = include_str!("look.sh");
const ORPHANS: &str = include_str!("orphans.py");
const COLLECT: &str = include_str!("collect.py");

/// How long a look at a store or the deletion of what goes may take beside.
pub(super) const PATIENCE: Duration = Duration::from_secs(900);

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// How many binaries went.
    pub binaries: u64,
    /// How many records went.
    pub records: u64,
    /// How many other files went.
    pub files: u64,
    /// How many bytes all of them took.
    pub bytes: u64,
    /// What was to go and is left as it is, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<(String, String)>,
}

/// What lies in the store.
///
/// # Errors
/// When the machine cannot be asked, or the store not be read as a whole: what is not seen would
/// count as gone.
pub async fn look(host: &dyn Host, store: &Path) -> Result<Catalog, Failure> {
    let command = Command::shell("look", LOOK, [store.display().to_string()]).timeout(PATIENCE);
    let output = succeeded(ask(host, &command).await?, "StoreUnreadable")?;
    let unreadable = |error| {
        let message = format!("{}: {error}", store.display());
        Failure::new(FailureClass::Machine, "StoreUnreadable", message)
    };
    let mut catalog = Catalog::read(&output.stdout_text()).map_err(unreadable)?;
    let questions = catalog.questions();
    if !questions.is_empty() {
        let command = Command::new("python3")
            .args(["-c", &format!("{NOTES}{ORPHANS}")])
            .arg(store.display().to_string())
            .stdin(questions.join("\n"))
            .timeout(PATIENCE);
        let output = succeeded(ask(host, &command).await?, "StoreUnreadable")?;
        catalog
            .answered(&output.stdout_text())
            .map_err(unreadable)?;
    }
    Ok(catalog)
}

/// Takes out of the store what was decided, and records that are about nothing. What is gone by then
/// is no trouble, and what is another file than it was when it was stored is left alone: somebody else
/// has put that there. `permitted` is asked whether the store may be written, just before that is begun,
/// and again whenever the lock could not be had.
///
/// # Errors
/// When it is not permitted, the lock cannot be had, or the store not be written. Everything that the
/// index names is there all the same.
pub async fn carry_out<Asked>(
    host: &dyn Host,
    store: &Path,
    catalog: &Catalog,
    decision: &Decision<'_>,
    permitted: impl Fn() -> Asked,
) -> Result<Done, Failure>
where
    Asked: Future<Output = Result<(), Failure>>,
{
    let binaries: Vec<&Stored> = decision
        .removals
        .iter()
        .map(|removal| removal.stored)
        .collect();
    let compared = compare(host, store, &binaries).await?;
    let orphans = catalog.orphans.iter();
    let orphans: HashSet<&StorePath> = orphans.map(|orphan| &orphan.stored.path).collect();
    let binaries = compared.same.iter().map(|(stored, state)| {
        let Stored { path, key, .. } = stored;
        let FileState(size, nanoseconds, inode) = state;
        let kind = if orphans.contains(path) {
            "orphan"
        } else {
            "binary"
        };
        format!("{kind} {path} {key} {size} {nanoseconds} {inode}\n")
    });
    let records = catalog.without_file.iter();
    let records = records.map(|(digest, path)| format!("record {digest} {path}\n"));
    let files = decision
        .junk
        .iter()
        .map(|junk| format!("file {}\n", junk.path));
    let input: String = binaries.chain(records).chain(files).collect();
    let mut done = match input.is_empty() {
        true => Done::default(),
        false => permitted::write(&permitted, || collect(host, store, &input)).await?,
    };
    let other = compared.other.into_iter();
    done.left
        .extend(other.map(|(path, words)| (path.to_string(), words)));
    done.left.sort();
    Ok(done)
}

async fn collect(host: &dyn Host, store: &Path, input: &str) -> Result<Done, Failure> {
    let program = format!("{INDEX}{NOTES}{COLLECT}");
    let command = under_lock("collect", store, &program, TRY, []).stdin(input);
    let output = ask(host, &command).await?;
    let cause = refused_by(&output);
    let output = succeeded(output, cause)?;
    serde_json::from_slice(&output.stdout).map_err(|error| {
        let message = format!("what was done in {} is not told: {error}", store.display());
        Failure::new(FailureClass::Machine, "StoreUnwritable", message)
    })
}

/// The cause where such a program did not succeed.
pub(super) fn refused_by(output: &Output) -> &'static str {
    match output.status {
        ExitStatus::Code(31) => LOCKED,
        ExitStatus::Code(32) => "StoreIndexBroken",
        ExitStatus::Code(40) => "StoreUnreadable",
        _ => "StoreUnwritable",
    }
}

pub(super) fn succeeded(output: Output, cause: &str) -> Result<Output, Failure> {
    if output.status == ExitStatus::Code(0) {
        return Ok(output);
    }
    let said = output.stderr_text();
    let message = format!("the store: {}", said.trim());
    Err(Failure::new(FailureClass::Machine, cause, message))
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
