//! What came of an installation, read from the guest itself.

use gentoo_updater_fleet::message::{
    Failure, FailureClass, Finding, FindingKind, HeldBack, InstallPackages,
};
use gentoo_updater_portage::plan::{NoticeKind, Plan, RowKind};
use gentoo_updater_runtime::vdb::Installed;

/// The ordered packages that are not installed as exactly the ordered binary.
pub(crate) fn missing(order: &InstallPackages, installed: &Installed) -> Vec<String> {
    let is_missing = |package: &&gentoo_updater_fleet::message::InstallPackage| {
        let build = installed.get(&package.binary.cpv);
        !build.is_some_and(|build| build.is(&package.binary))
    };
    let packages = order.packages.iter().filter(is_missing);
    packages
        .map(|p| format!("{}-{}", p.binary.cpv, p.binary.build_id))
        .collect()
}

/// What the guest still wants, according to its own new plan, beside what was held back.
pub(crate) fn still_pending(plan: &Plan, status: i32, held: &[HeldBack]) -> Vec<Finding> {
    let is_held = |cpv: &_| held.iter().any(|held| held.cpv == *cpv);
    let mut findings: Vec<Finding> = plan
        .rows
        .iter()
        .filter(|row| matches!(row.kind, RowKind::Ebuild | RowKind::Binary) && !is_held(&row.cpv))
        // With something held back, Portage lists what only its build needs as well.
        .filter(|row| held.is_empty() || !row.status.new)
        .map(|row| {
            let text = format!("{} is still wanted; the next run will see to it", row.cpv);
            Finding::new(FindingKind::StillPending, &text)
        })
        .collect();
    if status != 0 {
        let text = format!("its own plan ended with exit code {status}");
        findings.push(Finding::new(FindingKind::StillPending, &text));
    }
    let told = plan.notices.iter().filter_map(|notice| {
        let kind = match notice.kind {
            NoticeKind::NewsUnread => FindingKind::NewsUnread,
            NoticeKind::SkippedUpdates { .. } => FindingKind::UpdateSkipped,
            NoticeKind::RepositoryMissing | NoticeKind::ProfileBroken | NoticeKind::Crash => {
                FindingKind::StillPending
            }
            _ => return None,
        };
        Some(Finding::new(kind, &notice.text))
    });
    findings.extend(told);
    findings
}

/// A failure that names what is not there.
pub(crate) fn incomplete(missing: &[String], failed: &[String]) -> Failure {
    let because = if failed.is_empty() {
        String::new()
    } else {
        format!(" ({})", failed.join("; "))
    };
    let message = format!("not installed as ordered: {}{because}", missing.join(" "));
    Failure::new(FailureClass::Permanent, "InstallIncomplete", message)
}
