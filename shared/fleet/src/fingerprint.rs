//! The fingerprint of a key that signs binaries.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The fingerprint of an OpenPGP key: 40 hexadecimal digits, or 64 of a key of version 5 or 6
/// (RFC 9580, 5.5.4). Two that are equal in other letters are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(String);

/// A text that is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no fingerprint of a key: that has 40 or 64 hexadecimal digits")]
pub struct InvalidFingerprint(String);

impl Fingerprint {
    /// The digits, in capital letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let is_one =
            matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match is_one {
            true => Ok(Self(text.to_ascii_uppercase())),
            false => Err(InvalidFingerprint(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = InvalidFingerprint;

    fn try_from(text: String) -> Result<Self, InvalidFingerprint> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_of_a_whole_key_are_a_fingerprint_and_nothing_else_is() {
        let lower = "39bb337317cc843d42e1bf6263136f93cb577c76";
        let fingerprint: Fingerprint = lower.parse().unwrap();
        assert_eq!(fingerprint.as_str(), lower.to_ascii_uppercase());
        assert!("0".repeat(64).parse::<Fingerprint>().is_ok());
        for text in ["", "63136F93CB577C76", &lower.replace('3', "g"), "--force"] {
            let error = text.parse::<Fingerprint>().unwrap_err();
            assert!(error.to_string().contains("40 or 64"), "{error}");
        }
    }
}
