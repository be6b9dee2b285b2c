//! The kernel that modules are built for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::HexDigest;
use crate::name::{NameError, validated_string};

/// The release of a kernel, `6.6.30-gentoo` (`uname -r`, `include/config/kernel.release`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KernelRelease(String);

impl KernelRelease {
    fn check(input: &str) -> Result<(), NameError> {
        let permitted = |byte: u8| byte.is_ascii_alphanumeric() || b"._+~-".contains(&byte);
        let is_name = input.starts_with(|first: char| first.is_ascii_digit());
        if is_name && input.len() <= 64 && input.bytes().all(permitted) {
            return Ok(());
        }
        let rule = "it is at most 64 of [A-Za-z0-9._+~-] and begins with a digit";
        Err(NameError::new("release of a kernel", input, rule))
    }
}

validated_string!(KernelRelease, NameError);

/// What a module must have been built for to be loaded: it is refused, or does harm, in a kernel of
/// another release, and in one of the same release with another configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Kernel {
    /// Its release.
    pub release: KernelRelease,
    /// The digest of its configuration; absent where the machine does not have it.
    pub configuration: Option<HexDigest>,
}

/// As in `6.6.30-gentoo, configuration 5d41402abc4b`.
impl fmt::Display for Kernel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.configuration.as_ref().map(HexDigest::as_str);
        let digest = digest.map_or("unknown", |digest| digest.get(..12).unwrap_or(digest));
        write!(formatter, "{}, configuration {digest}", self.release)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_one_word_and_a_kernel_is_told_with_its_configuration() {
        for bad in ["", "-6", "6.6 30", "6;reboot", "../6", "linux"] {
            assert!(bad.parse::<KernelRelease>().is_err(), "{bad}");
        }
        let kernel = |configuration: Option<&str>| Kernel {
            release: "6.6.30-gentoo-dist".parse().unwrap(),
            configuration: configuration.map(|digest| digest.parse().unwrap()),
        };
        let digest = "5d41402abc4b2a76b9719d911017c592";
        let words = kernel(Some(digest)).to_string();
        assert_eq!(words, "6.6.30-gentoo-dist, configuration 5d41402abc4b");
        let words = kernel(None).to_string();
        assert_eq!(words, "6.6.30-gentoo-dist, configuration unknown");
    }
}
