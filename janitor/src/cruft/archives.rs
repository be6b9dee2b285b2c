//! The archives of files that builds left on a builder.

use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::{ExitStatus, Host};
use gentoo_updater_runtime::ask;
use gentoo_updater_runtime::manifest::{STATE, python};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::library;

const RESTORE: &str = include_str!("machine/restore.py");
const ARCHIVES: &str = include_str!("machine/archives.py");

/// The cause of a failure: the archives of a machine cannot be read or written.
pub const UNUSABLE: &str = "CruftUnusable";

/// An archive may hold a lot.
const PATIENCE: Duration = Duration::from_secs(1800);

/// An archive of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// The run that left what is in it.
    pub run: RunId,
    /// When it was made, in seconds since 1970.
    pub made: i64,
    /// Its size in bytes.
    pub size: u64,
    /// Its file on the machine.
    pub path: String,
    /// How many files, links and folders it holds that were removed from the machine.
    pub files: u64,
    /// How many of them were restored.
    pub restored: u64,
    /// What these are, where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<Archived>,
}

/// Something that was archived and removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// Its path. Bytes that are no text, and control characters, are `\xNN`.
    pub path: String,
    /// `file`, `link` or `folder`.
    pub kind: String,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it is on the machine again.
    pub restored: bool,
}

/// What came of a restoration: if there is anything unknown or in the way, nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Paths that no archive of the run has.
    pub unknown: Vec<String>,
    /// What is there already, or cannot be replaced.
    pub in_the_way: Vec<String>,
    /// What is there again.
    pub restored: Vec<String>,
}

/// Which archives are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// These, by their [`path`](Archive::path).
    pub paths: Vec<String>,
    /// And those made before this time, in seconds since 1970.
    pub before: i64,
}

/// What of an archive is to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoration {
    /// The run that left it.
    pub run: RunId,
    /// These paths with all that is below them; all without any.
    pub paths: Option<Vec<String>>,
    /// Whether it takes the place of what is there.
    pub force: bool,
    /// Whether it is only told what would come back.
    pub dry_run: bool,
}

/// Archives of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Found {
    /// Those that are meant, the oldest first.
    pub archives: Vec<Archive>,
    /// Of each archive of the machine that cannot be read, its path and why.
    #[serde(default)]
    pub damaged: Vec<String>,
}

/// All archives of a machine.
///
/// # Errors
/// When the machine cannot be asked, or its archives not be read ([`UNUSABLE`]).
pub async fn list(host: &dyn Host) -> Result<Found, Failure> {
    call(host, "list", json!({})).await
}

/// The archives of a run, with what is in them.
///
/// # Errors
/// As [`list`].
pub async fn show(host: &dyn Host, run: RunId) -> Result<Found, Failure> {
    call(host, "show", json!({ "run": run })).await
}

/// Puts archived files back as they were, all or none.
///
/// # Errors
/// As [`list`]. Then nothing came back.
pub async fn restore(host: &dyn Host, wanted: &Restoration) -> Result<Restored, Failure> {
    let Restoration {
        run,
        paths,
        force,
        dry_run,
    } = wanted;
    let document = json!({ "run": run, "paths": paths, "force": force, "dry_run": dry_run });
    call(host, "restore", document).await
}

/// Deletes archives, and gives those that went, or would go.
///
/// # Errors
/// As [`list`].
pub async fn purge(host: &dyn Host, choice: &Choice, dry_run: bool) -> Result<Found, Failure> {
    let document = json!({ "paths": choice.paths, "before": choice.before, "dry_run": dry_run });
    call(host, "purge", document).await
}

async fn call<T: DeserializeOwned>(
    host: &dyn Host,
    what: &str,
    mut document: Value,
) -> Result<T, Failure> {
    let unusable = |words: &str| {
        let message = format!("the archives below {STATE}/cruft: {}", words.trim());
        Failure::new(FailureClass::Machine, UNUSABLE, message)
    };
    document["state"] = json!(STATE);
    let program = format!("{}{RESTORE}{ARCHIVES}", library());
    let command = python(&program, &[what], &document).timeout(PATIENCE);
    let output = ask(host, &command).await?;
    if output.status != ExitStatus::Code(0) {
        return Err(unusable(&output.stderr_text()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| unusable(&error.to_string()))
}

#[cfg(test)]
#[path = "archives_tests.rs"]
mod tests;
