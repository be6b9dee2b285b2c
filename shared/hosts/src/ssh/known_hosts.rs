//! The known_hosts files: which host keys are trusted for which machine.
//!
//! This agrees with OpenSSH (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT; `hostfile.c`): any matching key
//! makes a machine known, a revoked key is refused before anything else, and a line that cannot be
//! read is passed over. It differs in one point, to the safe side: a tab may end a marker, where
//! OpenSSH 9.2 ignores such a line, and with it the revocation.
//!
//! Lines of certificate authorities are read, but no host certificate is asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use russh::keys::key::parse_public_key;

use super::pattern;
use crate::address::{DEFAULT_PORT, SshAddress};
use crate::error::HostError;
use crate::host_key::HostKey;

/// What a line says about its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// The key of the machine itself.
    None,
    /// `@revoked`: the key must never be accepted.
    Revoked,
    /// `@cert-authority`: the key signs host certificates.
    CertAuthority,
}

/// One line that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file.
    pub file: Arc<Path>,
    /// The line, from 1.
    pub line: usize,
    /// What it says about the key.
    pub marker: Marker,
    /// The key.
    pub key: HostKey,
    hosts: String,
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
    /// The key was revoked by this line.
    Revoked(&'a Entry),
}

/// All lines of all known_hosts files.
#[derive(Debug, Clone, Default)]
pub struct KnownHosts {
    entries: Vec<Entry>,
}

impl KnownHosts {
    /// Reads the files. One that is not there is an empty one, as for OpenSSH.
    ///
    /// # Errors
    /// [`HostError::KnownHostsUnreadable`] when a file is there and cannot be read: it might revoke
    /// a key.
    pub fn load(files: &[PathBuf]) -> Result<Self, HostError> {
        let mut all = Self::default();
        for file in files {
            match std::fs::read(file) {
                Ok(text) => all.add(file, &text),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(cause) => {
                    return Err(HostError::KnownHostsUnreadable {
                        file: file.clone(),
                        cause,
                    });
                }
            }
        }
        Ok(all)
    }

    /// Adds the text of one file.
    pub fn add(&mut self, file: &Path, text: &[u8]) {
        let file: Arc<Path> = Arc::from(file);
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            // Names and keys are ASCII; only a comment may hold something else.
            let line = String::from_utf8_lossy(line);
            let number = index + 1;
            match parse_line(&line) {
                Ok(None) => {}
                Ok(Some((marker, hosts, key))) => self.entries.push(Entry {
                    file: Arc::clone(&file),
                    line: number,
                    marker,
                    key,
                    hosts: hosts.to_owned(),
                }),
                Err(cause) => tracing::debug!(
                    file = %file.display(), line = number, cause,
                    "a line of a known_hosts file is passed over"
                ),
            }
        }
    }

    /// The lines that name a machine, which is written as
    /// [`known_hosts_name`](SshAddress::known_hosts_name) gives it.
    pub fn entries_for<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries
            .iter()
            .filter(move |entry| pattern::names(&entry.hosts, name))
    }

    /// Judges the key that a machine offers.
    #[must_use]
    pub fn check(&self, address: &SshAddress, key: &HostKey) -> Verdict<'_> {
        let verdict = self.check_name(&address.known_hosts_name(), key);
        if verdict != Verdict::Unknown || address.port() == DEFAULT_PORT {
            return verdict;
        }
        // As OpenSSH does: a line without a port speaks for all ports, but only to say yes. Its
        // other key says nothing about another server on the same machine.
        match self.check_name(address.host(), key) {
            Verdict::Changed(_) => Verdict::Unknown,
            verdict => verdict,
        }
    }

    fn check_name(&self, name: &str, key: &HostKey) -> Verdict<'_> {
        let mut verdict = Verdict::Unknown;
        for entry in self
            .entries
            .iter()
            .filter(|entry| pattern::names(&entry.hosts, name))
        {
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

    /// The algorithms of the keys that are known for a machine, in the order of the lines.
    ///
    /// The server has to be asked for these first: otherwise it offers its favourite, and a machine
    /// known by another of its keys would seem to have changed.
    #[must_use]
    pub fn algorithms(&self, address: &SshAddress) -> Vec<&str> {
        let of = |name: &str| {
            let mut algorithms = Vec::new();
            for entry in &self.entries {
                let algorithm = entry.key.algorithm();
                if entry.marker == Marker::None
                    && !algorithms.contains(&algorithm)
                    && pattern::names(&entry.hosts, name)
                {
                    algorithms.push(algorithm);
                }
            }
            algorithms
        };
        let known = of(&address.known_hosts_name());
        if known.is_empty() {
            of(address.host())
        } else {
            known
        }
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

fn parse_line(line: &str) -> Result<Option<(Marker, &str, HostKey)>, &'static str> {
    let line = line.trim_start_matches(BLANKS);
    if line.is_empty() || line == "\r" || line.starts_with('#') {
        return Ok(None);
    }
    let (marker, line) = if line.starts_with('@') {
        let (marker, rest) = line
            .split_once(BLANKS)
            .ok_or("nothing follows the marker")?;
        let marker = match marker {
            "@revoked" => Marker::Revoked,
            "@cert-authority" => Marker::CertAuthority,
            _ => return Err("the marker is unknown"),
        };
        (marker, rest.trim_start_matches(BLANKS))
    } else {
        (Marker::None, line)
    };
    if line.starts_with('@') {
        return Err("there are two markers");
    }
    let (hosts, rest) = line.split_once(BLANKS).ok_or("there is no key")?;
    let (algorithm, rest) = rest
        .trim_start_matches(BLANKS)
        .split_once(BLANKS)
        .ok_or("the key is cut off")?;
    let text = rest.trim_start_matches(BLANKS);
    let text = text.split(BLANKS).next().unwrap_or_default();
    // The base64 reader of OpenSSH passes over white space, so a carriage return does no harm.
    let blob = STANDARD
        .decode(text.trim_end_matches('\r'))
        .map_err(|_| "the key is not base64")?;
    parse_public_key(&blob).map_err(|_| "the key is not one")?;
    let key = HostKey::from_blob(blob).ok_or("the key is not one")?;
    if key.algorithm() != algorithm {
        return Err("the key is of another algorithm than the line says");
    }
    Ok(Some((marker, hosts, key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::HostAddress;

    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ52puESjCBD3uwGgs/wQp21zFbNCwTPfrcIqK0yyYCA";
    const OTHER: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAR94eT2jL1Di7qNeNXQGumbTNaFE6kl1cmpo2BeaFZ1";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBN360RuMQFJgmhOrtWMXbZGWUyLBo3lj26WkELAUwcQxk8O3ZBF7/ozfKkP5+vVA4tN4muLgBhOTmy6fjoovUbk=";

    fn key(text: &str) -> HostKey {
        let (_, blob) = text.split_once(' ').unwrap();
        HostKey::from_blob(STANDARD.decode(blob).unwrap()).unwrap()
    }

    fn verdict(text: &str, address: &str, offered: &str) -> String {
        let mut known = KnownHosts::default();
        known.add(Path::new("known_hosts"), text.as_bytes());
        let HostAddress::Ssh(address) = address.parse().unwrap() else {
            panic!("not ssh")
        };
        match known.check(&address, &key(offered)) {
            Verdict::Known => "known".to_owned(),
            Verdict::Unknown => "unknown".to_owned(),
            Verdict::Changed(entry) => format!("changed {}", entry.line),
            Verdict::Revoked(entry) => format!("revoked {}", entry.line),
        }
    }

    #[test]
    fn any_matching_key_makes_a_machine_known() {
        let rotation = format!("web1 {OTHER}\nweb1 {ED25519}\n");
        assert_eq!(verdict(&rotation, "ssh://web1", ED25519), "known");
        assert_eq!(verdict(&rotation, "ssh://web2", ED25519), "unknown");
        assert_eq!(verdict("", "ssh://web1", ED25519), "unknown");
    }

    #[test]
    fn another_key_is_a_change_and_the_closest_line_is_named() {
        let text = format!("# a comment\nweb1 {ECDSA}\nweb1 {OTHER}\n");
        assert_eq!(verdict(&text, "ssh://web1", ED25519), "changed 3");
        assert_eq!(
            verdict(&format!("web1 {ECDSA}"), "ssh://web1", ED25519),
            "changed 1"
        );
    }

    #[test]
    fn a_revoked_key_is_refused_wherever_its_line_stands() {
        for text in [
            format!("@revoked * {ED25519}\nweb1 {ED25519}\n"),
            format!("web1 {ED25519}\n@revoked\tweb1\t{ED25519}\n"),
            format!("web1 {ED25519}\n  @revoked   web1 {ED25519} why\r\n"),
        ] {
            assert!(
                verdict(&text, "ssh://web1", ED25519).starts_with("revoked"),
                "{text}"
            );
        }
        let other = format!("@revoked web1 {OTHER}\nweb1 {ED25519}\n");
        assert_eq!(verdict(&other, "ssh://web1", ED25519), "known");
    }

    #[test]
    fn a_certificate_authority_does_not_vouch_for_a_plain_key() {
        let text = format!("@cert-authority web1 {ED25519}\n");
        assert_eq!(verdict(&text, "ssh://web1", ED25519), "unknown");
    }

    #[test]
    fn a_line_without_a_port_speaks_for_all_ports_but_only_to_say_yes() {
        let text = format!("web1 {ED25519}\n");
        assert_eq!(verdict(&text, "ssh://web1:2222", ED25519), "known");
        assert_eq!(verdict(&text, "ssh://web1:2222", OTHER), "unknown");
        let text = format!("web1 {ED25519}\n[web1]:2222 {OTHER}\n");
        assert_eq!(verdict(&text, "ssh://web1:2222", ED25519), "changed 2");
        assert_eq!(
            verdict(&format!("[web1]:2222 {OTHER}\n"), "ssh://web1", OTHER),
            "unknown"
        );
    }

    #[test]
    fn tabs_carriage_returns_and_garbage_do_not_hide_a_good_line() {
        for line in [
            format!("web1\t{}", ED25519.replace(' ', "\t")),
            format!("  web1   {ED25519}   a comment"),
            format!("web1 {ED25519}\r"),
            format!(
                "web1 ssh-ed25519 AAAA!\nweb1 ssh-ed25519\nweb1\n@strange web1 {OTHER}\nweb1 {ED25519}"
            ),
            format!(
                "web1 {} \nweb1 {ED25519}",
                OTHER.replace("ssh-ed25519", "ssh-rsa")
            ),
        ] {
            assert_eq!(verdict(&line, "ssh://web1", ED25519), "known", "{line}");
        }
    }

    #[test]
    fn the_known_algorithms_are_asked_for_first() {
        let mut known = KnownHosts::default();
        let text =
            format!("web1 {ECDSA}\n@revoked web1 {OTHER}\nweb2 {OTHER}\n[web3]:24 {ECDSA}\n");
        known.add(Path::new("known_hosts"), text.as_bytes());
        let algorithms = |host, port| {
            let address = SshAddress::new("root", host, port).unwrap();
            known.algorithms(&address).join(" ")
        };
        assert_eq!(algorithms("web1", 22), "ecdsa-sha2-nistp256");
        assert_eq!(algorithms("web1", 24), "ecdsa-sha2-nistp256");
        assert_eq!(algorithms("web3", 22), "");
    }
}
