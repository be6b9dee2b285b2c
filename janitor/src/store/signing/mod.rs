//! Signing what a store holds already: what a former key signed, and what nobody did.
//!
//! The binary stays what it is, under its name and number; its file, its entry in the index and its
//! record change. So no run may go on meanwhile, whose orders name the former files.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gentoo_updater_fleet::fingerprint::Fingerprint;
use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::StorePath;
use gentoo_updater_hosts::{Command, ExitStatus, Host, Output};
use gentoo_updater_portage::build_key::HexDigest;
use gentoo_updater_runtime::ask;
use gentoo_updater_runtime::signing::{self, Keys, Signed, Swap, ToSign};
use serde::{Deserialize, Serialize};

use super::permitted::{self, TRY};

const PICK: &str = include_str!("pick.py");
/// How long a question or a change may take beside waiting.
const LIMIT: Duration = Duration::from_secs(900);

/// How many binaries are signed before they are put in their places.
const AT_ONCE: usize = 100;

/// How many bytes of them, where they are that many.
const BYTES_AT_ONCE: u64 = 4_000_000_000;

/// Whose binaries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whose {
    /// What these keys signed; of those that have expired since with their last second.
    pub keys: BTreeMap<Fingerprint, Option<u64>>,
    /// What nobody signed.
    pub unsigned: bool,
}

impl Whose {
    fn words(&self) -> impl Iterator<Item = String> {
        let keys = self.keys.keys().map(ToString::to_string);
        keys.chain(self.unsigned.then(|| "unsigned".to_owned()))
    }
}

/// How many binaries of a store are signed by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// By key.
    pub signed: BTreeMap<Fingerprint, u64>,
    /// By nobody.
    pub unsigned: u64,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// How many binaries are signed now that were not so before.
    pub signed: u64,
    /// Those that could not be, with the reason.
    pub refused: BTreeMap<StorePath, String>,
}

/// A binary that is to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Picked {
    /// The digest of its build key.
    digest: HexDigest,
    path: StorePath,
    sha256: HexDigest,
    size: u64,
    /// Who has signed it.
    by: Option<Fingerprint>,
}

/// Counts the binaries of a store by their signatures.
///
/// # Errors
/// When the store cannot be read.
pub async fn count(host: &dyn Host, store: &Path) -> Result<Count, Failure> {
    let (_, count) = pick(host, store, &Whose::default(), None).await?;
    Ok(count)
}

/// Signs with the key that is in use what these signed. `tell` hears how many are done so far, and
/// `permitted` is asked just before some are put in their places.
///
/// # Errors
/// When nothing can be signed, the store not be written, or that is not permitted any more: what was done
/// until then is done, and nothing is half done.
pub async fn sign_anew<Asked>(
    host: &dyn Host,
    keys: &Keys<'_>,
    store: &Path,
    whose: &Whose,
    tell: impl Fn(&Done),
    permitted: impl Fn() -> Asked,
) -> Result<Done, Failure>
where
    Asked: Future<Output = Result<(), Failure>>,
{
    // What another one began and did not end.
    signing::swap(host, store, &[]).await?;
    let mut done = Done::default();
    let mut behind = None;
    loop {
        let (mut picked, _) = pick(host, store, whose, behind.as_ref()).await?;
        let Some(_) = picked.first() else {
            return Ok(done);
        };
        let mut bytes = 0;
        let fits = picked.iter().take_while(|one| {
            bytes += one.size;
            bytes <= BYTES_AT_ONCE
        });
        let fits = fits.count().max(1);
        picked.truncate(fits);
        behind = picked.last().map(|last| last.digest.clone());
        let files: Vec<ToSign> = picked
            .iter()
            .map(|one| to_sign(store, one, whose))
            .collect();
        let signed = keys.sign(&files, None).await?;
        let mut copies = Vec::new();
        for (one, signed) in picked.iter().zip(&signed) {
            match signed {
                Signed::Well(signed) => copies.push(Swap {
                    digest: one.digest.clone(),
                    path: one.path.clone(),
                    before: one.sha256.clone(),
                    signed: signed.clone(),
                }),
                Signed::Not { error, .. } => {
                    done.refused.insert(one.path.clone(), error.clone());
                }
            }
        }
        let attempt = || signing::swap_within(host, store, &copies, TRY);
        done.signed += permitted::write(&permitted, attempt).await?;
        tell(&done);
    }
}

fn to_sign(store: &Path, one: &Picked, whose: &Whose) -> ToSign {
    ToSign {
        from: one.path.below(store),
        to: store.join(signing::copy_of(&one.digest)),
        sha256: Some(one.sha256.clone()),
        as_of: one.by.as_ref().and_then(|by| *whose.keys.get(by)?),
    }
}

async fn pick(
    host: &dyn Host,
    store: &Path,
    whose: &Whose,
    behind: Option<&HexDigest>,
) -> Result<(Vec<Picked>, Count), Failure> {
    let behind = behind.map_or_else(String::new, ToString::to_string);
    let command = Command::new("python3")
        .args(["-c", PICK])
        .arg(store.display().to_string())
        .args([AT_ONCE.to_string(), behind])
        .args(whose.words())
        .timeout(LIMIT);
    let output = succeeded(ask(host, &command).await?, "StoreUnreadable")?;
    let text = output.stdout_text();
    let lines: Vec<&str> = text.lines().collect();
    let (count, picked) = lines.split_last().ok_or_else(|| unclear("nothing"))?;
    let count = serde_json::from_str(count).map_err(|error| unclear(&error.to_string()))?;
    let picked: Result<Vec<Picked>, _> = picked
        .iter()
        .map(|line| serde_json::from_str(line))
        .collect();
    let picked = picked.map_err(|error| unclear(&error.to_string()))?;
    Ok((picked, count))
}

fn succeeded(output: Output, cause: &str) -> Result<Output, Failure> {
    if output.status == ExitStatus::Code(0) {
        return Ok(output);
    }
    let message = format!("the store: {}", output.stderr_text().trim());
    Err(Failure::new(FailureClass::Machine, cause, message))
}

fn unclear(what: &str) -> Failure {
    let message = format!("what the store holds is not told: {what}");
    Failure::new(FailureClass::Machine, "StoreUnreadable", message)
}

#[cfg(test)]
mod tests;
