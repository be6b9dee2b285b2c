//! What is wrong with the signature of a binary. Pure.
//!
//! Portage says of almost everything that "GnuPG verification failed". What it was stands in the lines
//! that gpg printed (its `doc/DETAILS`, "Format of the --status-fd output"), wherever they come from.

use std::fmt;

/// Why Portage does not take a binary, the gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    /// It is not signed.
    Missing,
    /// The key is known and not trusted.
    Untrusted,
    /// The key is not known.
    Foreign,
    /// The time of the key, or of the signature, is over.
    Expired,
    /// It is not what was signed.
    Invalid,
    /// The key was revoked.
    Revoked,
    /// Nothing can be verified at all: there are no keys, or they cannot be read.
    NoKeys,
}

impl Refusal {
    /// As the cause of a failure.
    pub(crate) fn cause(self) -> &'static str {
        match self {
            Self::Missing => "SignatureMissing",
            Self::Untrusted => "SignatureUntrusted",
            Self::Foreign => "SignatureForeign",
            Self::Expired => "SignatureExpired",
            Self::Invalid => "SignatureInvalid",
            Self::Revoked => "KeyRevoked",
            Self::NoKeys => "VerificationUnusable",
        }
    }

    /// What gpg's lines say, where they name something.
    pub(crate) fn of_status<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut found = None;
        let (mut is_good, mut is_trusted, mut has_keys) = (false, false, true);
        for status in statuses(lines) {
            let mut words = status.split(' ');
            let refusal = match (words.next(), words.next()) {
                (Some("ERROR"), Some("add_keyblock_resource")) => {
                    has_keys = false;
                    None
                }
                (Some("REVKEYSIG"), _) => Some(Self::Revoked),
                (Some("BADSIG" | "BADARMOR"), _) => Some(Self::Invalid),
                (Some("EXPKEYSIG" | "EXPSIG"), _) => Some(Self::Expired),
                (Some("NO_PUBKEY"), _) if !has_keys => Some(Self::NoKeys),
                (Some("NO_PUBKEY"), _) => Some(Self::Foreign),
                (Some("NODATA"), _) => Some(Self::Missing),
                (Some("GOODSIG"), _) => {
                    is_good = true;
                    None
                }
                (Some("TRUST_ULTIMATE" | "TRUST_FULLY"), _) => {
                    is_trusted = true;
                    None
                }
                _ => None,
            };
            found = found.max(refusal);
        }
        found.or((is_good && !is_trusted).then_some(Self::Untrusted))
    }
}

/// The lines of gpg's status (its `doc/DETAILS`) among others; emerge puts an asterisk before each.
fn statuses<'a>(lines: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    let status = |line: &'a str| {
        let line = line.trim().trim_start_matches("* ").trim();
        line.strip_prefix("[GNUPG:] ")
    };
    lines.into_iter().filter_map(status)
}

/// The key that made a signature, as gpg names it: its fingerprint or, where that is all, its number.
pub(crate) fn key_of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut found = None;
    for status in statuses(lines) {
        let words: Vec<&str> = status.split(' ').collect();
        match words[..] {
            ["VALIDSIG", fingerprint, ..] | ["ERRSIG", _, _, _, _, _, _, fingerprint, ..] => {
                return Some(fingerprint.to_owned());
            }
            [
                "NO_PUBKEY" | "BADSIG" | "EXPKEYSIG" | "REVKEYSIG" | "GOODSIG",
                number,
                ..,
            ] => {
                found = Some(number.to_owned());
            }
            _ => {}
        }
    }
    found
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "not signed",
            Self::Untrusted => "signed by a key that this guest knows and does not trust",
            Self::Foreign => "signed by a key that this guest does not know",
            Self::Expired => "signed by a key, or with a signature, whose time is over",
            Self::Invalid => "not what was signed",
            Self::Revoked => "signed by a key that was revoked",
            Self::NoKeys => "signed, and no keys are there to verify that",
        })
    }
}
