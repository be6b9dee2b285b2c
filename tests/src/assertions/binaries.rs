//! What the shared store holds, read from its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::fixtures::Lab;

/// One entry of the index `Packages`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed(BTreeMap<String, String>);

impl Indexed {
    /// A variable of the entry; empty where Portage left it out.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The flags that are on.
    pub fn use_flags(&self) -> BTreeSet<&str> {
        self.get("USE").split_whitespace().collect()
    }
}

/// The binaries of a store.
#[derive(Debug)]
pub struct Binaries {
    /// The entries of the index.
    pub index: Vec<Indexed>,
    /// The records that say which binary serves which build key.
    pub records: Vec<Value>,
}

impl Binaries {
    /// Reads a lab's store, and compares its index with its files.
    ///
    /// # Panics
    /// When index and files do not agree.
    pub fn of(lab: &Lab) -> Self {
        let store = lab.store();
        let text = fs::read_to_string(store.join("Packages")).expect("the store has an index");
        let index: Vec<Indexed> = text
            .split("\n\n")
            .skip(1)
            .filter(|entry| !entry.trim().is_empty())
            .map(|entry| {
                let pairs = entry.lines().filter_map(|line| line.split_once(": "));
                Indexed(
                    pairs
                        .map(|(key, value)| (key.to_owned(), value.to_owned()))
                        .collect(),
                )
            })
            .collect();
        for entry in &index {
            let path = store.join(entry.get("PATH"));
            let size = fs::metadata(&path).map(|file| file.len().to_string());
            assert!(
                size.as_ref().is_ok_and(|size| size == entry.get("SIZE")),
                "the index says {} bytes of {}, which has {size:?}",
                entry.get("SIZE"),
                path.display()
            );
        }
        Self {
            index,
            records: records(lab),
        }
    }

    /// The paths of all that the index names, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let mut paths: Vec<&str> = self.index.iter().map(|entry| entry.get("PATH")).collect();
        paths.sort_unstable();
        paths.into_iter()
    }

    /// The entries of one version.
    pub fn entries(&self, cpv: &str) -> Vec<&Indexed> {
        self.index
            .iter()
            .filter(|entry| entry.get("CPV") == cpv)
            .collect()
    }

    /// The entry of one binary.
    ///
    /// # Panics
    /// When there is none.
    pub fn entry(&self, cpv: &str, build_id: &str) -> &Indexed {
        self.entries(cpv)
            .into_iter()
            .find(|entry| entry.get("BUILD_ID") == build_id)
            .unwrap_or_else(|| panic!("the store has no {cpv} with BUILD_ID {build_id:?}"))
    }

    /// The entry of the binary at this path.
    ///
    /// # Panics
    /// When there is none.
    pub fn at(&self, path: &str) -> &Indexed {
        let found = self.index.iter().find(|entry| entry.get("PATH") == path);
        found.unwrap_or_else(|| panic!("the index names no {path}"))
    }

    /// The packages that have a record, each as often as it has one.
    pub fn recorded(&self) -> Vec<String> {
        let name = |record: &Value| record["binary"]["cpv"].as_str().map(str::to_owned);
        let mut names: Vec<String> = self.records.iter().filter_map(name).collect();
        names.sort();
        names
    }
}

/// Prints the path of each file in the store that could be a binary.
const LIST_BINARIES: &str = r#"
cd /var/cache/binpkgs
find . -path ./.gentoo-updater -prune -o -type f \
    \( -name '*.gpkg.tar' -o -name '*.xpak' -o -name '*.tbz2' \) -printf '%P\n' | LC_ALL=C sort
"#;

/// Every binary in the store is in its index once, and the index names none that is not there:
/// Portage's own check, and a count of files that trusts nobody.
///
/// # Panics
/// When one is not.
pub fn every_file_is_indexed(lab: &Lab, builder: &str) {
    let said = lab.exec(builder, &["emaint", "--check", "binhost"]);
    assert!(
        said.code == 0,
        "emaint on {builder} ended with {}:\n{}{}",
        said.code,
        said.stdout,
        said.stderr
    );
    let files = lab.sh(builder, LIST_BINARIES);
    let binaries = Binaries::of(lab);
    let indexed: Vec<&str> = binaries.paths().collect();
    let files: Vec<&str> = files.lines().collect();
    assert!(!files.is_empty(), "the store has binaries");
    assert_eq!(files, indexed, "files (left), index (right)");
}

/// Nobody holds the lock that is a folder, and none that was taken away is left of it.
///
/// # Panics
/// When there is one.
pub fn lock_of_store_is_free(lab: &Lab) {
    let control = lab.store().join(".gentoo-updater");
    assert!(!control.join("lock.d").exists(), "the lock was given back");
}

fn records(lab: &Lab) -> Vec<Value> {
    let Ok(files) = fs::read_dir(lab.store().join(".gentoo-updater/keys")) else {
        return Vec::new();
    };
    let read = |path: std::path::PathBuf| {
        let text = fs::read_to_string(path).expect("a record can be read");
        serde_json::from_str(&text).expect("a record is JSON")
    };
    files.flatten().map(|file| read(file.path())).collect()
}
