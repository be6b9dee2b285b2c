//! The known_hosts files: which host keys are trusted for which machine.
//!
//! This agrees with OpenSSH (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT; `hostfile.c`): any matching key
//! makes a machine known, a revoked key is refused before anything else, and a line that cannot be
//! read is passed over. It differs in one point, to the safe side: a tab may end `@revoked`, where
//! OpenSSH 9.2 ignores such a line, and with it the revocation.
//!
//! A host certificate is taken when a `@cert-authority` line for the machine names its signer, and
//! otherwise judged by the plain key in it, as `sshconnect.c` does. One that names no machine at all
//! is refused, which OpenSSH 9.2 takes for every machine: the safe side again.

pub(crate) mod line;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use line::{Entry, Marker};

use super::certificate::{CertificateProblem, HostCertificate};
use super::pattern;
use crate::address::DEFAULT_PORT;
use crate::error::HostError;
use crate::host_key::HostKey;

/// The names under which known_hosts files and certificates know a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNames {
    /// `host`, or `[host]:port` when the port is not 22.
    name: String,
    /// `host`, where the port is not 22.
    without_port: Option<String>,
    /// What a certificate has to name; never with a port.
    principal: String,
}

impl HostNames {
    /// The names of a server by its host and port (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
    #[must_use]
    pub fn of(host: &str, port: u16) -> Self {
        let host = host.to_ascii_lowercase();
        if port == DEFAULT_PORT {
            return Self::alias(&host);
        }
        Self {
            name: format!("[{host}]:{port}"),
            without_port: Some(host.clone()),
            principal: host,
        }
    }

    /// The one name that stands for host and port (ssh_config(5), HostKeyAlias).
    #[must_use]
    pub fn alias(alias: &str) -> Self {
        Self {
            name: alias.to_owned(),
            without_port: None,
            principal: alias.to_owned(),
        }
    }

    /// Whether patterns of a known_hosts file name the machine, for its own port or for any.
    fn are_named_by(&self, patterns: &str) -> bool {
        let mut names = [Some(self.name.as_str()), self.without_port.as_deref()].into_iter();
        names.any(|name| name.is_some_and(|name| pattern::names(patterns, name)))
    }

    /// What a new line of a known_hosts file names.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What the known_hosts files say about an offered key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// The key belongs to the machine.
    Known,
    /// Nothing is known about the machine.
    Unknown,
    /// Other keys are known; this is the closest one.
    Changed(&'a Entry),
    /// The key, or the authority that signed its certificate, was revoked by this line.
    Revoked(&'a Entry),
    /// The plain key is not known, and this line is for certificates of the machine, but not for
    /// this one.
    CertificateRefused(&'a Entry, CertificateProblem),
}

/// The lines of all known_hosts files, or those that name one machine.
#[derive(Debug, Clone, Default)]
pub struct KnownHosts {
    entries: Vec<Entry>,
}

impl KnownHosts {
    /// Reads what the files say of one machine: in a fleet with a file of all its keys, all other
    /// lines would be read for each machine in vain. A file that is not there is an empty one, as
    /// for OpenSSH.
    ///
    /// # Errors
    /// [`HostError::KnownHostsUnreadable`] when a file is there and cannot be read: it might revoke
    /// a key.
    pub fn load_for(names: &HostNames, files: &[PathBuf]) -> Result<Self, HostError> {
        let mut found = Self::default();
        for file in files {
            match std::fs::read(file) {
                Ok(text) => found.add_where(file, &text, |hosts| names.are_named_by(hosts)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(cause) => {
                    return Err(HostError::KnownHostsUnreadable {
                        file: file.clone(),
                        cause,
                    });
                }
            }
        }
        Ok(found)
    }

    /// Adds the text of one file.
    pub fn add(&mut self, file: &Path, text: &[u8]) {
        self.add_where(file, text, |_| true);
    }

    fn add_where(&mut self, file: &Path, text: &[u8], is_wanted: impl Fn(&str) -> bool) {
        let file: Arc<Path> = Arc::from(file);
        for (index, bytes) in text.split(|&byte| byte == b'\n').enumerate() {
            // Names and keys are ASCII; only a comment may hold something else.
            let text = String::from_utf8_lossy(bytes);
            let number = index + 1;
            let read = line::parse(&text).and_then(|line| {
                let Some(line) = line.filter(|line| is_wanted(line.hosts)) else {
                    return Ok(None);
                };
                Ok(Some(Entry {
                    file: Arc::clone(&file),
                    line: number,
                    marker: line.marker,
                    key: line::key(line.key)?,
                    hosts: line.hosts.to_owned(),
                }))
            });
            match read {
                Ok(entry) => self.entries.extend(entry),
                Err(cause) => tracing::debug!(
                    file = %file.display(), line = number, cause,
                    "a line of a known_hosts file is passed over"
                ),
            }
        }
    }

    /// All lines that could be read, in their order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The lines that name a machine, written as [`HostNames::name`] gives it.
    pub fn entries_for<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Entry> {
        self.entries
            .iter()
            .filter(move |entry| pattern::names(&entry.hosts, name))
    }

    /// Judges the plain key that a machine offers.
    #[must_use]
    pub fn check(&self, names: &HostNames, key: &HostKey) -> Verdict<'_> {
        let verdict = self.check_name(&names.name, key);
        let (Verdict::Unknown, Some(without_port)) = (&verdict, &names.without_port) else {
            return verdict;
        };
        // As OpenSSH does: a line without a port speaks for all ports, but only to say yes. Its
        // other key says nothing about another server on the same machine.
        match self.check_name(without_port, key) {
            Verdict::Changed(_) => Verdict::Unknown,
            verdict => verdict,
        }
    }

    /// Judges the certificate that a machine offers, at a time in seconds since 1970.
    #[must_use]
    pub fn check_certificate(
        &self,
        names: &HostNames,
        certificate: &HostCertificate,
        now: u64,
    ) -> Verdict<'_> {
        let revokes = |entry: &&Entry| {
            entry.marker == Marker::Revoked
                && (entry.key == certificate.key || entry.key == certificate.authority)
        };
        if let Some(entry) = self.entries_for(&names.name).find(revokes) {
            return Verdict::Revoked(entry);
        }
        let authorities = || {
            self.entries_for(&names.name)
                .filter(|entry| entry.marker == Marker::CertAuthority)
        };
        let signer = authorities().find(|entry| entry.key == certificate.authority);
        let refused = match (signer, authorities().next()) {
            (Some(entry), _) => match certificate.problem(&names.principal, now) {
                None => return Verdict::Known,
                Some(problem) => Some((entry, problem)),
            },
            (None, Some(entry)) => Some((entry, CertificateProblem::OtherAuthority)),
            (None, None) => None,
        };
        if let (None, Some(without_port)) = (&refused, &names.without_port) {
            let without_port = HostNames::alias(without_port);
            if self.check_certificate(&without_port, certificate, now) == Verdict::Known {
                return Verdict::Known;
            }
        }
        match (self.check(names, &certificate.key), refused) {
            (Verdict::Unknown, Some((entry, problem))) => {
                Verdict::CertificateRefused(entry, problem)
            }
            (verdict, _) => verdict,
        }
    }

    fn check_name(&self, name: &str, key: &HostKey) -> Verdict<'_> {
        let mut verdict = Verdict::Unknown;
        for entry in self.entries.iter() {
            if !pattern::names(&entry.hosts, name) {
                continue;
            }
            let same = entry.key == *key;
            match (entry.marker, &verdict) {
                (Marker::Revoked, _) if same => return Verdict::Revoked(entry),
                (Marker::Revoked | Marker::CertAuthority, _) | (Marker::None, Verdict::Known) => {}
                (Marker::None, _) if same => verdict = Verdict::Known,
                (Marker::None, Verdict::Changed(closest))
                    if closest.key.algorithm() == key.algorithm() => {}
                (Marker::None, Verdict::Changed(_)) if entry.key.algorithm() != key.algorithm() => {
                }
                (Marker::None, _) => verdict = Verdict::Changed(entry),
            }
        }
        verdict
    }

    /// The algorithms of the plain keys that are known for a machine.
    ///
    /// The server has to be asked for these first: otherwise it offers its favourite, and a machine
    /// known by another of its keys would seem to have changed. Lines without a port do not count
    /// for a server on another port, as for OpenSSH: the machine has another server as well, whose
    /// keys these may be.
    #[must_use]
    pub fn algorithms(&self, names: &HostNames) -> Vec<&str> {
        self.entries
            .iter()
            .filter(|entry| {
                entry.marker == Marker::None && pattern::names(&entry.hosts, &names.name)
            })
            .map(|entry| entry.key.algorithm())
            .collect()
    }

    /// Which kinds of certificates a server is to be asked for; an empty list means all kinds, and
    /// `None` that nothing here concerns certificates of this machine.
    #[must_use]
    pub fn certificate_algorithms(&self, names: &HostNames) -> Option<Vec<&str>> {
        let any = |name: &str, markers: &[Marker]| {
            self.entries_for(name)
                .any(|entry| markers.contains(&entry.marker))
        };
        if any(&names.name, &[Marker::CertAuthority]) {
            return Some(Vec::new());
        }
        // An authority may also be revoked, and then a known key does not save who still shows its
        // certificate. But no certificate may hide a plain key of a kind that is known.
        let without_port = names.without_port.as_deref();
        let concerned = any(&names.name, &[Marker::Revoked])
            || without_port
                .is_some_and(|name| any(name, &[Marker::CertAuthority, Marker::Revoked]));
        concerned.then(|| self.algorithms(names))
    }
}

#[cfg(test)]
mod tests;
