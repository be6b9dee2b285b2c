//! Why a proof failed, package by package: which flag, which slot, which binary. Pure.
//!
//! What Portage says of a binary that it passes over is that there is none. The guest's own plan,
//! from ebuilds, tells what it wants by now; what it wanted when it was scanned stands in the key.

use gentoo_updater_fleet::message::{InstallPackage, InstallPackages};
use gentoo_updater_portage::packages_index::PackagesIndex;
use gentoo_updater_portage::plan::{Plan, Row, RowKind};

/// One sentence for each ordered package that the plan has not as its binary, where the reason can
/// be told. `plan` is absent where Portage made none, `wanted` is the guest's own, and `index` that
/// of the store.
pub(crate) fn reasons(
    order: &InstallPackages,
    plan: Option<&Plan>,
    wanted: &Plan,
    index: &PackagesIndex,
) -> Vec<String> {
    let is_missing = |package: &&InstallPackage| {
        let binary = &package.binary;
        let is_it = |row: &&Row| {
            row.cpv == binary.cpv
                && row.kind == RowKind::Binary
                && row.build_id == Some(binary.build_id)
        };
        !plan.is_some_and(|plan| plan.rows.iter().any(|row| is_it(&row)))
    };
    let missing = order.packages.iter().filter(is_missing);
    missing
        .flat_map(|package| {
            let mut reasons = of_binary(package, index);
            if reasons.is_empty() {
                reasons = of_guest(package, wanted);
            }
            reasons
        })
        .collect()
}

/// What is wrong with the binary itself: it is not what its record says.
fn of_binary(package: &InstallPackage, index: &PackagesIndex) -> Vec<String> {
    let (key, binary) = (&package.key, &package.binary);
    let name = format!("{}-{}", binary.cpv, binary.build_id);
    let mut entries = index.entries.iter();
    let Some(entry) =
        entries.find(|entry| entry.cpv == binary.cpv && entry.build_id == Some(binary.build_id))
    else {
        return vec![format!("the index of the store does not name {name}")];
    };
    let mut reasons = Vec::new();
    if entry.slot != key.slot {
        reasons.push(format!(
            "binary {name} is of slot {}, and {} was ordered",
            entry.slot, key.slot
        ));
    }
    for (flag, wanted) in &key.use_flags {
        let is_on = entry.use_flags.contains(flag);
        if is_on != *wanted {
            reasons.push(format!(
                "binary {name} was built with {flag} {}, and {} was ordered",
                on(is_on),
                on(*wanted)
            ));
        }
    }
    reasons
}

/// What the guest wants otherwise than when it was scanned.
fn of_guest(package: &InstallPackage, wanted: &Plan) -> Vec<String> {
    let (key, binary) = (&package.key, &package.binary);
    let name = format!("{}-{}", binary.cpv, binary.build_id);
    let mut of_package = wanted
        .rows
        .iter()
        .filter(|row| row.cpv.category_package == key.cpv.category_package)
        .filter(|row| row.kind.is_merge())
        .peekable();
    if of_package.peek().is_none() {
        return vec![format!(
            "the guest does not want {} any more: its world or its ebuild repository changed since \
             it was scanned",
            key.cpv
        )];
    }
    let Some(row) = of_package.clone().find(|row| row.cpv == key.cpv) else {
        let others: Vec<String> = of_package.map(|row| row.cpv.to_string()).collect();
        return vec![format!(
            "the guest wants {} by now, and {} was ordered: its ebuild repository or its keywords \
             and masks changed since it was scanned",
            others.join(" "),
            key.cpv
        )];
    };
    let mut reasons = Vec::new();
    for (flag, is_on) in &key.use_flags {
        // Flags of hidden groups are not printed.
        let wants = match (
            row.use_flags.enabled.contains(flag),
            row.use_flags.disabled.contains(flag),
        ) {
            (true, _) => true,
            (_, true) => false,
            _ => continue,
        };
        if wants != *is_on {
            reasons.push(format!(
                "the guest wants {} with {flag} {} by now, and binary {name} has it {}: \
                 package.use, make.conf or the profile changed since it was scanned",
                key.cpv,
                on(wants),
                on(*is_on)
            ));
        }
    }
    if let Some(slot) = row.slot.as_ref().filter(|slot| **slot != key.slot) {
        reasons.push(format!(
            "the guest's ebuild of {} is of slot {slot} by now, and binary {name} of slot {}",
            key.cpv, key.slot
        ));
    }
    reasons
}

fn on(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::tests::{order, package, plan_of};

    const INDEX: &str = include_str!("../../builder/tests/fixtures/Packages");

    /// The plan that Portage makes when it passes over the binary.
    fn nothing() -> Plan {
        plan_of(&[], "0 packages")
    }

    fn told(ordered: InstallPackage, wanted: &Plan) -> String {
        let index = PackagesIndex::parse(INDEX).unwrap();
        let order = order(vec![ordered]);
        let told = reasons(&order, Some(&nothing()), wanted, &index);
        assert_eq!(reasons(&order, None, wanted, &index), told);
        told.join("; ")
    }

    /// libbeta-1.0-3, which was built with fast and without doc.
    fn libbeta(build_id: u32, slot: &str) -> InstallPackage {
        let flags = [("doc", false), ("fast", true)];
        let mut package = package("dev-libs/libbeta-1.0", build_id, &flags);
        package.key.slot = slot.parse().unwrap();
        package
    }

    fn wants(row: &str) -> Plan {
        plan_of(&[row], "1 package (1 reinstall)")
    }

    #[test]
    fn a_flag_that_the_guest_wants_otherwise_by_now_is_named() {
        let row = "[ebuild   R    ] dev-libs/libbeta-1.0::gentoo  USE=\"doc* fast\" 0 KiB";
        let text = told(libbeta(3, "0"), &wants(row));
        assert!(
            text.contains("wants dev-libs/libbeta-1.0 with doc on by now, and binary dev-libs/libbeta-1.0-3 has it off"),
            "{text}"
        );
        assert!(!text.contains("fast"), "{text}");
    }

    #[test]
    fn a_slot_a_version_and_a_package_that_is_not_wanted_any_more_are_named() {
        let row = "[ebuild   R    ] dev-libs/libbeta-1.0:0/7::gentoo  USE=\"-doc fast\" 0 KiB";
        let text = told(libbeta(3, "0"), &wants(row));
        assert!(text.contains("of slot 0/7 by now"), "{text}");
        let row = "[ebuild     U  ] dev-libs/libbeta-1.1::gentoo [1.0::gentoo] 0 KiB";
        let text = told(libbeta(3, "0"), &plan_of(&[row], "1 package (1 upgrade)"));
        assert!(text.contains("wants dev-libs/libbeta-1.1 by now"), "{text}");
        let text = told(libbeta(3, "0"), &nothing());
        assert!(
            text.contains("does not want dev-libs/libbeta-1.0 any more"),
            "{text}"
        );
    }

    #[test]
    fn a_binary_that_is_not_what_was_ordered_is_named_with_the_flag_or_the_slot() {
        let text = told(libbeta(2, "0"), &nothing());
        assert!(
            text.contains("binary dev-libs/libbeta-1.0-2 was built with doc on"),
            "{text}"
        );
        let text = told(libbeta(3, "0/9"), &nothing());
        assert!(text.contains("is of slot 0, and 0/9 was ordered"), "{text}");
        let text = told(libbeta(77, "0"), &nothing());
        assert!(
            text.contains("does not name dev-libs/libbeta-1.0-77"),
            "{text}"
        );
    }
}
