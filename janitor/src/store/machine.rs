//! A store on the machine where it can be written.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::StorePath;
use gentoo_updater_hosts::{Command, ExitStatus, Host, Output};
use gentoo_updater_portage::build_key::HexDigest;
use gentoo_updater_runtime::ask;
use gentoo_updater_runtime::store::{INDEX, LOCK, LOCK_PATIENCE, LOCK_SILENCE};
use serde::{Deserialize, Serialize};

use super::catalog::{Catalog, Stored};
use super::collect::Decision;

/// What builders have written about binaries, as functions in Python.
pub(super) const NOTES: &str = include_str!("notes.py");
const LOOK: &str = include_str!("look.sh");
const ORPHANS: &str = include_str!("orphans.py");
const COLLECT: &str = include_str!("collect.sh");
const COLLECT_PROGRAM: &str = include_str!("collect.py");

/// How long a look at a store or the deletion of what goes may take beside.
pub(super) const PATIENCE: Duration = Duration::from_secs(900);

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// How many binaries went.
    pub binaries: u64,
    /// How many records went.
    pub records: u64,
    /// How many other files went.
    pub files: u64,
    /// How many bytes all of them took.
    pub bytes: u64,
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
/// is no trouble.
///
/// # Errors
/// When the lock cannot be had, or the store not be written. Everything that the index names is
/// there all the same.
pub async fn carry_out(
    host: &dyn Host,
    store: &Path,
    catalog: &Catalog,
    decision: &Decision<'_>,
) -> Result<Done, Failure> {
    let orphans = catalog.orphans.iter();
    let orphans: HashMap<&StorePath, &HexDigest> = orphans
        .map(|orphan| (&orphan.stored.path, &orphan.sha256))
        .collect();
    let binaries = decision.removals.iter().map(|removal| removal.stored);
    let binaries = binaries.map(|Stored { path, key, .. }| match orphans.get(path) {
        Some(sha256) => format!("orphan {path} {key} {sha256}\n"),
        None => format!("binary {path} {key}\n"),
    });
    let records = catalog.without_file.iter();
    let records = records.map(|digest| format!("record {digest}\n"));
    let files = decision
        .junk
        .iter()
        .map(|junk| format!("file {}\n", junk.path));
    let input: String = binaries.chain(records).chain(files).collect();
    if input.is_empty() {
        return Ok(Done::default());
    }
    let program = format!("{INDEX}{NOTES}{COLLECT_PROGRAM}");
    let command = under_lock("collect", store, &program).stdin(input);
    let output = ask(host, &command).await?;
    let cause = refused_by(&output);
    let output = succeeded(output, cause)?;
    serde_json::from_slice(&output.stdout).map_err(|error| {
        let message = format!("what was done in {} is not told: {error}", store.display());
        Failure::new(FailureClass::Machine, "StoreUnwritable", message)
    })
}

/// A program in Python that is given the store while its lock is held.
pub(super) fn under_lock(name: &str, store: &Path, program: &str) -> Command {
    let parameters = [
        store.display().to_string(),
        LOCK_PATIENCE.as_secs().to_string(),
        LOCK_SILENCE.as_secs().to_string(),
        program.to_owned(),
    ];
    Command::shell(name, &format!("{LOCK}{COLLECT}"), parameters).timeout(LOCK_PATIENCE + PATIENCE)
}

/// The cause where such a program did not succeed.
pub(super) fn refused_by(output: &Output) -> &'static str {
    match output.status {
        ExitStatus::Code(31) => "StoreLocked",
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
