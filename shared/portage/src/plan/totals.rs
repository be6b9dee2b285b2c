//! The `Total:` line and the two that may follow it.

use serde::{Deserialize, Serialize};

use super::row::{Unit, parse_digits, parse_size};
use crate::text::excerpt;

/// The `Total:` line and the two that may follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Packages that are installed, for whichever reason.
    pub packages: u64,
    /// A higher version in the same slot.
    pub upgrades: u64,
    /// A lower version in the same slot.
    pub downgrades: u64,
    /// No other version installed.
    pub new: u64,
    /// Other slots installed.
    pub new_slots: u64,
    /// The same version again.
    pub reinstalls: u64,
    /// How many of them are binary packages. Portage before 2.1.10 does not count them.
    pub binaries: u64,
    /// Packages that are removed because they block others.
    pub uninstalls: u64,
    /// How many ask questions.
    pub interactive: u64,
    /// How much is to be fetched, in bytes (KiB, rounded up).
    pub size_bytes: u64,
    /// How many have sources that must be fetched by hand.
    pub fetch_restricted: u64,
    /// How many of these have not been fetched.
    pub fetch_restricted_unsatisfied: u64,
    /// Blocks.
    pub blocks: u64,
    /// How many of these the plan does not resolve.
    pub blocks_unsatisfied: u64,
}

/// Reads `Total: 14 packages (7 upgrades, 1 downgrade, 3 new), Size of downloads: 0 KiB`.
///
/// The source is `_PackageCounters` of Portage's `resolver/output_helpers.py`, which leaves the
/// brackets out where nothing is installed: `Total: 0 packages1 uninstall, Size of …`.
pub(super) fn parse_total(line: &str) -> Result<(Totals, Unit), String> {
    let wrong = || "the total is not understood".to_owned();
    let rest = line.strip_prefix("Total: ").ok_or_else(wrong)?;
    let (counts, size) = rest.split_once(", Size of downloads: ").ok_or_else(wrong)?;
    let (packages, rest) = counts.split_once(" package").ok_or_else(wrong)?;
    let packages = parse_digits(packages).ok_or_else(wrong)?;
    let rest = without_plural(rest, packages).ok_or_else(wrong)?;
    let details = if packages == 0 {
        rest
    } else {
        rest.strip_prefix(" (")
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or_else(wrong)?
    };
    let (size_bytes, unit) = parse_size(size)?;
    let mut totals = Totals {
        packages,
        size_bytes,
        ..Totals::default()
    };
    for detail in details.split(", ").filter(|_| !details.is_empty()) {
        let (count, what) = detail.split_once(' ').ok_or_else(wrong)?;
        let count = parse_digits(count)
            .filter(|count| *count > 0)
            .ok_or_else(wrong)?;
        let field = match (what, count) {
            ("upgrade", 1) | ("upgrades", 2..) => &mut totals.upgrades,
            ("downgrade", 1) | ("downgrades", 2..) => &mut totals.downgrades,
            ("new", _) => &mut totals.new,
            ("in new slot", 1) | ("in new slots", 2..) => &mut totals.new_slots,
            ("reinstall", 1) | ("reinstalls", 2..) => &mut totals.reinstalls,
            ("binary", 1) | ("binaries", 2..) => &mut totals.binaries,
            ("uninstall", 1) | ("uninstalls", 2..) => &mut totals.uninstalls,
            ("interactive", _) => &mut totals.interactive,
            _ => {
                let detail = excerpt(detail);
                return Err(format!("{detail:?} in the total is not understood"));
            }
        };
        if *field != 0 {
            return Err(format!("{what:?} is in the total twice"));
        }
        *field = count;
    }
    Ok((totals, unit))
}

/// Reads one of the lines after the total, if it is one:
/// `Fetch Restriction: 2 packages (1 unsatisfied)`, `Conflict: 1 block (all satisfied)`.
pub(super) fn parse_after_total(line: &str, totals: &mut Totals) -> Result<bool, String> {
    if let Some(rest) = line.strip_prefix("Fetch Restriction: ") {
        let (all, unsatisfied) = parse_satisfied(rest, "package", totals.fetch_restricted)?;
        totals.fetch_restricted = all;
        totals.fetch_restricted_unsatisfied = unsatisfied;
        return Ok(true);
    }
    if let Some(rest) = line.strip_prefix("Conflict: ") {
        let (all, unsatisfied) = parse_satisfied(rest, "block", totals.blocks)?;
        totals.blocks = all;
        totals.blocks_unsatisfied = unsatisfied;
        return Ok(true);
    }
    Ok(false)
}

fn parse_satisfied(text: &str, noun: &str, before: u64) -> Result<(u64, u64), String> {
    if before != 0 {
        return Err(format!("the number of {noun}s is there twice"));
    }
    let wrong = || format!("the number of {noun}s is not understood");
    let (all, rest) = text.split_once(' ').ok_or_else(wrong)?;
    let all = parse_digits(all).filter(|all| *all > 0).ok_or_else(wrong)?;
    let rest = rest.strip_prefix(noun).ok_or_else(wrong)?;
    let unsatisfied = match without_plural(rest, all).ok_or_else(wrong)? {
        // Portage says that all blocks are satisfied since 3.0.27, and nothing before.
        "" => 0,
        " (all satisfied)" if noun == "block" => 0,
        rest => rest
            .strip_prefix(" (")
            .and_then(|rest| rest.strip_suffix(" unsatisfied)"))
            .and_then(parse_digits)
            .filter(|unsatisfied| (1..=all).contains(unsatisfied))
            .ok_or_else(wrong)?,
    };
    Ok((all, unsatisfied))
}

/// What follows a noun, without the s of a number other than 1.
fn without_plural(text: &str, number: u64) -> Option<&str> {
    if number == 1 {
        Some(text)
    } else {
        text.strip_prefix('s')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_read_in_full() {
        let line = "Total: 14 packages (7 upgrades, 1 downgrade, 3 new, 1 in new slot, \
                    2 reinstalls, 6 binaries, 1 uninstall, 1 interactive), \
                    Size of downloads: 1,024 KiB";
        let (mut totals, unit) = parse_total(line).unwrap();
        assert_eq!(unit, Unit::Kibibyte);
        assert!(
            parse_after_total("Fetch Restriction: 2 packages (1 unsatisfied)", &mut totals)
                .unwrap()
        );
        assert!(parse_after_total("Conflict: 2 blocks (all satisfied)", &mut totals).unwrap());
        assert!(!parse_after_total("The following", &mut totals).unwrap());
        let expected = Totals {
            packages: 14,
            upgrades: 7,
            downgrades: 1,
            new: 3,
            new_slots: 1,
            reinstalls: 2,
            binaries: 6,
            uninstalls: 1,
            interactive: 1,
            size_bytes: 1 << 20,
            fetch_restricted: 2,
            fetch_restricted_unsatisfied: 1,
            blocks: 2,
            blocks_unsatisfied: 0,
        };
        assert_eq!(totals, expected);
    }

    #[test]
    fn a_total_of_nothing_has_no_brackets() {
        let nothing = parse_total("Total: 0 packages, Size of downloads: 0 KiB").unwrap();
        assert_eq!(nothing, (Totals::default(), Unit::Kibibyte));
        let removal =
            parse_total("Total: 0 packages1 uninstall, Size of downloads: 0 KiB").unwrap();
        assert_eq!(removal.0.uninstalls, 1);
    }

    #[test]
    fn a_total_that_is_not_understood_is_an_error() {
        for line in [
            "Total: 1 package (1 new)",
            "Total: 1 package, Size of downloads: 0 KiB",
            "Total: 1 packages (1 new), Size of downloads: 0 KiB",
            "Total: 2 packages (1 new, 1 new), Size of downloads: 0 KiB",
            "Total: 2 packages (2 odd), Size of downloads: 0 KiB",
            "Total: -1 packages (2 new), Size of downloads: 0 KiB",
            "Total: packages, Size of downloads: 0 KiB",
            "Total: 1 package (1 new), Size of downloads: 0",
            "Total: 2 packages (2 upgrade), Size of downloads: 0 KiB",
            "Total: 1 package (1 upgrades), Size of downloads: 0 KiB",
            "Total: 01 package (1 new), Size of downloads: 0 KiB",
            "Total: 1 package (0 new), Size of downloads: 0 KiB",
            "Total: 1 package (1 new), Size of downloads: 00 KiB",
            "Total: 1 package (1 new), Size of downloads: 0 KiB more",
        ] {
            assert!(parse_total(line).is_err(), "{line}");
        }
        let mut totals = Totals::default();
        for line in [
            "Conflict: many blocks",
            "Conflict: 1 block (none satisfied)",
            "Conflict: 1 blocks",
            "Conflict: 2 block",
            "Conflict: 0 blocks",
            "Conflict: 1 block (2 unsatisfied)",
            "Conflict: 1 block (0 unsatisfied)",
            "Fetch Restriction: 1 package (all satisfied)",
            "Fetch Restriction: 1 package (1 satisfied)",
        ] {
            assert!(parse_after_total(line, &mut totals).is_err(), "{line}");
        }
    }
}
