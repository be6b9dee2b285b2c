//! Proof before a guest is touched: what Portage would do is exactly what was ordered.

use std::collections::BTreeMap;

use gentoo_updater_fleet::message::{Failure, FailureClass, InstallPackage, InstallPackages};
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
    let message = format!(
        "Portage would not do on this guest what was planned, so nothing was touched: {}",
        misses.join("; ")
    );
    Err(Failure::new(
        FailureClass::Permanent,
        "ProofFailed",
        message,
    ))
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
