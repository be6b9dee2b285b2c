//! The order of versions (PMS 3.3), read off the two texts side by side.
//!
//! Both texts are versions (PMS 3.2), so each step knows what can follow. Text that is not a
//! version has no meaningful order, but ends like any other: every step only shortens.

use std::cmp::Ordering;

/// Compares two versions: PMS 3.3, algorithms 3.1 to 3.7.
///
/// Most versions that are compared begin alike, so the parts that are the same text on both sides
/// are passed over: the comparison begins at the last separator before the first difference.
pub(super) fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let same = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    if same == left.len() && same == right.len() {
        return Ordering::Equal;
    }
    let is_separator = |byte: &u8| matches!(byte, b'.' | b'_' | b'-');
    let separator = left[..same].iter().rposition(is_separator);
    let start = separator.unwrap_or(0);
    let (mut left, mut right) = (Reader(&left[start..]), Reader(&right[start..]));
    let ordering = match separator.and(left.0.first()) {
        Some(b'-') => Ordering::Equal,
        Some(b'_') => compare_suffixes(&mut left, &mut right),
        Some(_) => compare_after_first_number(&mut left, &mut right),
        None => compare_integers(left.digits(), right.digits())
            .then_with(|| compare_after_first_number(&mut left, &mut right)),
    };
    ordering.then_with(|| compare_integers(left.revision(), right.revision()))
}

fn compare_after_first_number(left: &mut Reader<'_>, right: &mut Reader<'_>) -> Ordering {
    compare_further_numbers(left, right)
        .then_with(|| left.letter().cmp(&right.letter()))
        .then_with(|| compare_suffixes(left, right))
}

/// What is left to read of one version.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn accept(&mut self, expected: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == expected => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn digits(&mut self) -> &'a [u8] {
        let length = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        digits
    }

    /// The next number after a dot.
    fn further_number(&mut self) -> Option<&'a [u8]> {
        self.accept(b'.').then(|| self.digits())
    }

    /// The letter after the numbers; none sorts before every other.
    fn letter(&mut self) -> Option<u8> {
        let (letter, rest) = self.0.split_first()?;
        if !letter.is_ascii_lowercase() {
            return None;
        }
        self.0 = rest;
        Some(*letter)
    }

    fn suffix(&mut self) -> Suffix {
        if !self.accept(b'_') {
            return Suffix::None;
        }
        // Five names, which the first two letters tell apart.
        let (suffix, length) = match (self.0.first(), self.0.get(1)) {
            (Some(b'a'), _) => (Suffix::Alpha, "alpha".len()),
            (Some(b'b'), _) => (Suffix::Beta, "beta".len()),
            (Some(b'r'), _) => (Suffix::ReleaseCandidate, "rc".len()),
            (Some(b'p'), Some(b'r')) => (Suffix::Pre, "pre".len()),
            _ => (Suffix::Patch, "p".len()),
        };
        self.0 = self.0.get(length..).unwrap_or_default();
        suffix
    }

    /// The digits of the revision; a version without one has the revision 0.
    fn revision(&mut self) -> &'a [u8] {
        self.accept(b'-');
        self.accept(b'r');
        self.digits()
    }
}

/// The suffixes in the order of PMS 3.3, algorithm 3.6.
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

/// Algorithms 3.2 and 3.3: the numbers after the first one.
fn compare_further_numbers(left: &mut Reader<'_>, right: &mut Reader<'_>) -> Ordering {
    loop {
        let ordering = match (left.further_number(), right.further_number()) {
            (None, None) => return Ordering::Equal,
            (Some(_), None) => return Ordering::Greater,
            (None, Some(_)) => return Ordering::Less,
            // A number with a leading zero is a fraction: 1.02 is less than 1.1.
            (Some(a), Some(b)) if a.first() == Some(&b'0') || b.first() == Some(&b'0') => {
                without_trailing_zeros(a).cmp(without_trailing_zeros(b))
            }
            (Some(a), Some(b)) => compare_integers(a, b),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
}

/// Algorithms 3.5 and 3.6: the suffixes.
fn compare_suffixes(left: &mut Reader<'_>, right: &mut Reader<'_>) -> Ordering {
    loop {
        let (a, b) = (left.suffix(), right.suffix());
        if a != b {
            return a.cmp(&b);
        }
        if a == Suffix::None {
            return Ordering::Equal;
        }
        let ordering = compare_integers(left.digits(), right.digits());
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
}

/// Compares two rows of digits of any length as integers; an empty one is zero.
fn compare_integers(left: &[u8], right: &[u8]) -> Ordering {
    let (left, right) = (without_leading_zeros(left), without_leading_zeros(right));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

fn without_leading_zeros(mut digits: &[u8]) -> &[u8] {
    while let Some((b'0', rest)) = digits.split_first() {
        digits = rest;
    }
    digits
}

fn without_trailing_zeros(mut digits: &[u8]) -> &[u8] {
    while let Some((b'0', rest)) = digits.split_last() {
        digits = rest;
    }
    digits
}
