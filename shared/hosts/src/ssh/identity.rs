//! Logging in with key files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::client::{AuthResult, Handle, Handler};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, decode_secret_key};

use crate::address::{HostAddress, SshAddress};
use crate::error::HostError;

/// Offers the keys in their order until the server takes one.
pub(super) async fn log_in<H: Handler>(
    handle: &mut Handle<H>,
    ssh: &SshAddress,
    files: &[PathBuf],
) -> Result<(), HostError> {
    let mut notes = Vec::new();
    for file in files {
        let key = match read(file).await {
            Ok(key) => key,
            Err(note) => {
                notes.push(format!("{} {note}", file.display()));
                continue;
            }
        };
        let hash = if key.algorithm().is_rsa() {
            match handle.best_supported_rsa_hash().await {
                Ok(Some(Some(hash))) => Some(hash),
                // The server does not say: SHA-512 is what every server of this decade takes.
                Ok(None) => Some(HashAlg::Sha512),
                Ok(Some(None)) => {
                    notes.push(format!(
                        "{} is RSA, and the server takes that with SHA-1 only",
                        file.display()
                    ));
                    continue;
                }
                Err(error) => return Err(cut(ssh, &notes, &error)),
            }
        } else {
            None
        };
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
        match handle.authenticate_publickey(ssh.user(), key).await {
            Ok(AuthResult::Success) => return Ok(()),
            Ok(AuthResult::Failure {
                partial_success: true,
                ..
            }) => notes.push(format!(
                "{} is accepted, but the server wants more than a key",
                file.display()
            )),
            Ok(AuthResult::Failure { .. }) => {
                notes.push(format!(
                    "{} is not accepted for {}",
                    file.display(),
                    ssh.user()
                ));
            }
            Err(error) => return Err(cut(ssh, &notes, &error)),
        }
    }
    Err(refused(ssh, &notes))
}

/// A server may also refuse by ending the connection (sshd_config(5), MaxAuthTries); before the
/// first refusal a cut connection is only that.
fn cut(ssh: &SshAddress, notes: &[String], error: &russh::Error) -> HostError {
    if notes.iter().any(|note| note.contains("is not accepted")) {
        let mut notes = notes.to_vec();
        notes.push(format!("then the server ended the connection: {error}"));
        return refused(ssh, &notes);
    }
    HostError::Unreachable {
        address: HostAddress::Ssh(ssh.clone()),
        cause: format!("the connection was lost while logging in: {error}"),
    }
}

fn refused(ssh: &SshAddress, notes: &[String]) -> HostError {
    let cause = if notes.is_empty() {
        "no identity file is configured".to_owned()
    } else {
        notes.join("; ")
    };
    HostError::AuthenticationRefused {
        address: HostAddress::Ssh(ssh.clone()),
        cause,
    }
}

async fn read(file: &Path) -> Result<PrivateKey, String> {
    let text = tokio::fs::read_to_string(file).await.map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            "is not there".to_owned()
        } else {
            format!("cannot be read: {error}")
        }
    })?;
    decode_secret_key(&text, None).map_err(|error| match error {
        russh::keys::Error::KeyIsEncrypted => "is encrypted".to_owned(),
        error => format!("is not a private key: {error}"),
    })
}
