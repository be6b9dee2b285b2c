//! Teaching host keys: what a server offers, and writing it to a known_hosts file.
//!
//! Nothing here decides: a person compares the fingerprints with those that the machine itself
//! shows (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`).

use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

pub use crate::host_key::HostKey;

use crate::address::{HostAddress, SshAddress};
use crate::error::HostError;
use crate::ssh::scan;

/// How long one handshake of [`scan_host_keys`] may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The host keys that a server offers: ed25519, ecdsa and rsa, each where it has one. It takes one
/// handshake per algorithm, and no login.
///
/// # Errors
/// [`HostError::Unreachable`] when the server does not answer or offers none of these.
pub async fn scan_host_keys(address: &SshAddress) -> Result<Vec<HostKey>, HostError> {
    scan::scan(address, TIMEOUT).await
}

/// Appends one line per key for this machine to a known_hosts file. A key that the file has already
/// for this machine is not written again; lines that are there are never changed.
///
/// The file is made with mode 0600 and its folder with 0700 where they are missing, and it is on
/// the disk when this returns.
///
/// # Errors
/// [`HostError::Io`] when the file cannot be written.
pub fn append(path: &Path, address: &SshAddress, keys: &[HostKey]) -> Result<(), HostError> {
    write(path, address, keys).map_err(|cause| HostError::Io {
        address: HostAddress::Ssh(address.clone()),
        what: "write the known_hosts file",
        cause,
    })
}

fn write(path: &Path, address: &SshAddress, keys: &[HostKey]) -> std::io::Result<()> {
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
    let mut known = crate::ssh::known_hosts::KnownHosts::default();
    known.add(path, &present);

    let name = address.known_hosts_name();
    let mut lines = String::new();
    if present.last().is_some_and(|&byte| byte != b'\n') {
        lines.push('\n');
    }
    let old_length = lines.len();
    for key in keys {
        let has = |entry: &crate::ssh::known_hosts::Entry| {
            entry.marker == crate::ssh::known_hosts::Marker::None && entry.key == *key
        };
        if !known.entries_for(&name).any(has) {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{name} {key}");
        }
    }
    if lines.len() > old_length {
        // In one write, so that a reader sees whole lines.
        file.write_all(lines.as_bytes())?;
        file.sync_all()?;
        // The name of a new file is on the disk only with its folder.
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
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
        let address = SshAddress::new("root", "web1", 2222).unwrap();
        append(&path, &address, &[key(1), key(2)]).unwrap();
        append(&path, &address, &[key(2), key(3)]).unwrap();
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
        append(
            &path,
            &SshAddress::new("root", "web1", 22).unwrap(),
            &[key(1)],
        )
        .unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# mine\nweb1 ssh-ed25519 "), "{text}");
    }
}
