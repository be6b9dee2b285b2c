//! What a run put on a builder, and what came of removing it. Pure.

use gentoo_updater_fleet::message::{Finding, FindingKind, PackageChange};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_runtime::vdb::{self, Installed};

/// What was there before and has another version, or another binary of the same version, now.
pub(crate) fn updated(before: &Installed, now: &Installed) -> Vec<PackageChange> {
    vdb::changes(before, now)
        .into_iter()
        .filter(|change| change.before.is_some() && change.after.is_some())
        .collect()
}

/// What was removed of what was to be removed.
pub(crate) fn removed(to_remove: &[Cpv], now: &Installed) -> Vec<PackageChange> {
    to_remove
        .iter()
        .filter(|cpv| !now.contains_key(*cpv))
        .map(|cpv| PackageChange {
            before: Some(cpv.clone()),
            after: None,
        })
        .collect()
}

/// What is still there, because something needs it by now.
pub(crate) fn kept(to_remove: &[Cpv], now: &Installed) -> Vec<Finding> {
    to_remove
        .iter()
        .filter(|cpv| now.contains_key(*cpv))
        .map(|cpv| {
            let text = format!("{cpv} stays: something on the builder needs it by now");
            Finding::new(FindingKind::Other, &text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(names: &[&str]) -> Installed {
        names
            .iter()
            .map(|name| (name.parse().unwrap(), Default::default()))
            .collect()
    }

    #[test]
    fn what_has_another_version_now_is_named_and_what_came_new_is_not() {
        let before = installed(&["a/library-1", "a/slotted-1"]);
        let now = installed(&["a/library-2", "a/slotted-1", "a/slotted-2"]);
        assert_eq!(updated(&before, &now).len(), 1);
    }

    #[test]
    fn what_is_still_needed_is_named_and_not_called_removed() {
        let to_remove = ["a/dep-1".parse().unwrap(), "a/dep-2".parse().unwrap()];
        let now = installed(&["a/dep-2"]);
        assert_eq!(removed(&to_remove, &now).len(), 1);
        assert!(kept(&to_remove, &now)[0].text.starts_with("a/dep-2 stays"));
    }
}
