//! What a builder did, and that nothing of it is left.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_fleet::name::JobId;
use gentoo_updater_portage::cpv::Cpv;
use serde_json::Value;

use super::emerge_log::transactions;
use super::installed::{Installed, installed};
use crate::fixtures::Lab;

/// What a builder had before a run.
pub struct BuilderBefore {
    name: String,
    packages: BTreeMap<String, Installed>,
}

impl BuilderBefore {
    /// Looks at a builder.
    pub fn of(lab: &Lab, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            packages: installed(lab, name),
        }
    }
}

/// Everything that was compiled on a builder, sorted, for whatever reason.
pub fn compilations(lab: &Lab, builder: &str) -> Vec<String> {
    let calls = transactions(lab, builder);
    let mut names: Vec<String> = calls.into_iter().flat_map(|call| call.compiled).collect();
    names.sort();
    names
}

/// Everything that was compiled in clean rooms, sorted, as the logs of the builds tell that the store
/// keeps.
pub fn compilations_in_rooms(lab: &Lab) -> Vec<String> {
    compilations_without(lab, &[])
}

/// The same without what attempts at builds did, by the job's id and the number of the attempt.
pub fn compilations_without(lab: &Lab, attempts: &[(JobId, u32)]) -> Vec<String> {
    // Everybody sees the store, and a guest of a test is always on.
    let text = lab.sh(
        "g1",
        "for log in /var/cache/binpkgs/.gentoo-updater/logs/*/*.gz; do
             echo \"the log $log\" && zcat \"$log\" || exit 1
         done",
    );
    let is_left_out = |name: &str| {
        attempts
            .iter()
            .any(|(job, attempt)| name.ends_with(&format!("-{}.{attempt}.log.gz", job.short())))
    };
    let mut names = Vec::new();
    let mut counts = true;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("the log /") {
            counts = !is_left_out(name);
        }
        let package = line.strip_prefix(">>> Emerging (");
        let package = package.and_then(|rest| rest.split_once(") ")?.1.split_once("::"));
        if let Some((package, _)) = package.filter(|_| counts) {
            names.push(package.to_owned());
        }
    }
    names.sort();
    names
}

/// A builder has no package that it did not have before; what it has in another version is named
/// in the report; and no working folder is left.
pub fn builder_is_clean(lab: &Lab, before: &BuilderBefore, report: &Value) {
    let name = &before.name;
    let after = installed(lab, name);
    let new: Vec<String> = slots(&after)
        .difference(&slots(&before.packages))
        .cloned()
        .collect();
    assert!(
        new.is_empty(),
        "builder {name} has packages that it did not have before: {new:?}"
    );
    let updated: BTreeSet<&str> = after
        .keys()
        .filter(|cpv| !before.packages.contains_key(*cpv))
        .map(String::as_str)
        .collect();
    let named: BTreeSet<&str> = report["builders"][name]["updated"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|change| change["before"] != change["after"])
        .filter_map(|change| change["after"].as_str())
        .collect();
    assert_eq!(
        updated, named,
        "what builder {name} has in another version now (left) is what the report names (right)"
    );
    let left = lab.sh(
        name,
        // Portage itself keeps an empty folder `._unmerge_`.
        "find /var/tmp/gentoo-updater /var/tmp/portage -mindepth 1 ! -path '*/._unmerge_' \
             2>/dev/null || :",
    );
    assert_eq!(left, "", "left on builder {name}");
}

/// The packages with their slots, whatever their versions.
fn slots(packages: &BTreeMap<String, Installed>) -> BTreeSet<String> {
    packages
        .iter()
        .map(|(cpv, package)| {
            let slot = package.slot.split('/').next().unwrap_or_default();
            let cpv: Cpv = cpv.parse().unwrap();
            format!("{}:{slot}", cpv.category_package)
        })
        .collect()
}
