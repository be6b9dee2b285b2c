//! Updates for tests of several files.

use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_runtime::vdb::Build;

use super::target::Kept;

pub(super) fn cpv(text: &str) -> Cpv {
    text.parse().unwrap()
}

/// An update of these from version 1 to 2: name, slot before and after it, needs before and after it.
pub(super) fn update(packages: &[(&str, &str, &str, &str, &str)]) -> Kept {
    let build = |id: u32| Build {
        id: Some(id),
        time: Some(u64::from(id)),
    };
    let mut kept = Kept::default();
    for (name, old_slot, new_slot, needed, needs) in packages {
        let (old, new) = (cpv(&format!("{name}-1")), cpv(&format!("{name}-2")));
        let record = |slot: &str, needs: &str| (Some(slot.to_owned()), needs.to_owned());
        kept.before.insert(old.clone(), build(1));
        kept.needs_before.insert(old, record(old_slot, needed));
        kept.after.insert(new.clone(), build(2));
        kept.needs_after
            .insert(new.clone(), record(new_slot, needs));
        kept.brought.insert(new.clone());
        kept.ordered.push(new);
    }
    kept
}
