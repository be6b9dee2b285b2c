//! What a machine has installed, read from its VDB.

use std::collections::{BTreeMap, BTreeSet};

use crate::fixtures::Lab;

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Slot and subslot.
    pub slot: String,
    /// The number of the binary that it came as; empty when it was compiled there.
    pub build_id: String,
    /// The flags that are on.
    pub use_flags: BTreeSet<String>,
    /// Its dependencies, with the subslots that it is bound to.
    pub rdepend: String,
}

/// What a machine has installed, by `category/name-version`.
pub fn installed(lab: &Lab, machine: &str) -> BTreeMap<String, Installed> {
    let text = lab.sh(
        machine,
        r#"cd /var/db/pkg
        for package in */*/; do
            printf '%s' "${package%/}"
            for name in SLOT BUILD_ID USE RDEPEND; do
                printf '\t%s' "$(cat "$package/$name" 2>/dev/null || :)"
            done
            printf '\n'
        done"#,
    );
    let packages: BTreeMap<String, Installed> = text.lines().map(read_line).collect();
    assert!(!packages.is_empty(), "{machine} has nothing installed");
    packages
}

fn read_line(line: &str) -> (String, Installed) {
    let mut fields = line.split('\t').map(str::to_owned);
    let mut next = || fields.next().unwrap_or_default();
    let (cpv, slot, build_id, use_flags, rdepend) = (next(), next(), next(), next(), next());
    let package = Installed {
        slot,
        build_id,
        use_flags: use_flags.split_whitespace().map(str::to_owned).collect(),
        rdepend,
    };
    (cpv, package)
}
