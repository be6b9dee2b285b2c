//! Versions: their grammar (PMS 3.2) and their order (PMS 3.3).

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

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
pub struct Version(String);

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

    /// Compares as PMS 3.3 and Portage do: `1.0`, `1.0-r0` and `1.00` are equal.
    #[must_use]
    pub fn vercmp(&self, other: &Self) -> Ordering {
        let (left, left_revision) = split_revision(&self.0);
        let (right, right_revision) = split_revision(&other.0);
        compare_without_revision(left, right).then_with(|| {
            compare_integers(left_revision.unwrap_or("0"), right_revision.unwrap_or("0"))
        })
    }

    /// Compares as [`Version::vercmp`] does, with the revisions of both sides ignored.
    #[must_use]
    pub fn vercmp_without_revision(&self, other: &Self) -> Ordering {
        compare_without_revision(self.without_revision(), other.without_revision())
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

/// The suffixes in the order of PMS 3.3, algorithm 3.6; a missing suffix sorts as `_p-1` would.
const SUFFIXES: [(&str, Suffix); 5] = [
    ("alpha", Suffix::Alpha),
    ("beta", Suffix::Beta),
    ("pre", Suffix::Pre),
    ("rc", Suffix::ReleaseCandidate),
    // Last, because "p" is also the beginning of "pre".
    ("p", Suffix::Patch),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Suffix {
    Alpha,
    Beta,
    Pre,
    ReleaseCandidate,
    /// No (further) suffix: after every pre-release, before every patch level.
    None,
    Patch,
}

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

/// Takes one `_suffix` with its number from the beginning: suffix, number (may be empty), rest.
fn take_suffix(text: &str) -> Option<(Suffix, &str, &str)> {
    let text = text.strip_prefix('_')?;
    let (suffix, rest) = SUFFIXES
        .iter()
        .find_map(|(name, suffix)| Some((*suffix, text.strip_prefix(name)?)))?;
    let (number, rest) = rest.split_at(digits(rest));
    Some((suffix, number, rest))
}

/// Takes the numbers and dots from the beginning: `1.2.3` of `1.2.3b_p1`. Empty when there is none.
fn take_numbers(text: &str) -> (&str, &str) {
    let mut length = digits(text);
    while length > 0 && text[length..].starts_with('.') {
        let more = digits(&text[length + 1..]);
        if more == 0 {
            break;
        }
        length += 1 + more;
    }
    text.split_at(length)
}

/// Takes the letter after the numbers.
fn take_letter(text: &str) -> (Option<u8>, &str) {
    match text.bytes().next() {
        Some(letter) if letter.is_ascii_lowercase() => (Some(letter), &text[1..]),
        _ => (None, text),
    }
}

/// Whether `text` is a version without a revision (PMS 3.2).
fn is_version_without_revision(text: &str) -> bool {
    let (numbers, rest) = take_numbers(text);
    if numbers.is_empty() {
        return false;
    }
    let (_, mut rest) = take_letter(rest);
    while let Some((_, _, after)) = take_suffix(rest) {
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

/// PMS 3.3, algorithms 3.2 to 3.6.
fn compare_without_revision(left: &str, right: &str) -> Ordering {
    let (left_numbers, left) = take_numbers(left);
    let (right_numbers, right) = take_numbers(right);
    let (left_letter, left) = take_letter(left);
    let (right_letter, right) = take_letter(right);
    compare_numbers(left_numbers, right_numbers)
        .then(left_letter.cmp(&right_letter))
        .then_with(|| compare_suffixes(left, right))
}

/// Algorithms 3.2 and 3.3: the dotted numbers.
fn compare_numbers(left: &str, right: &str) -> Ordering {
    let mut left = left.split('.');
    let mut right = right.split('.');
    let mut first = true;
    loop {
        let ordering = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (Some(_), None) => return Ordering::Greater,
            (None, Some(_)) => return Ordering::Less,
            // A number with a leading zero is a fraction, except for the first one: 1.02 < 1.1.
            (Some(a), Some(b)) if !first && (a.starts_with('0') || b.starts_with('0')) => {
                a.trim_end_matches('0').cmp(b.trim_end_matches('0'))
            }
            (Some(a), Some(b)) => compare_integers(a, b),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
        first = false;
    }
}

/// Algorithms 3.5 and 3.6: the suffixes.
fn compare_suffixes(mut left: &str, mut right: &str) -> Ordering {
    loop {
        let a = take_suffix(left);
        let b = take_suffix(right);
        if a.is_none() && b.is_none() {
            return Ordering::Equal;
        }
        let (left_suffix, left_number, left_rest) = a.unwrap_or((Suffix::None, "", ""));
        let (right_suffix, right_number, right_rest) = b.unwrap_or((Suffix::None, "", ""));
        let ordering = left_suffix
            .cmp(&right_suffix)
            .then_with(|| compare_integers(left_number, right_number));
        if ordering != Ordering::Equal {
            return ordering;
        }
        left = left_rest;
        right = right_rest;
    }
}

/// Compares two rows of digits of any length as integers; an empty one is zero.
fn compare_integers(left: &str, right: &str) -> Ordering {
    let left = left.trim_start_matches('0');
    let right = right.trim_start_matches('0');
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn the_grammar_is_that_of_pms() {
        for text in [
            "0",
            "1",
            "1.0",
            "01.002.3",
            "1a",
            "1.2b",
            "1_alpha",
            "1_alpha1",
            "1.2.3b_rc4_p5-r6",
            "1-r0",
            "1_pre_p_beta2",
            "20261122",
            "9999",
            "1.0-r00012",
            "123456789012345678901234567890.1",
        ] {
            assert_eq!(version(text).to_string(), text);
        }
        for text in [
            "",
            "a",
            "1.",
            ".1",
            "1..2",
            "1ab",
            "1A",
            "1_",
            "1_foo",
            "1_alphabet",
            "1-r",
            "1-1",
            "1-r1-r2",
            "1.0-r1a",
            "1 ",
            "1.0_p-1",
            "-1",
            "1a.2",
            "1b2",
            "1+",
            "1.0-3",
            "1_p1.2",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn the_order_is_that_of_portage() {
        // Each line ascends strictly. From PMS 3.3 and from Portage's own test of vercmp.
        for line in [
            "0 1 2 9 10 11 100",
            "1 1.0 1.0.0 1.1",
            "1.001 1.002 1.01 1.02 1.1 1.2 1.10",
            "1.0 1.01 1.1 1.9 1.10",
            "6.0 6.1 6.1a 6.1b 6.1.1",
            "12.2 12.2b 12.2.5",
            "1_alpha 1_alpha1 1_alpha2 1_beta 1_pre 1_rc 1 1_p 1_p1 1_p2 1a 1b 1.0",
            "1_alpha_alpha 1_alpha_beta 1_alpha 1_alpha_p 1_alpha_p1",
            "1.0_rc1 1.0_rc2 1.0_rc10 1.0 1.0-r1 1.0-r2 1.0-r10 1.0_p0",
            "1.0_pre20040101 1.0_pre20040102 1.0",
            "2.9.9.99999999999999999999 2.9.9.100000000000000000000",
            "1.0.1 1.0.1_p1_alpha 1.0.1_p1 1.0.1_p1-r1",
            "4.0 5",
            "5.0 5.0.0",
            "0.09 0.1 0.9 0.10",
        ] {
            let versions: Vec<Version> = line.split(' ').map(version).collect();
            for (i, a) in versions.iter().enumerate() {
                for (j, b) in versions.iter().enumerate() {
                    assert_eq!(a.vercmp(b), i.cmp(&j), "{a} against {b}");
                    assert_eq!(a.cmp(b), i.cmp(&j), "{a} against {b}");
                }
            }
        }
    }

    #[test]
    fn versions_that_pms_calls_equal_are_still_different_texts() {
        for (a, b) in [
            ("1.0", "1.0-r0"),
            ("1.0", "1.00"),
            ("1", "01"),
            ("1_p", "1_p0"),
            ("1-r1", "1-r01"),
            ("1.010", "1.01"),
            ("1_alpha", "1_alpha0"),
            ("1_p00", "1_p"),
            ("0", "000"),
        ] {
            let (a, b) = (version(a), version(b));
            assert_eq!(a.vercmp(&b), Ordering::Equal, "{a} against {b}");
            assert_ne!(a, b);
            assert_ne!(a.cmp(&b), Ordering::Equal);
        }
    }

    proptest! {
        #[test]
        fn order_is_total_and_consistent(
            a in "[0-9]{1,2}(\\.0?[0-9]{1,2}){0,2}[ab]?(_(alpha|beta|pre|rc|p)[0-2]?){0,2}(-r[0-2])?",
            b in "[0-9]{1,2}(\\.0?[0-9]{1,2}){0,2}[ab]?(_(alpha|beta|pre|rc|p)[0-2]?){0,2}(-r[0-2])?",
            c in "[0-9]{1,2}(\\.0?[0-9]{1,2}){0,2}[ab]?(_(alpha|beta|pre|rc|p)[0-2]?){0,2}(-r[0-2])?",
        ) {
            let (a, b, c) = (version(&a), version(&b), version(&c));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
            if a.vercmp(&b).is_le() && b.vercmp(&c).is_le() {
                prop_assert!(a.vercmp(&c).is_le());
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,20}") {
            let _ = text.parse::<Version>();
        }
    }
}
