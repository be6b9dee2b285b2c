//! Certificates that a user logs in with: those that `CertificateFile` names, and where it names none
//! for each identity file `FILE` the one in `FILE-cert.pub` (ssh_config(5), CertificateFile).

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use russh::keys::{Certificate, PublicKey};

use super::target::Target;

/// A certificate, and where it was found.
pub(super) struct UserCertificate {
    pub(super) name: String,
    pub(super) certificate: Certificate,
}

impl UserCertificate {
    /// Whether it is about this key.
    pub(super) fn is_of(&self, key: &PublicKey) -> bool {
        self.certificate.public_key() == key.key_data()
    }
}

/// Reads all certificates of a target. What is wrong with one of them is noted.
pub(super) fn read_all(target: &Target, notes: &mut Vec<String>) -> Vec<UserCertificate> {
    let mut found = Vec::new();
    for file in &target.certificate_files {
        match read(file) {
            Ok(Some(certificate)) => found.push(certificate),
            Ok(None) => notes.push(format!("there is no {}", file.display())),
            Err(note) => notes.push(note),
        }
    }
    let beside_identities = match target.certificate_files.is_empty() {
        true => target.identity_files.as_slice(),
        false => &[],
    };
    for file in beside_identities {
        match read(&beside(file)) {
            Ok(certificate) => found.extend(certificate),
            Err(note) => notes.push(note),
        }
    }
    found
}

fn beside(identity: &Path) -> PathBuf {
    let mut name = identity.as_os_str().to_owned();
    name.push("-cert.pub");
    PathBuf::from(name)
}

fn read(file: &Path) -> Result<Option<UserCertificate>, String> {
    let name = file.display().to_string();
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{name} cannot be read: {error}")),
    };
    match Certificate::from_openssh(text.trim()) {
        Ok(certificate) if certificate.cert_type().is_user() => {
            Ok(Some(UserCertificate { name, certificate }))
        }
        Ok(_) => Err(format!(
            "{name} is a certificate of a machine, and of no user"
        )),
        Err(error) => Err(format!("{name} is no certificate: {error}")),
    }
}
