//! Teaching host keys: what a server offers, and writing it to a known_hosts file.
//!
//! Nothing here decides: a person compares the fingerprints with those that the machine itself
//! shows (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`).

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use crate::host_key::HostKey;

use crate::address::{HostAddress, SshAddress};
use crate::error::HostError;
use crate::host::SshSettings;
use crate::ssh::known_hosts::{HostNames, KnownHosts, Marker, line};
use crate::ssh::scan;
use crate::ssh::target::resolve;

/// What a server offers.
#[derive(Debug, Clone)]
pub struct OfferedKeys {
    /// The names under which its keys have to be written.
    pub names: HostNames,
    /// The keys.
    pub keys: Vec<HostKey>,
}

/// The host keys that a server offers: ed25519, ecdsa and rsa, each where it has one. It takes one
/// handshake per algorithm, and no login.
///
/// # Errors
/// [`HostError::Unreachable`] when the server does not answer or offers none of these; whatever the
/// way to a jump host may give.
pub async fn scan_host_keys(
    address: &SshAddress,
    settings: &SshSettings,
) -> Result<OfferedKeys, HostError> {
    let target = resolve(address, settings).await?;
    let keys = scan::scan(&target, settings).await?;
    Ok(OfferedKeys {
        names: target.names,
        keys,
    })
}

/// Which machines an authority may vouch for: a list of patterns as a known_hosts line holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPatterns(String);

/// Why a text is not a [`HostPatterns`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} does not name hosts: names and addresses with * and ?, separated by commas, with a ! \
     before what is left out, as in *.example.net,!old.example.net"
)]
pub struct HostPatternsError(String);

impl FromStr for HostPatterns {
    type Err = HostPatternsError;

    fn from_str(text: &str) -> Result<Self, HostPatternsError> {
        let is_pattern = |pattern: &str| {
            let name = pattern.strip_prefix('!').unwrap_or(pattern);
            let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"*?.-_:[]".contains(&byte);
            !name.is_empty() && name.bytes().all(is_good)
        };
        if text.split(',').all(is_pattern) {
            Ok(Self(text.to_owned()))
        } else {
            Err(HostPatternsError(text.to_owned()))
        }
    }
}

/// Why a file is not the public key of an authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// It cannot be read.
    #[error("{} cannot be read: {cause}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// It holds something else.
    #[error("{} is not the public key of an authority: {cause}", file.display())]
    NotOne {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        cause: &'static str,
    },
}

/// Reads the public key of a certificate authority, as `ssh-keygen` writes it (`ca.pub`).
///
/// # Errors
/// [`AuthorityError`].
pub fn read_authority(file: &Path) -> Result<HostKey, AuthorityError> {
    let text = std::fs::read_to_string(file).map_err(|cause| AuthorityError::Unreadable {
        file: file.to_owned(),
        cause,
    })?;
    let not_one = |cause| AuthorityError::NotOne {
        file: file.to_owned(),
        cause,
    };
    if text.contains("PRIVATE KEY") {
        return Err(not_one(
            "it is a private key; give the file with its public half, which ends in .pub",
        ));
    }
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let (Some(first), None) = (lines.next(), lines.next()) else {
        return Err(not_one("it does not hold one line"));
    };
    let key = line::key(first).map_err(not_one)?;
    if key.algorithm().contains("-cert-") {
        return Err(not_one("it is a certificate"));
    }
    Ok(key)
}

/// Appends one line per key for this machine to a known_hosts file. A key that the file has already
/// for this machine is not written again; lines that are there are never changed.
///
/// The file is made with mode 0600 and its folder with 0700 where they are missing, and it is on
/// the disk when this returns. It gives how many lines were written.
///
/// # Errors
/// [`HostError::Io`] when the file cannot be written.
pub fn append(path: &Path, names: &HostNames, keys: &[HostKey]) -> Result<usize, HostError> {
    write(path, |known| {
        let name = names.name();
        let is_new = |key: &&HostKey| {
            !known
                .entries_for(name)
                .any(|entry| entry.marker == Marker::None && entry.key == **key)
        };
        let new = keys.iter().filter(is_new);
        new.map(|key| format!("{name} {key}\n")).collect()
    })
}

/// Appends the line by which an authority may vouch for machines, unless the file has it. All else
/// is as with [`append`].
///
/// # Errors
/// [`HostError::Io`] when the file cannot be written.
pub fn append_authority(
    path: &Path,
    hosts: &HostPatterns,
    authority: &HostKey,
) -> Result<usize, HostError> {
    write(path, |known| {
        let is_there = known.entries().iter().any(|entry| {
            entry.marker == Marker::CertAuthority
                && entry.key == *authority
                && entry.hosts == hosts.0
        });
        let line = format!("@cert-authority {} {authority}\n", hosts.0);
        if is_there { Vec::new() } else { vec![line] }
    })
}

fn write(
    path: &Path,
    new_lines: impl FnOnce(&KnownHosts) -> Vec<String>,
) -> Result<usize, HostError> {
    write_lines(path, new_lines).map_err(|cause| HostError::Io {
        address: HostAddress::Local,
        what: "write the known_hosts file",
        cause,
    })
}

fn write_lines(
    path: &Path,
    new_lines: impl FnOnce(&KnownHosts) -> Vec<String>,
) -> std::io::Result<usize> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    // Two at once must not both find the last line without its end, nor write a key twice.
    file.lock()?;
    let mut present = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut present)?;
    let mut known = KnownHosts::default();
    known.add(path, &present);

    let lines = new_lines(&known);
    if !lines.is_empty() {
        let mut text = lines.concat();
        if present.last().is_some_and(|&byte| byte != b'\n') {
            text.insert(0, '\n');
        }
        // In one write, so that a reader sees whole lines.
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // The name of a new file is on the disk only with its folder.
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn key(last: u8) -> HostKey {
        let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
        blob.extend([last; 32]);
        HostKey::from_blob(blob).unwrap()
    }

    #[test]
    fn a_new_file_is_private_and_a_key_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ssh/known_hosts");
        let names = HostNames::of("web1", 2222);
        assert_eq!(append(&path, &names, &[key(1), key(2)]).unwrap(), 2);
        assert_eq!(append(&path, &names, &[key(2), key(3)]).unwrap(), 1);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(
            text.lines()
                .all(|line| line.starts_with("[web1]:2222 ssh-ed25519 AAAA"))
        );
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[test]
    fn a_last_line_without_its_end_is_not_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known_hosts");
        std::fs::write(&path, "# mine").unwrap();
        append(&path, &HostNames::of("web1", 22), &[key(1)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# mine\nweb1 ssh-ed25519 "), "{text}");
    }

    #[test]
    fn an_authority_is_written_once_for_the_machines_it_is_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known_hosts");
        let all = "*".parse().unwrap();
        assert_eq!(append_authority(&path, &all, &key(1)).unwrap(), 1);
        assert_eq!(append_authority(&path, &all, &key(1)).unwrap(), 0);
        let some = "*.example.net,!old.example.net".parse().unwrap();
        assert_eq!(append_authority(&path, &some, &key(1)).unwrap(), 1);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("@cert-authority * ssh-ed25519 AAAA"),
            "{text}"
        );
        // Its key is no key of the machines.
        assert_eq!(
            append(&path, &HostNames::of("web1", 22), &[key(1)]).unwrap(),
            1
        );
    }

    #[test]
    fn what_names_no_hosts_is_refused() {
        for text in ["", "a,", "a b", "*,!", "a\n@revoked", "|1|x|y", "#a", "@a"] {
            assert!(text.parse::<HostPatterns>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_a_public_key_is_an_authority() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca");
        let good = "ssh-ed25519 \
            AAAAC3NzaC1lZDI1NTE5AAAAIJ52puESjCBD3uwGgs/wQp21zFbNCwTPfrcIqK0yyYCA";
        std::fs::write(&path, format!("{good} the authority\n")).unwrap();
        assert_eq!(read_authority(&path).unwrap().to_string(), good);
        for (text, cause) in [
            ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "ends in .pub"),
            ("", "one line"),
            ("ssh-ed25519 AAAA\n", "not one"),
            ("ssh-ed25519\n", "cut off"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read_authority(&path).unwrap_err().to_string();
            assert!(error.contains(cause), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        let error = read_authority(&path).unwrap_err();
        assert!(
            matches!(error, AuthorityError::Unreadable { .. }),
            "{error}"
        );
    }
}
