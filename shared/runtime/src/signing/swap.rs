//! Signed copies take the place of binaries of a store.

use std::path::Path;
use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::StorePath;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::build_key::HexDigest;
use serde::Serialize;

use super::SignedFile;
use crate::machines::ask;
use crate::store::{INDEX, LOCK_PATIENCE, LOCKED, under_lock};

const PROGRAM: &str = include_str!("swap.py");

/// Whether somebody began it and did not end it: a file in that folder which is no copy. $1 the folder
const BEGUN: &str = r#"
for file in "$1"/*.json "$1"/entries.kept; do
    [ ! -e "$file" ] || exit 0
done
exit 1
"#;

const FOLDER: &str = ".gentoo-updater/signing";

/// A copy that is to take the place of a binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Swap {
    /// The digest of its build key, by which its record is named.
    pub digest: HexDigest,
    /// The binary.
    pub path: StorePath,
    /// SHA-256 of that of which the copy was made.
    pub before: HexDigest,
    /// The copy, which lies where [`copy_of`] says.
    pub signed: SignedFile,
}

/// Where the copy of a binary is made, below the store.
pub fn copy_of(digest: &HexDigest) -> String {
    format!("{FOLDER}/{digest}.gpkg.tar")
}

/// Puts copies in their places, and ends what somebody else began. A binary that is another one by now
/// stays as it is. Gives how many were put.
///
/// # Errors
/// When the lock cannot be had, or the store not be written. Nothing is lost then, and whoever comes
/// next ends it.
pub async fn swap(host: &dyn Host, store: &Path, copies: &[Swap]) -> Result<u64, Failure> {
    swap_within(host, store, copies, LOCK_PATIENCE).await
}

/// As [`swap`], where the lock is not waited for longer than so.
///
/// # Errors
/// As [`swap`].
pub async fn swap_within(
    host: &dyn Host,
    store: &Path,
    copies: &[Swap],
    patience: Duration,
) -> Result<u64, Failure> {
    let unclear = |what: String| {
        let message = format!("what was signed in {} is not told: {what}", store.display());
        Failure::new(FailureClass::Machine, "StoreUnwritable", message)
    };
    let input = serde_json::to_vec(copies).map_err(|error| unclear(error.to_string()))?;
    let program = format!("{INDEX}{PROGRAM}");
    let command = under_lock("swap", store, &program, patience, []).stdin(input);
    let output = ask(host, &command).await?;
    let cause = match output.status {
        ExitStatus::Code(0) => {
            let text = output.stdout_text();
            return text.trim().parse().map_err(|_| unclear(text));
        }
        ExitStatus::Code(31) => LOCKED,
        ExitStatus::Code(32) => "StoreIndexBroken",
        _ => "StoreUnwritable",
    };
    let message = format!("the store: {}", output.stderr_text().trim());
    Err(Failure::new(FailureClass::Machine, cause, message))
}

/// Ends what somebody began and did not end: until then a file can be another one than its record
/// says. Gives whether there was anything.
///
/// # Errors
/// As [`swap`].
pub async fn settle(host: &dyn Host, store: &Path) -> Result<bool, Failure> {
    let folder = store.join(FOLDER).display().to_string();
    let begun = ask(host, &Command::shell("begun", BEGUN, [folder])).await?;
    if begun.status != ExitStatus::Code(0) {
        return Ok(false);
    }
    swap(host, store, &[]).await.map(|_| true)
}

#[cfg(test)]
#[path = "swap_tests.rs"]
mod tests;
