//! The keys of a builder on its machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gentoo_updater_fleet::fingerprint::Fingerprint;
use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_hosts::{Command, ExitStatus, Host, Output};
use gentoo_updater_portage::build_key::HexDigest;
use gentoo_updater_portage::command::{CommandLine, neutral_environment};
use serde::{Deserialize, Serialize};

use super::{HOME, Key};
use crate::emerge::in_own_environment;
use crate::machines::ask;

const KEYS: &str = concat!(include_str!("hold.sh"), include_str!("keys.sh"));
const SIGN: &str = concat!(include_str!("hold.sh"), include_str!("sign.sh"));
const SIGN_PROGRAM: &str = concat!(include_str!("../store/index.py"), include_str!("sign.py"));

/// How long the keys may be in use by somebody else: large binaries take their time.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long a question to gpg takes at most beside.
const QUESTION: Duration = Duration::from_secs(60);
/// How long binaries may be signed: they are read three times.
const SIGNING: Duration = Duration::from_secs(3600);

/// The cause of a failure: no key is there that could sign.
pub const NO_KEY: &str = "SigningKeyMissing";
/// The cause of a failure: gpg or Portage of a machine cannot sign.
pub const NO_SIGNING: &str = "SigningUnsupported";

/// What the environment of Portage is to sign: what it does of itself is off.
const FEATURES: &str = "-binpkg-request-signature -binpkg-ignore-signature -binpkg-signing";

/// The keys of a builder.
pub struct Keys<'a> {
    host: &'a dyn Host,
    home: PathBuf,
}

/// A file to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToSign {
    /// Where it is.
    pub from: PathBuf,
    /// Where the signed copy goes; the same, where it is signed in its place.
    pub to: PathBuf,
    /// What it must have as its SHA-256, where that is known.
    pub sha256: Option<HexDigest>,
    /// At which time its former signature has to be good, in seconds since 1970; now, where it is absent.
    /// A key that has expired since signed nothing after its last second.
    pub as_of: Option<u64>,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Signed {
    /// It is signed.
    Well(SignedFile),
    /// It is not.
    Not {
        /// Where it was to go.
        to: PathBuf,
        /// Why.
        error: String,
    },
}

/// A file that is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedFile {
    /// Where it is.
    pub to: PathBuf,
    /// The key by which it is signed.
    pub by: Fingerprint,
    /// Bytes.
    pub size: u64,
    /// Of the whole file, as the others.
    pub sha256: HexDigest,
    /// What an index of Portage says of it.
    pub md5: HexDigest,
    /// As well.
    pub sha1: HexDigest,
    /// When it was written, in seconds since 1970.
    pub mtime: u64,
}

impl<'a> Keys<'a> {
    /// Those of a builder, where they always are.
    pub fn of(host: &'a dyn Host) -> Self {
        Self::at(host, HOME)
    }

    /// Those in this home.
    pub fn at(host: &'a dyn Host, home: impl Into<PathBuf>) -> Self {
        let home = home.into();
        Self { host, home }
    }

    /// All of them.
    ///
    /// # Errors
    /// When gpg cannot be asked.
    pub async fn list(&self, now: u64) -> Result<Vec<Key>, Failure> {
        let output = self.gpg(&["list"]).await?;
        Key::list(&output.stdout_text(), now).map_err(|what| {
            let class = FailureClass::Machine;
            Failure::new(class, "SigningKeysNotUnderstood", what)
        })
    }

    /// Makes a key that does not sign yet. `expiry` is as gpg takes it: `2y`, `0` for never.
    ///
    /// # Errors
    /// When gpg cannot make one.
    pub async fn create(&self, name: &str, expiry: &str) -> Result<Fingerprint, Failure> {
        let output = self.gpg(&["create", name, expiry]).await?;
        let text = output.stdout_text();
        let made = text.lines().find_map(|line| line.strip_prefix("made "));
        made.and_then(|made| made.parse().ok()).ok_or_else(|| {
            let message = format!("gpg does not tell which key it made: {text:?}");
            Failure::new(FailureClass::Machine, "SigningKeysNotUnderstood", message)
        })
    }

    /// Has this key sign from now on.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub async fn put_to_use(&self, key: &Fingerprint) -> Result<(), Failure> {
        self.gpg(&["use", key.as_str()]).await.map(drop)
    }

    /// Signs something, to see whether that can be done.
    ///
    /// # Errors
    /// When it cannot: there is no key, its time is over, it has a passphrase.
    pub async fn try_to_sign(&self) -> Result<(), Failure> {
        self.gpg(&["try"]).await.map(drop)
    }

    /// The public keys as one armored block.
    ///
    /// # Errors
    /// When gpg cannot be asked.
    pub async fn export(&self, keys: &[Fingerprint]) -> Result<String, Failure> {
        let words: Vec<&str> = keys.iter().map(Fingerprint::as_str).collect();
        let output = self.gpg(&[&["export"], words.as_slice()].concat()).await?;
        Ok(output.stdout_text())
    }

    /// Makes known that a key is not to be trusted any more.
    ///
    /// # Errors
    /// When its revocation certificate is gone, or gpg refuses it.
    pub async fn revoke(&self, key: &Fingerprint) -> Result<(), Failure> {
        self.gpg(&["revoke", key.as_str()]).await.map(drop)
    }

    /// Removes a key for good.
    ///
    /// # Errors
    /// When gpg cannot do it.
    pub async fn delete(&self, key: &Fingerprint) -> Result<(), Failure> {
        self.gpg(&["delete", key.as_str()]).await.map(drop)
    }

    /// Signs files with the key that is in use. The index of `pkgdir`, where there is one, tells of
    /// them what they are then.
    ///
    /// # Errors
    /// When nothing can be signed. What is wrong with one file stands in what came of it.
    pub async fn sign(
        &self,
        files: &[ToSign],
        pkgdir: Option<&Path>,
    ) -> Result<Vec<Signed>, Failure> {
        let pkgdir = pkgdir.map_or_else(String::new, |it| it.display().to_string());
        let line = CommandLine {
            environment: neutral_environment(),
            argv: ["python3", "-c", SIGN_PROGRAM, &pkgdir]
                .map(str::to_owned)
                .into(),
        };
        let program = in_own_environment(line, &[("FEATURES", Path::new(FEATURES))]);
        let parameters = [self.home.display().to_string(), patience()];
        let input = serde_json::to_vec(files).map_err(|error| unclear(&error.to_string()))?;
        let command = Command::shell("sign", SIGN, parameters.into_iter().chain(program.argv))
            .stdin(input)
            .timeout(PATIENCE + SIGNING);
        let output = self.run(&command).await?;
        let text = output.stdout_text();
        let signed: Result<Vec<Signed>, _> = text.lines().map(serde_json::from_str).collect();
        let signed = signed.map_err(|error| unclear(&format!("{error}: {text:?}")))?;
        if signed.len() != files.len() {
            return Err(unclear(&format!(
                "{} of {} files",
                signed.len(),
                files.len()
            )));
        }
        Ok(signed)
    }

    async fn gpg(&self, words: &[&str]) -> Result<Output, Failure> {
        let own = [self.home.display().to_string(), patience()];
        let words = words.iter().map(|word| (*word).to_owned());
        let command =
            Command::shell("keys", KEYS, own.into_iter().chain(words)).timeout(PATIENCE + QUESTION);
        self.run(&command).await
    }

    async fn run(&self, command: &Command) -> Result<Output, Failure> {
        let output = ask(self.host, command).await?;
        let cause = match output.status {
            ExitStatus::Code(0) => return Ok(output),
            ExitStatus::Code(50 | 55) => NO_SIGNING,
            ExitStatus::Code(53) => NO_KEY,
            ExitStatus::Code(54) => "SigningKeysBusy",
            _ => "SigningFailed",
        };
        let said = output.stderr_text();
        let lines: Vec<&str> = said.trim().lines().collect();
        let last = lines[lines.len().saturating_sub(5)..].join("; ");
        Err(Failure::new(FailureClass::Machine, cause, last))
    }
}

fn patience() -> String {
    PATIENCE.as_secs().to_string()
}

fn unclear(what: &str) -> Failure {
    let message = format!("what was signed is not told: {what}");
    Failure::new(FailureClass::Machine, "SigningFailed", message)
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "sign_tests.rs"]
mod sign_tests;
