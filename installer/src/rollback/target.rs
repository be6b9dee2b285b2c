//! What a way back puts back, and what it takes away. Pure.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_runtime::vdb::{Build, Installed};
use serde::Deserialize;

/// What was kept of a run, as `gather.py` prints it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Kept {
    /// What was installed of all that the run, or one after it, has replaced.
    #[serde(deserialize_with = "builds")]
    pub(crate) before: Installed,
    /// What the run had brought, where a way back was begun since.
    #[serde(deserialize_with = "builds")]
    pub(crate) after: Installed,
    /// What was not installed before it.
    pub(crate) brought: BTreeSet<Cpv>,
    /// What was installed, in this order.
    pub(crate) ordered: Vec<Cpv>,
    /// Slot and subslot of what was, and what it needs as it runs.
    pub(crate) needs_before: Needs,
    /// The same of what the run had brought.
    pub(crate) needs_after: Needs,
    /// The files of the store that are not there any more.
    pub(crate) gone: Vec<String>,
}

/// Slots, and what is needed, by version.
pub(crate) type Needs = BTreeMap<Cpv, (Option<String>, String)>;

/// Package and slot, without the subslot.
pub(crate) fn slot(needs: &Needs, cpv: &Cpv) -> Option<(String, String)> {
    let (slot, _) = needs.get(cpv)?;
    let slot = slot.as_deref().unwrap_or("0");
    let slot = slot.split_once('/').map_or(slot, |(slot, _)| slot);
    Some((cpv.category_package.to_string(), slot.to_owned()))
}

impl Kept {
    /// What the run has brought and is installed.
    pub(crate) fn there(&self, now: &Installed) -> Vec<Cpv> {
        let is_there = |cpv: &&Cpv| match (now.get(*cpv), self.before.get(*cpv)) {
            (Some(now), before) => before != Some(now),
            (None, _) => false,
        };
        self.ordered.iter().filter(is_there).cloned().collect()
    }

    /// Of what is wanted, what is to be as it was before the run, and what as after it.
    pub(crate) fn sides<'a>(&self, wanted: &'a Wanted) -> (Vec<&'a Cpv>, Vec<&'a Cpv>) {
        let is_before = |(cpv, build): &(&Cpv, &Build)| self.before.get(*cpv) == Some(*build);
        let (before, after): (Vec<_>, Vec<_>) = wanted.installed.iter().partition(is_before);
        let names =
            |side: Vec<(&'a Cpv, &'a Build)>| side.into_iter().map(|(cpv, _)| cpv).collect();
        (names(before), names(after))
    }
}

fn builds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Installed, D::Error> {
    type Written = (Option<String>, Option<String>);
    let written = BTreeMap::<Cpv, Written>::deserialize(deserializer)?;
    let build = |(id, time): Written| Build {
        id: id.and_then(|id| id.parse().ok()),
        time: time.and_then(|time| time.parse().ok()),
    };
    let read = written
        .into_iter()
        .map(|(cpv, written)| (cpv, build(written)));
    Ok(read.collect())
}

/// What is to be installed of a few packages, and what of them is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Exactly these builds.
    pub(crate) installed: Installed,
    /// Not these.
    pub(crate) absent: BTreeSet<Cpv>,
}

impl Wanted {
    /// What was before the run.
    pub(crate) fn before(kept: &Kept) -> Self {
        Self {
            installed: kept.before.clone(),
            absent: kept.brought.clone(),
        }
    }

    /// What of it is not installed as it should be.
    pub(crate) fn missing<'a>(&'a self, now: &'a Installed) -> BTreeMap<&'a Cpv, &'a Build> {
        let wanted = self.installed.iter();
        wanted
            .filter(|(cpv, build)| now.get(*cpv) != Some(*build))
            .collect()
    }

    /// What is installed and should not be.
    pub(crate) fn surplus(&self, now: &Installed) -> Vec<Cpv> {
        let absent = self.absent.iter();
        absent
            .filter(|cpv| now.contains_key(*cpv))
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(packages: &[(&str, u32)]) -> Installed {
        let one = |(cpv, id): &(&str, u32)| {
            let (id, time) = (Some(*id), Some(u64::from(*id) * 100));
            (cpv.parse().unwrap(), Build { id, time })
        };
        packages.iter().map(one).collect()
    }

    #[test]
    fn what_is_another_build_or_gone_is_missing_and_nothing_else() {
        let wanted = Wanted {
            installed: installed(&[("a/same-1", 1), ("a/rebuilt-1", 1), ("a/old-1", 1)]),
            absent: ["a/old-2", "a/new-1", "a/never-1"]
                .map(|cpv| cpv.parse().unwrap())
                .into(),
        };
        let now = installed(&[
            ("a/same-1", 1),
            ("a/rebuilt-1", 2),
            ("a/old-2", 1),
            ("a/new-1", 1),
            ("a/of-others-1", 1),
        ]);
        let names =
            |cpvs: Vec<&Cpv>| -> Vec<String> { cpvs.iter().map(|cpv| cpv.to_string()).collect() };
        let missing = wanted.missing(&now).into_keys().collect();
        assert_eq!(names(missing), ["a/old-1", "a/rebuilt-1"]);
        let surplus = wanted.surplus(&now);
        assert_eq!(names(surplus.iter().collect()), ["a/new-1", "a/old-2"]);
    }

    #[test]
    fn what_was_kept_is_read_with_builds_that_have_no_number() {
        let text = r#"{"before": {"a/a-1": [null, "7"]}, "after": {}, "brought": ["a/a-2"],
            "ordered": ["a/a-2"], "needs_before": {"a/a-1": ["0/1", ""]}, "needs_after": {}, "gone": []}"#;
        let kept: Kept = serde_json::from_str(text).unwrap();
        let build = kept.before.values().next().unwrap();
        assert_eq!((build.id, build.time), (None, Some(7)));
    }
}
