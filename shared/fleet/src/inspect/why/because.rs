//! Why a row is in a guest's plan, as far as the plan tells: what it replaces, what needs it, which flag
//! changed.

use gentoo_updater_portage::compact::CompactSet;
use gentoo_updater_portage::cpv::Cpv;

use crate::message::{Change, GuestScanned, Update};

/// How many packages a line names.
const NAMED: usize = 6;

/// A line for each reason.
pub(super) fn because(scan: &GuestScanned, row: &Update) -> Vec<String> {
    let mut lines = vec![of_change(row)];
    if !row.switched_flags.is_empty() {
        let flags = row.switched_flags.iter().map(|flag| {
            let on = row.key.use_flags.get(flag).copied().unwrap_or(false);
            format!("{flag} is {} now", if on { "on" } else { "off" })
        });
        lines.push(format!("USE: {}", flags.collect::<Vec<_>>().join(", ")));
    }
    lines.extend(of_bindings(scan, row));
    let own = &row.key.cpv;
    let needing = |needs: fn(&Update) -> &CompactSet<Cpv>| -> Vec<String> {
        let others = scan.updates.iter().filter(|other| other.key.cpv != *own);
        let needing = others.filter(|other| needs(other).contains(own));
        needing.map(|other| other.key.cpv.to_string()).collect()
    };
    let (runtime, build) = (
        needing(|other| &other.runtime_needs),
        needing(|other| &other.build_needs),
    );
    if runtime.is_empty() && build.is_empty() && row.change == Change::New {
        lines.push(
            "no other row of the plan needs it: the world file, a set, the profile or something that is \
             installed does"
                .to_owned(),
        );
    }
    for (needing, what) in [(runtime, "when it runs"), (build, "to be built")] {
        if !needing.is_empty() {
            lines.push(format!("needed {what} by {}", bounded(&needing)));
        }
    }
    lines
}

fn of_change(row: &Update) -> String {
    let before = row.previous.join(", ");
    match (row.change, before.is_empty()) {
        (Change::New, _) => "it was not installed".to_owned(),
        (Change::NewSlot, true) => "another slot of it is installed".to_owned(),
        (Change::NewSlot, false) => format!("another slot of it is installed: {before}"),
        (Change::Upgrade, true) => "a newer version than it has".to_owned(),
        (Change::Upgrade, false) => format!("a newer version than it has: {before}"),
        (Change::Downgrade, true) => {
            "an older version than it has: that one was withdrawn or masked".to_owned()
        }
        (Change::Downgrade, false) => {
            format!("an older version than it has ({before}): that one was withdrawn or masked")
        }
        (Change::Reinstall, _) => "the same version with other flags".to_owned(),
        (Change::Rebuild, _) => {
            "the same version, built against what it is bound to by then".to_owned()
        }
    }
}

/// What it is bound to and the same plan brings.
fn of_bindings(scan: &GuestScanned, row: &Update) -> Option<String> {
    let bindings = row.key.bindings.iter();
    let brought = bindings.filter_map(|(target, slot)| {
        let mut others = scan.updates.iter();
        let other =
            others.find(|other| other.key.cpv.category_package == target.category_package)?;
        Some(format!("{} ({slot}) of {}", target, other.key.cpv))
    });
    let brought: Vec<String> = brought.collect();
    (!brought.is_empty()).then(|| format!("bound to {}", bounded(&brought)))
}

fn bounded(names: &[String]) -> String {
    let (named, others) = names.split_at(names.len().min(NAMED));
    let named = named.join(", ");
    match others.len() {
        0 => named,
        others => format!("{named} and {others} more"),
    }
}
