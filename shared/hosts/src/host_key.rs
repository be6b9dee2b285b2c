//! A host key: the identity of a machine.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

/// The public key that an ssh server proves to hold, in the encoding of RFC 4253, section 6.6.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostKey {
    algorithm: String,
    blob: Vec<u8>,
}

impl HostKey {
    /// A key from its encoded form; `None` when that does not start with the name of an algorithm.
    #[must_use]
    pub fn from_blob(blob: Vec<u8>) -> Option<Self> {
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let algorithm = std::str::from_utf8(rest.get(..length)?).ok()?.to_owned();
        let plausible =
            !algorithm.is_empty() && algorithm.bytes().all(|byte| byte.is_ascii_graphic());
        plausible.then_some(Self { algorithm, blob })
    }

    /// The algorithm as known_hosts names it: `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa` …
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The encoded key.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// `SHA256:` and the unpadded base64 of the digest, as `ssh-keygen -l` prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!(
            "SHA256:{}",
            STANDARD_NO_PAD.encode(Sha256::digest(&self.blob))
        )
    }
}

/// The algorithm and the base64 text: the last two fields of a known_hosts line.
impl fmt::Display for HostKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {}",
            self.algorithm,
            STANDARD.encode(&self.blob)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_algorithm_is_not_a_key() {
        assert_eq!(HostKey::from_blob(vec![]), None);
        assert_eq!(HostKey::from_blob(vec![0, 0, 0, 9, b'a']), None);
        assert_eq!(HostKey::from_blob(vec![0, 0, 0, 0]), None);
        assert_eq!(HostKey::from_blob(vec![255, 255, 255, 255, b'a']), None);
        let key = HostKey::from_blob(b"\0\0\0\x0bssh-ed25519\0\0\0\0".to_vec()).unwrap();
        assert_eq!(key.algorithm(), "ssh-ed25519");
    }
}
