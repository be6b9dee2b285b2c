//! Teaching host keys: what a server offers, and writing it to a known_hosts file.
//!
//! Nothing here decides: a person compares the fingerprints with those that the machine itself
//! shows (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`).

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use crate::host_key::HostKey;

use crate::address::{HostAddress, SshAddress};
use crate::error::HostError;
use crate::host::SshSettings;
pub use crate::ssh::known_hosts::Entry;
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
    /// The files that say which keys are known, those of ssh among them.
    pub known_hosts: Vec<PathBuf>,
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
        known_hosts: target.known_hosts,
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

/// The keys that are known for this machine, in any of these files, and that are none of these.
///
/// # Errors
/// As [`KnownHosts::load_for`].
pub fn not_among(
    keys: &[HostKey],
    names: &HostNames,
    files: &[PathBuf],
) -> Result<Vec<Entry>, HostError> {
    let known = KnownHosts::load_for(names, files)?;
    let former = known
        .entries_for(names.name())
        .filter(|entry| is_former(entry, keys));
    Ok(former.cloned().collect())
}

fn is_former(entry: &Entry, keys: &[HostKey]) -> bool {
    entry.marker == Marker::None && !keys.contains(&entry.key)
}

/// Whether a line names one machine, and not several or a pattern.
fn is_of_one(entry: &Entry, names: &HostNames) -> bool {
    entry.hosts.eq_ignore_ascii_case(names.name()) || entry.hosts.starts_with('|')
}

/// Makes these the keys of a machine in a known_hosts file: appends those that it lacks, as
/// [`append`] does, and removes the lines of this machine alone with other keys. Lines that name
/// more than this machine are never touched. It gives how many lines were written, and how many
/// removed.
///
/// # Errors
/// [`HostError::Io`] when the file cannot be written.
pub fn replace(
    path: &Path,
    names: &HostNames,
    keys: &[HostKey],
) -> Result<(usize, usize), HostError> {
    let written = append(path, names, keys)?;
    let removed = remove_former(path, names, keys).map_err(|cause| HostError::Io {
        address: HostAddress::Local,
        what: "write the known_hosts file",
        cause,
    })?;
    Ok((written, removed))
}

fn remove_former(path: &Path, names: &HostNames, keys: &[HostKey]) -> std::io::Result<usize> {
    // Whoever waits for it finds the new file.
    let (_locked, present) = open_locked(path)?;
    let mut known = KnownHosts::default();
    known.add(path, &present);
    let former = known.entries_for(names.name());
    let former = former.filter(|entry| is_former(entry, keys) && is_of_one(entry, names));
    let former: Vec<usize> = former.map(|entry| entry.line).collect();
    if former.is_empty() {
        return Ok(0);
    }
    let lines = present.split_inclusive(|&byte| byte == b'\n').enumerate();
    let kept = lines.filter(|(index, _)| !former.contains(&(index + 1)));
    let kept: Vec<u8> = kept.flat_map(|(_, line)| line).copied().collect();
    let folder = folder_of(path).unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(&kept)?;
    let mode = std::fs::metadata(path)?.permissions();
    new.as_file().set_permissions(mode)?;
    new.as_file().sync_all()?;
    new.persist(path)?;
    File::open(folder)?.sync_all()?;
    Ok(former.len())
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
    let folder = folder_of(path);
    if let Some(folder) = folder {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let (mut file, present) = open_locked(path)?;
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

fn folder_of(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
}

/// Opens the file, or makes it, and reads it. Two at once must not both find the last line without
/// its end, nor write a key twice.
fn open_locked(path: &Path) -> std::io::Result<(File, Vec<u8>)> {
    loop {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        file.lock()?;
        // Another file may have taken its place meanwhile.
        let is_there = match std::fs::metadata(path) {
            Ok(there) => {
                (there.dev(), there.ino()) == (file.metadata()?.dev(), file.metadata()?.ino())
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if !is_there {
            continue;
        }
        let mut present = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut present)?;
        return Ok((file, present));
    }
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
    fn former_keys_of_a_machine_go_and_lines_of_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known_hosts");
        let names = HostNames::of("web1", 22);
        append(&path, &names, &[key(1), key(2)]).unwrap();
        append(&path, &HostNames::of("web2", 22), &[key(1)]).unwrap();
        let more = format!("# mine\nweb1,web3 {}\n@revoked web1 {}\n", key(3), key(4));
        let before = std::fs::read_to_string(&path).unwrap() + &more;
        std::fs::write(&path, &before).unwrap();
        let offered = [key(2), key(5)];
        let former = not_among(&offered, &names, std::slice::from_ref(&path)).unwrap();
        let lines: Vec<usize> = former.iter().map(|entry| entry.line).collect();
        assert_eq!(lines, [1, 5]);
        assert_eq!(replace(&path, &names, &offered).unwrap(), (1, 1));
        let (_, rest) = before.split_once('\n').unwrap();
        let expected = format!("{rest}web1 {}\n", key(5));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(replace(&path, &names, &offered).unwrap(), (0, 0));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
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
