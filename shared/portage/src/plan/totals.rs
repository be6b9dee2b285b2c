//! The `Total:` line and the two that may follow it.

use super::row::parse_size;
use super::{Block, FetchRestriction, PlanError, Row, RowKind, Totals};

/// Reads `Total: 14 packages (7 upgrades, 1 downgrade, 3 new), Size of downloads: 0 KiB`.
///
/// The source is `_PackageCounters` of Portage's `resolver/output_helpers.py`, which leaves the
/// brackets out where nothing is installed: `Total: 0 packages1 uninstall, Size of …`.
pub(super) fn parse_total(line: &str) -> Result<Totals, String> {
    let wrong = || "the total is not understood".to_owned();
    let rest = line.strip_prefix("Total: ").ok_or_else(wrong)?;
    let (counts, size) = rest.split_once(", Size of downloads: ").ok_or_else(wrong)?;
    let (packages, rest) = counts.split_once(" package").ok_or_else(wrong)?;
    let packages = number(packages).ok_or_else(wrong)?;
    let rest = if packages == 1 {
        rest
    } else {
        rest.strip_prefix('s').ok_or_else(wrong)?
    };
    let details = if packages == 0 {
        rest
    } else {
        rest.strip_prefix(" (")
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or_else(wrong)?
    };
    let mut totals = Totals {
        packages,
        size_bytes: parse_size(size)?,
        ..Totals::default()
    };
    for detail in details.split(", ").filter(|_| !details.is_empty()) {
        let (count, what) = detail.split_once(' ').ok_or_else(wrong)?;
        let field = match what {
            "upgrade" | "upgrades" => &mut totals.upgrades,
            "downgrade" | "downgrades" => &mut totals.downgrades,
            "new" => &mut totals.new,
            "in new slot" | "in new slots" => &mut totals.new_slots,
            "reinstall" | "reinstalls" => &mut totals.reinstalls,
            "binary" | "binaries" => &mut totals.binaries,
            "uninstall" | "uninstalls" => &mut totals.uninstalls,
            "interactive" => &mut totals.interactive,
            _ => return Err(format!("{what:?} in the total is not understood")),
        };
        if *field != 0 {
            return Err(format!("{what:?} is in the total twice"));
        }
        *field = number(count).filter(|count| *count > 0).ok_or_else(wrong)?;
    }
    Ok(totals)
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
    let all = number(all).ok_or_else(wrong)?;
    let rest = rest.strip_prefix(noun).ok_or_else(wrong)?;
    let rest = rest.strip_prefix('s').unwrap_or(rest);
    let unsatisfied = match rest {
        "" | " (all satisfied)" => 0,
        _ => rest
            .strip_prefix(" (")
            .and_then(|rest| rest.strip_suffix(" unsatisfied)"))
            .and_then(number)
            .ok_or_else(wrong)?,
    };
    Ok((all, unsatisfied))
}

fn number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// Compares the rows with the total, number by number.
pub(super) fn check(rows: &[Row], blocks: &[Block], totals: &Totals) -> Result<(), PlanError> {
    let count = |wanted: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| wanted(row)).count();
    let merges = |wanted: &dyn Fn(&Row) -> bool| count(&|row| row.kind.is_merge() && wanted(row));
    let restricted =
        |which: FetchRestriction| merges(&|row| row.status.fetch_restriction == Some(which));
    let unsatisfied = restricted(FetchRestriction::Unsatisfied);
    let checks = [
        ("packages", merges(&|_| true), totals.packages),
        (
            "upgrades",
            merges(&|row| row.status.upgrade && !row.status.downgrade),
            totals.upgrades,
        ),
        (
            "downgrades",
            merges(&|row| row.status.downgrade),
            totals.downgrades,
        ),
        (
            "new packages",
            merges(&|row| row.status.new && !row.status.new_slot),
            totals.new,
        ),
        (
            "new slots",
            merges(&|row| row.status.new_slot),
            totals.new_slots,
        ),
        (
            "reinstalls",
            merges(&|row| row.status.reinstall),
            totals.reinstalls,
        ),
        (
            "binaries",
            count(&|row| row.kind == RowKind::Binary),
            totals.binaries,
        ),
        (
            "uninstalls",
            count(&|row| row.kind == RowKind::Uninstall),
            totals.uninstalls,
        ),
        (
            "interactive packages",
            merges(&|row| row.status.interactive),
            totals.interactive,
        ),
        (
            "packages with a fetch restriction",
            unsatisfied + restricted(FetchRestriction::Satisfied),
            totals.fetch_restricted,
        ),
        (
            "packages with an unsatisfied fetch restriction",
            unsatisfied,
            totals.fetch_restricted_unsatisfied,
        ),
        ("blocks", blocks.len(), totals.blocks),
        (
            "unsatisfied blocks",
            blocks.iter().filter(|block| !block.satisfied).count(),
            totals.blocks_unsatisfied,
        ),
    ];
    for (what, found, total) in checks {
        let found = found as u64;
        if found != total {
            return Err(PlanError::Total {
                what,
                rows: found,
                total,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_read_in_full() {
        let line = "Total: 14 packages (7 upgrades, 1 downgrade, 3 new, 1 in new slot, \
                    2 reinstalls, 6 binaries, 1 uninstall, 1 interactive), \
                    Size of downloads: 1,024 KiB";
        let mut totals = parse_total(line).unwrap();
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
        assert_eq!(nothing, Totals::default());
        let removal =
            parse_total("Total: 0 packages1 uninstall, Size of downloads: 0 KiB").unwrap();
        assert_eq!(removal.uninstalls, 1);
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
            "Total: 1 package (1 new), Size of downloads: 0 KiB more",
        ] {
            assert!(parse_total(line).is_err(), "{line}");
        }
        let mut totals = Totals::default();
        assert!(parse_after_total("Conflict: many blocks", &mut totals).is_err());
        assert!(parse_after_total("Conflict: 1 block (none satisfied)", &mut totals).is_err());
    }
}
