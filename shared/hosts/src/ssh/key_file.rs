//! A file with a private key, or what can be known of it without its passphrase.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use russh::keys::{PrivateKey, PublicKey, decode_secret_key};

/// What a file gives to log in with.
pub(super) enum KeyFile {
    /// The key itself.
    Private(Box<PrivateKey>),
    /// The key is encrypted, or not there; the agent may hold it.
    Public(Box<PublicKey>, &'static str),
    /// Nothing, and why.
    Nothing(String),
    /// There is no such file.
    Missing,
}

impl KeyFile {
    /// Reads a small file in place: to have a thread wait for it takes longer.
    pub(super) fn read(file: &Path) -> Self {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return match public_half(file) {
                    Some(key) => Self::Public(Box::new(key), "is there as a public key only"),
                    None => Self::Missing,
                };
            }
            Err(error) => return Self::Nothing(format!("cannot be read: {error}")),
        };
        // IdentityFile may name the public half of a key that an agent holds.
        if let Ok(key) = PublicKey::from_openssh(text.trim()) {
            return Self::Public(Box::new(key), "is a public key");
        }
        match decode_secret_key(&text, None) {
            Ok(key) => Self::Private(Box::new(key)),
            Err(russh::keys::Error::KeyIsEncrypted) => {
                // OpenSSH's form has the public half in the clear, older ones have not.
                let inside = PrivateKey::from_openssh(&text).ok();
                let key = match inside.map(|key| key.public_key().clone()) {
                    Some(key) => Some(key),
                    None => public_half(file),
                };
                match key {
                    Some(key) => Self::Public(Box::new(key), "is encrypted"),
                    None => Self::Nothing("is encrypted, and its .pub is not there".to_owned()),
                }
            }
            Err(error) => Self::Nothing(format!("is not a private key: {error}")),
        }
    }
}

fn public_half(file: &Path) -> Option<PublicKey> {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    let text = fs::read_to_string(name).ok()?;
    PublicKey::from_openssh(text.trim()).ok()
}
