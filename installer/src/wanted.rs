//! Whether a guest asks for what somebody orders for it. Pure.

use gentoo_updater_fleet::message::{Failure, FailureClass, InstallPackage, InstallPackages};
use gentoo_updater_portage::plan::{Plan, RowKind};

/// Checks that the guest's own plan, made of ebuilds, asks for every package of an order.
///
/// # Errors
/// A failure that names those that it does not ask for.
pub(crate) fn all_wanted(order: &InstallPackages, wanted: &Plan) -> Result<(), Failure> {
    let is_wanted = |package: &InstallPackage| {
        wanted.rows.iter().any(|row| {
            row.kind == RowKind::Ebuild
                && row.cpv == package.key.cpv
                && row
                    .repository
                    .as_ref()
                    .is_none_or(|r| *r == package.key.repository)
        })
    };
    let unwanted = order.packages.iter().filter(|package| !is_wanted(package));
    let unwanted: Vec<String> = unwanted.map(|p| p.key.cpv.to_string()).collect();
    if unwanted.is_empty() {
        return Ok(());
    }
    let message = format!(
        "this guest's own plan does not ask for {}, so nothing was touched: an agent installs only \
         what its guest wants by now. Run again, so that it is asked again",
        unwanted.join(" ")
    );
    Err(Failure::new(FailureClass::Permanent, "NotWanted", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::tests::{order, package, plan_of};

    #[test]
    fn what_the_guest_does_not_ask_for_or_asks_for_from_elsewhere_is_named() {
        let rows = [
            "[ebuild     U  ] app-misc/hello-2.0::gentoo [1.0::gentoo] 0 KiB",
            "[ebuild     U  ] app-misc/mine-2.0::overlay [1.0::overlay] 0 KiB",
        ];
        let wanted = plan_of(&rows, "2 packages (2 upgrades)");
        let ordered = |names: &[&str]| order(names.iter().map(|n| package(n, 3, &[])).collect());
        assert!(all_wanted(&ordered(&["app-misc/hello-2.0"]), &wanted).is_ok());
        let more = [
            "app-misc/hello-2.0",
            "app-misc/mine-2.0",
            "app-misc/other-1",
        ];
        let failure = all_wanted(&ordered(&more), &wanted).unwrap_err();
        assert_eq!(failure.cause, "NotWanted");
        let words = "ask for app-misc/mine-2.0 app-misc/other-1, so";
        assert!(failure.message.contains(words), "{}", failure.message);
    }
}
