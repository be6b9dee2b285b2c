//! Checksums: of files, and of build keys.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::name::{NameError, validated_string};

/// A checksum in lower-case hexadecimal digits, of 32 (MD5) to 128 (SHA-512, BLAKE2B) digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HexDigest(String);

impl HexDigest {
    fn check(input: &str) -> Result<(), NameError> {
        if (32..=128).contains(&input.len()) && input.len().is_multiple_of(2) && is_lower_hex(input)
        {
            return Ok(());
        }
        let rule = "it is an even number of lower-case hexadecimal digits, 32 to 128 of them";
        Err(NameError::new("digest", input, rule))
    }

    /// The SHA-256 of `bytes`.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(sha256_hex(bytes))
    }
}

validated_string!(HexDigest, NameError);

/// A build key in one word: 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BuildKeyDigest(String);

impl BuildKeyDigest {
    fn check(input: &str) -> Result<(), NameError> {
        if input.len() == 64 && is_lower_hex(input) {
            return Ok(());
        }
        Err(NameError::new(
            "build key",
            input,
            "it is 64 lower-case hexadecimal digits",
        ))
    }

    /// The digest of a key's canonical text.
    pub(super) fn of(canonical_text: &str) -> Self {
        Self(sha256_hex(canonical_text.as_bytes()))
    }

    /// The first 12 digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

validated_string!(BuildKeyDigest, NameError);

fn is_lower_hex(input: &str) -> bool {
    input
        .bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn sha256_hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_is_that_of_the_standard() {
        assert_eq!(
            HexDigest::sha256(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for text in ["", "abc", &"A".repeat(64), &"g".repeat(64), &"0".repeat(63)] {
            assert!(text.parse::<BuildKeyDigest>().is_err(), "{text:?}");
            assert!(text.parse::<HexDigest>().is_err(), "{text:?}");
        }
        assert!("0".repeat(130).parse::<HexDigest>().is_err());
    }
}
