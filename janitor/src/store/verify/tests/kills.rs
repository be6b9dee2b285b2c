//! Killed at any step, what mends or collects a store leaves one that serves.

use std::os::unix::fs::MetadataExt as _;

use super::fixture::{Store, path_of};
use super::*;
use crate::store::killing::is_killed_at;

const COLLECT: &str = include_str!("../../collect.py");

#[tokio::test]
async fn killed_at_any_step_it_leaves_an_index_whose_files_are_whole_and_the_next_one_ends_it() {
    let names = [
        "good-1-1",
        "ours-1-1",
        "foreign-1-1",
        "gone-1-1",
        "orphan-1-1",
        "new-1-1",
    ];
    let spoiled = ["ours-1-1", "foreign-1-1", "gone-1-1"].map(path_of);
    let template = Store::with(&names[..5]);
    for name in ["good-1-1", "ours-1-1", "gone-1-1"] {
        template.record(name);
    }
    template.note("orphan-1-1", "orphan-1", 2);
    template.fix_index();
    template.make(&names[5..]);
    template.spoil("ours-1-1");
    template.spoil("foreign-1-1");
    template.remove("gone-1-1");
    template.write("Packages.gz", "other", 0);
    let before = template.read("Packages");
    let verified = template.verify().await;
    let mut killed = 0;
    for step in 0.. {
        let store = template.copy();
        let plan = Plan::of(
            &verified.findings,
            &verified.inventory,
            &verified.measures,
            store.fix(),
        );
        let input = serde_json::to_vec(&plan.unwrap()).unwrap();
        let program = format!("{INDEX}{NOTES}{REPAIR}");
        let is_killed = is_killed_at(step, store.path(), &program, &input);
        // Either it has not begun, or nobody finds what is spoiled.
        let indexed = store.indexed();
        assert!(indexed.contains(&path_of("good-1-1")), "{step}");
        let is_untouched = store.read("Packages") == before;
        let found = spoiled.iter().find(|path| indexed.contains(*path));
        assert!(is_untouched || found.is_none(), "{step}: {found:?}");
        let binaries = store.binaries();
        let left: Vec<&String> = indexed.difference(&binaries).collect();
        // As long as it has not begun the index names what was gone before, and nothing else.
        let gone: &[&String] = if is_untouched { &[&spoiled[2]] } else { &[] };
        assert_eq!(left, gone, "{step}: in the index, and not there");
        // What is taken away is not somebody else's for whoever comes next.
        let verified = store.verify().await;
        store.repair(&verified).await;
        let after = store.verify().await;
        assert!(!after.has_faults(), "{step}: {:?}", after.findings);
        let [good, orphan, new] = ["good-1-1", "orphan-1-1", "new-1-1"].map(path_of);
        assert_eq!(store.indexed(), [good, orphan, new].into(), "{step}");
        assert_eq!(store.indexed(), store.binaries(), "{step}");
        let quarantined = told(&after.findings);
        assert_eq!(quarantined.len(), 1, "{step}: {quarantined:?}");
        for package in ["good-1", "orphan-1"] {
            let record = format!(".gentoo-updater/keys/{}.json", store.key(package));
            assert!(store.has(&record), "{step}: {package}");
        }
        if !is_killed {
            break;
        }
        killed += 1;
    }
    assert!(killed > 15, "{killed} steps were seen");
}

#[tokio::test]
async fn of_a_store_whose_collector_was_killed_at_any_step_portage_takes_every_indexed_binary() {
    let going = ["a-1-1", "a-1-2", "b-1-1"];
    let template = Store::with(&["a-1-1", "a-1-2", "b-1-1", "c-1-1"]);
    template.record("a-1-2");
    template.record("b-1-1");
    template.record("c-1-1");
    template.note("a-1-1", "a-1", 2);
    template.write("Packages.gz", "other", 0);
    let mut killed = 0;
    for step in 0.. {
        let store = template.copy();
        let line = |name: &str| {
            let path = path_of(name);
            let found = store.path().join(&path).metadata().unwrap();
            let nanoseconds = found.mtime() * 1_000_000_000 + found.mtime_nsec();
            let key = store.key(name.rsplit_once('-').unwrap().0);
            let kind = if name == "a-1-1" { "orphan" } else { "binary" };
            let (size, inode) = (found.size(), found.ino());
            format!("{kind} {path} {key} {size} {nanoseconds} {inode}\n")
        };
        let input: String = going.map(line).concat();
        let program = format!("{INDEX}{NOTES}{COLLECT}");
        let is_killed = is_killed_at(step, store.path(), &program, input.as_bytes());
        assert!(store.indexed().contains(&path_of("c-1-1")), "{step}");
        store.installs();
        if !is_killed {
            assert_eq!(store.indexed(), [path_of("c-1-1")].into());
            assert_eq!(store.indexed(), store.binaries());
            break;
        }
        killed += 1;
    }
    assert!(killed > 10, "{killed} steps were seen");
}
