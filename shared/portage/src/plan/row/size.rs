//! `1,234 KiB`.

use crate::text::excerpt;

/// The unit that a size is printed with. Both mean 1024 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Unit {
    /// `kB`, until Portage 2.2.10.
    Kilobyte,
    /// `KiB`, since Portage 2.2.11.
    Kibibyte,
}

/// What separates thousands in the locales of glibc: `thousands_sep` of their LC_NUMERIC.
const SEPARATORS: [char; 9] = [
    ',', '.', '\'', ' ', '\u{a0}', '\u{2009}', '\u{2019}', '\u{202f}', '\u{66c}',
];

/// Reads `1,234 KiB`, in bytes. Separator and length of the groups are those of the locale of
/// whoever ran emerge (`localized_size` of Portage's `localization.py`).
pub(in super::super) fn parse_size(text: &str) -> Result<(u64, Unit), String> {
    let wrong = || format!("{:?} is not a size in KiB", excerpt(text));
    let (number, unit) = if let Some(number) = text.strip_suffix(" KiB") {
        (number, Unit::Kibibyte)
    } else if let Some(number) = text.strip_suffix(" kB") {
        (number, Unit::Kilobyte)
    } else {
        return Err(wrong());
    };
    let kib = parse_number(number).ok_or_else(wrong)?;
    Ok((kib.checked_mul(1024).ok_or_else(wrong)?, unit))
}

/// Reads a number that may be divided into groups.
fn parse_number(text: &str) -> Option<u64> {
    let Some(separator) = text.chars().find(|c| !c.is_ascii_digit()) else {
        return parse_digits(text);
    };
    if !SEPARATORS.contains(&separator) {
        return None;
    }
    // No number of 64 bits has more than twenty digits, and hence groups.
    let groups: Vec<&str> = text.split(separator).take(21).collect();
    let (first, others) = groups.split_first()?;
    let (last, middle) = others.split_last()?;
    // Thousands; in India the last three and then pairs; in classical Chinese ten thousands.
    let well_formed = |last_length: usize, length: usize| {
        last.len() == last_length
            && middle.iter().all(|group| group.len() == length)
            && (1..=length).contains(&first.len())
    };
    if !(well_formed(3, 3) || well_formed(3, 2) || well_formed(4, 4)) {
        return None;
    }
    parse_digits(&groups.concat())
}

/// Reads a number as Portage prints it: digits without leading zeros.
pub(in crate::plan) fn parse_digits(text: &str) -> Option<u64> {
    let canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_every_locale_are_read() {
        for number in [
            "1234567",
            "1,234,567",
            "1.234.567",
            "1'234'567",
            "1 234 567",
            "1\u{a0}234\u{a0}567",
            "1\u{202f}234\u{202f}567",
            "1\u{2019}234\u{2019}567",
            "12,34,567",
            "123,4567",
        ] {
            for (unit, name) in [(Unit::Kibibyte, "KiB"), (Unit::Kilobyte, "kB")] {
                assert_eq!(
                    parse_size(&format!("{number} {name}")),
                    Ok((1_234_567 * 1024, unit)),
                    "{number}"
                );
            }
        }
        assert_eq!(parse_size("0 KiB"), Ok((0, Unit::Kibibyte)));
        assert_eq!(parse_size("12,345 KiB").unwrap().0, 12_345 * 1024);
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            " KiB",
            "KiB",
            "1 MiB",
            "1KiB",
            "-1 KiB",
            "+1 KiB",
            "1 KiB ",
            "007 KiB",
            "0,123 KiB",
            "1,23 KiB",
            "1234,567 KiB",
            "1,234.567 KiB",
            "1,,234 KiB",
            ",234 KiB",
            "1, KiB",
            "1a234 KiB",
            "1x KiB",
            "99999999999999999999 KiB",
            "18446744073709551615 KiB",
        ] {
            assert!(parse_size(text).is_err(), "{text:?}");
        }
        assert!(parse_size(&format!("{} KiB", "1,".repeat(500_000))).is_err());
    }
}
