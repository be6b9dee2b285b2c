//! Proof before a guest is touched: what Portage would do is exactly what was ordered.

use std::collections::BTreeMap;

use gentoo_updater_fleet::message::{
    Change, Failure, FailureClass, InstallPackage, InstallPackages,
};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::plan::{Plan, Row, RowKind};

/// Checks Portage's plan for the whole set against the order: every package as exactly the
/// expected binary with the expected flags, nothing compiled, nothing else changed, nothing
/// removed.
///
/// # Errors
/// A failure that names everything that does not fit.
pub(crate) fn prove(order: &InstallPackages, plan: &Plan, status: i32) -> Result<(), Failure> {
    let expected: BTreeMap<&Cpv, &InstallPackage> = order
        .packages
        .iter()
        .map(|package| (&package.key.cpv, package))
        .collect();
    let mut misses: Vec<String> = plan
        .rows
        .iter()
        .filter_map(|row| misfit(row, expected.get(&row.cpv).copied()))
        .collect();
    for (cpv, package) in &expected {
        if !plan
            .rows
            .iter()
            .any(|row| row.cpv == **cpv && row.kind == RowKind::Binary)
        {
            misses.push(format!(
                "{cpv}-{} is not in the plan",
                package.binary.build_id
            ));
        }
    }
    let blocks = plan.blocks.iter().filter(|block| !block.satisfied);
    misses.extend(blocks.map(|block| {
        let by: Vec<String> = block.by.iter().map(ToString::to_string).collect();
        format!("{} is blocked by {}", block.blocked, by.join(" "))
    }));
    if status != 0 {
        let said: Vec<String> = plan
            .notices
            .iter()
            .map(|notice| notice.text.trim().to_owned())
            .collect();
        misses.push(format!(
            "emerge ended with exit code {status}: {}",
            said.join("; ")
        ));
    }
    if misses.is_empty() {
        return Ok(());
    }
    Err(failed(&misses))
}

/// A proof that failed for these reasons.
pub(crate) fn failed(misses: &[String]) -> Failure {
    let message = format!(
        "Portage would not do on this guest what was planned, so nothing was touched: {}",
        misses.join("; ")
    );
    Failure::new(FailureClass::Permanent, "ProofFailed", message)
}

fn misfit(row: &Row, expected: Option<&InstallPackage>) -> Option<String> {
    let cpv = &row.cpv;
    match row.kind {
        RowKind::NoMerge => return None,
        RowKind::Uninstall => return Some(format!("{cpv} would be removed")),
        RowKind::Ebuild => return Some(format!("{cpv} would be compiled")),
        RowKind::Binary => {}
    }
    let Some(expected) = expected else {
        return Some(format!("{cpv} would be installed, and nobody ordered it"));
    };
    let wanted = expected.binary.build_id;
    if row.build_id != Some(wanted) {
        let found = row
            .build_id
            .map_or_else(|| "none".to_owned(), |id| id.to_string());
        return Some(format!(
            "{cpv} would come as binary {found} and not as {wanted}"
        ));
    }
    // A downgrade that the guest's own plan asked for was ordered as one.
    if row.status.downgrade && expected.change != Change::Downgrade {
        let versions: Vec<String> = row.previous.iter().map(|p| p.version.to_string()).collect();
        let versions = versions.join(" ");
        return Some(format!(
            "{cpv} would replace the newer {versions}, and nobody asked for that"
        ));
    }
    if let Some(slot) = row.slot.as_ref().filter(|slot| **slot != expected.key.slot) {
        let planned = &expected.key.slot;
        return Some(format!(
            "{cpv} would come in slot {slot} and not in {planned}"
        ));
    }
    for (flag, is_on) in &expected.key.use_flags {
        // Flags of hidden USE_EXPAND groups are not printed; what is printed must agree.
        let found = if row.use_flags.enabled.contains(flag) {
            true
        } else if row.use_flags.disabled.contains(flag) {
            false
        } else {
            continue;
        };
        if found != *is_on {
            let word = |on: bool| if on { "on" } else { "off" };
            return Some(format!("{cpv} would come with {flag} {}", word(found)));
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use gentoo_updater_fleet::message::Binary;
    use gentoo_updater_portage::build_key::BuildKey;
    use gentoo_updater_portage::plan::{self, Block};

    use super::*;

    pub(crate) fn package(name: &str, build_id: u32, flags: &[(&str, bool)]) -> InstallPackage {
        let cpv: Cpv = name.parse().unwrap();
        InstallPackage {
            key: BuildKey {
                cpv: cpv.clone(),
                slot: "0".parse().unwrap(),
                repository: "gentoo".parse().unwrap(),
                ebuild_digest: "5d41402abc4b2a76b9719d911017c592".parse().unwrap(),
                use_flags: flags
                    .iter()
                    .map(|(flag, on)| (flag.parse().unwrap(), *on))
                    .collect(),
                bindings: Default::default(),
                environment_digest: None,
                kernel: None,
            },
            change: Change::Upgrade,
            binary: Binary {
                path: format!("{}/{}-{build_id}.gpkg.tar", cpv.category_package, cpv.pf())
                    .parse()
                    .unwrap(),
                cpv,
                slot: "0".parse().unwrap(),
                build_id,
                build_time: 1,
                size: 1,
                sha256: "5d41402abc4b2a76b9719d911017c592".parse().unwrap(),
                contents: Default::default(),
                signed_by: None,
            },
        }
    }

    pub(crate) fn order(packages: Vec<InstallPackage>) -> InstallPackages {
        InstallPackages {
            run: gentoo_updater_fleet::name::RunId::generate(),
            attempt: 1,
            guest: "g1".parse().unwrap(),
            platform: "default".parse().unwrap(),
            packages,
            held: Vec::new(),
            begin_before: None,
        }
    }

    /// What Portage would print for these rows.
    pub(crate) fn plan_of(rows: &[&str], total: &str) -> Plan {
        let stdout = format!(
            "\nThese are the packages that would be merged, in order:\n\nCalculating dependencies \
             ... done!\nDependency resolution took 0.04 s (backtrack: 0/20).\n\n{}\n\nTotal: {total}, \
             Size of downloads: 0 KiB\n",
            rows.join("\n")
        );
        plan::parse(&stdout, "", 0).unwrap()
    }

    const HELLO: &str =
        "[binary     U  ] app-misc/hello-2.0-3::gentoo [1.0::gentoo] USE=\"nls -x\" 0 KiB";

    fn hello() -> InstallPackage {
        package("app-misc/hello-2.0", 3, &[("nls", true), ("x", false)])
    }

    fn misses(order: &InstallPackages, plan: &Plan, status: i32) -> String {
        let failure = prove(order, plan, status).unwrap_err();
        assert_eq!(failure.cause, "ProofFailed");
        failure.message
    }

    #[test]
    fn exactly_the_ordered_binaries_are_a_proof() {
        let plan = plan_of(&[HELLO], "1 package (1 upgrade, 1 binary)");
        assert!(prove(&order(vec![hello()]), &plan, 0).is_ok());
    }

    #[test]
    fn another_binary_of_the_same_version_is_none() {
        let plan = plan_of(&[HELLO], "1 package (1 upgrade, 1 binary)");
        let wanted = package("app-misc/hello-2.0", 4, &[]);
        assert!(misses(&order(vec![wanted]), &plan, 0).contains("as binary 3 and not as 4"));
    }

    #[test]
    fn another_flag_is_none() {
        let plan = plan_of(&[HELLO], "1 package (1 upgrade, 1 binary)");
        let wanted = package("app-misc/hello-2.0", 3, &[("x", true)]);
        assert!(misses(&order(vec![wanted]), &plan, 0).contains("with x off"));
    }

    #[test]
    fn a_shorter_plan_is_none_although_portage_calls_it_success() {
        let plan = plan_of(&[HELLO], "1 package (1 upgrade, 1 binary)");
        let order = order(vec![hello(), package("app-misc/other-1", 1, &[])]);
        assert!(misses(&order, &plan, 0).contains("app-misc/other-1-1 is not in the plan"));
    }

    #[test]
    fn something_that_would_be_compiled_installed_unasked_or_removed_is_none() {
        let rows = [
            HELLO,
            "[ebuild  N     ] app-misc/extra-1::gentoo  0 KiB",
            "[binary  N     ] app-misc/more-1-1::gentoo  0 KiB",
            "[uninstall     ] app-misc/old-1::gentoo ",
        ];
        let plan = plan_of(
            &rows,
            "3 packages (1 upgrade, 2 new, 2 binaries, 1 uninstall)",
        );
        let message = misses(&order(vec![hello()]), &plan, 0);
        for words in [
            "extra-1 would be compiled",
            "more-1 would be installed",
            "old-1 would be removed",
        ] {
            assert!(message.contains(words), "{words}: {message}");
        }
    }

    #[test]
    fn a_downgrade_that_nobody_asked_for_and_another_slot_are_none() {
        let row = "[binary     UD ] app-misc/hello-2.0-3::gentoo [3.0::gentoo] 0 KiB";
        let plan = plan_of(&[row], "1 package (1 downgrade, 1 binary)");
        let message = misses(&order(vec![hello()]), &plan, 0);
        assert!(message.contains("would replace the newer 3.0"), "{message}");
        let mut asked = hello();
        asked.change = Change::Downgrade;
        assert!(prove(&order(vec![asked]), &plan, 0).is_ok());
        let row = "[binary     U  ] app-misc/hello-2.0-3:0/2::gentoo [1.0::gentoo] 0 KiB";
        let plan = plan_of(&[row], "1 package (1 upgrade, 1 binary)");
        let message = misses(&order(vec![hello()]), &plan, 0);
        assert!(message.contains("in slot 0/2 and not in 0"), "{message}");
    }

    #[test]
    fn what_is_blocked_is_named_with_whoever_blocks_it() {
        let mut plan = plan_of(&[HELLO], "1 package (1 upgrade, 1 binary)");
        plan.blocks.push(Block {
            satisfied: false,
            blocked: "app-misc/old".parse().unwrap(),
            by: vec!["app-misc/hello-2.0".parse().unwrap()],
        });
        let message = misses(&order(vec![hello()]), &plan, 1);
        assert!(
            message.contains("app-misc/old is blocked by app-misc/hello-2.0"),
            "{message}"
        );
    }

    #[test]
    fn an_exit_code_counts_even_when_all_rows_are_right() {
        let plan = plan_of(&[HELLO], "1 package (1 upgrade, 1 binary)");
        assert!(misses(&order(vec![hello()]), &plan, 1).contains("exit code 1"));
        let kinds: BTreeSet<_> = plan.rows.iter().map(|row| row.kind.is_merge()).collect();
        assert_eq!(kinds, BTreeSet::from([true]));
    }
}
