//! Versions: their grammar (PMS 3.2) and their order (PMS 3.3).

mod compare;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::name::{NameError, validated_string};

/// A version with its revision, as `1.2.3b_rc4_p5-r6`.
///
/// # Equality and order
///
/// Two versions are `==` when they are the same text: the text names files and build keys, and
/// `1.0` and `1.0-r0` are different files. PMS compares them as equal, however. [`Version::vercmp`]
/// gives the order of PMS (and of Portage's `vercmp`), which is what operators of atoms use; `Ord`
/// is `vercmp` with the text deciding between versions that PMS calls equal, so that sorted
/// collections stay consistent with `==`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(SmolStr);

validated_string!(Version, NameError);

impl Version {
    fn check(input: &str) -> Result<(), NameError> {
        if is_version(input) {
            return Ok(());
        }
        let rule = "PMS 3.2 wants numbers separated by dots, perhaps a letter, \
                    perhaps _alpha, _beta, _pre, _rc or _p suffixes, perhaps -r and a number";
        Err(NameError::new("version", input, rule))
    }

    /// The version without its revision: `1.0` of `1.0-r1` (PV of PMS 11.1).
    #[must_use]
    pub fn without_revision(&self) -> &str {
        split_revision(&self.0).0
    }

    /// The digits of the revision, where one is written: `1` of `1.0-r1`.
    ///
    /// As text, because PMS does not bound the number.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        split_revision(&self.0).1
    }

    /// Compares as PMS 3.3 and Portage do: `1.0`, `1.0-r0` and `01.0` are equal.
    ///
    /// It reads both texts once, side by side, and allocates nothing.
    #[must_use]
    pub fn vercmp(&self, other: &Self) -> Ordering {
        compare::compare(self.0.as_bytes(), other.0.as_bytes())
    }

    /// Compares as [`Version::vercmp`] does, with the revisions of both sides ignored.
    #[must_use]
    pub fn vercmp_without_revision(&self, other: &Self) -> Ordering {
        compare::compare(
            self.without_revision().as_bytes(),
            other.without_revision().as_bytes(),
        )
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.vercmp(other).then_with(|| self.0.cmp(&other.0))
    }
}

/// The names of the suffixes; `pre` before `p`, which is also the beginning of it.
const SUFFIXES: [&str; 5] = ["alpha", "beta", "pre", "rc", "p"];

/// The length of the digits at the beginning.
fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// The text before the revision, and the digits of the revision.
fn split_revision(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once("-r") {
        Some((rest, digits)) => (rest, Some(digits)),
        None => (text, None),
    }
}

/// What follows one `_suffix` with its number at the beginning, where there is one.
fn after_suffix(text: &str) -> Option<&str> {
    let text = text.strip_prefix('_')?;
    let rest = SUFFIXES.iter().find_map(|name| text.strip_prefix(name))?;
    Some(&rest[digits(rest)..])
}

/// What follows the numbers and dots at the beginning; nothing where there is no number.
fn after_numbers(text: &str) -> Option<&str> {
    let mut length = digits(text);
    if length == 0 {
        return None;
    }
    while text[length..].starts_with('.') {
        let more = digits(&text[length + 1..]);
        if more == 0 {
            break;
        }
        length += 1 + more;
    }
    Some(&text[length..])
}

/// Whether `text` is a version without a revision (PMS 3.2).
fn is_version_without_revision(text: &str) -> bool {
    let Some(mut rest) = after_numbers(text) else {
        return false;
    };
    if rest.starts_with(|letter: char| letter.is_ascii_lowercase()) {
        rest = &rest[1..];
    }
    while let Some(after) = after_suffix(rest) {
        rest = after;
    }
    rest.is_empty()
}

/// Whether `text` is `r` and digits.
fn is_revision(text: &str) -> bool {
    text.strip_prefix('r')
        .is_some_and(|rest| !rest.is_empty() && digits(rest) == rest.len())
}

/// Whether `text` is a version (PMS 3.2).
pub(crate) fn is_version(text: &str) -> bool {
    match text.split_once('-') {
        Some((version, revision)) => is_version_without_revision(version) && is_revision(revision),
        None => is_version_without_revision(text),
    }
}

/// Splits `pn-1.0-r1` before its version; nothing when it does not end in one.
pub(crate) fn split_version(text: &str) -> Option<(&str, &str)> {
    let last = text.rfind('-')?;
    if is_version_without_revision(&text[last + 1..]) {
        return Some((&text[..last], &text[last + 1..]));
    }
    if !is_revision(&text[last + 1..]) {
        return None;
    }
    let before = text[..last].rfind('-')?;
    is_version_without_revision(&text[before + 1..last])
        .then(|| (&text[..before], &text[before + 1..]))
}

/// Whether `text` ends in a hyphen and a version, which PMS forbids for names.
pub(crate) fn ends_in_version(text: &str) -> bool {
    split_version(text).is_some()
}

#[cfg(test)]
mod tests;
