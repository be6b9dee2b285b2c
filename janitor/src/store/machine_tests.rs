//! Looking into a real store, and taking out of it, also when that is killed.

use std::fs;
use std::path::Path;

use gentoo_updater_runtime::store::{INDEX, Record};
use tempfile::TempDir;

use super::*;
use crate::store::catalog::Total;
use crate::store::collect::{Cause, decide};
use crate::store::killing::is_killed_at;
use crate::store::needed::Needed;
use crate::store::orphans::Orphan;
use crate::store::testing::{self, MONTH, Store, host, now};

#[tokio::test]
async fn what_nobody_needs_and_is_old_goes_with_its_record_and_its_entry_and_nothing_else() {
    let store = Store::new();
    let old = store.put("a/b-1", 1, 40, true);
    let installed = store.put("a/b-2", 1, 40, true);
    let young = store.put("a/c-1", 1, 20, true);
    let foreign = store.put("a/d-1", 1, 90, false);
    let alone = store.put("b/e-1", 3, 90, true);
    let spoiled = format!("{young}._checksum_failure_.x1");
    store.write(&spoiled, "spoiled", 2);
    store.write(".gentoo-updater/incoming/now", "half", 0);
    store.write("a/d/a file of\nsomebody", "x", 90);
    let catalog = store.look().await;
    assert_eq!((catalog.ours.len(), catalog.foreign.files), (4, 1));
    assert_eq!(catalog.unreadable, Vec::<String>::new());
    let mut needed = Needed::default();
    needed.installed(&"g1".parse().unwrap(), &"a/b-2".parse().unwrap(), 1);
    let decision = decide(&catalog, &needed, &MONTH, now());
    let paths: Vec<&str> = decision.paths().map(|path| path.as_str()).collect();
    assert_eq!(paths, [alone.as_str(), old.as_str()]);

    let done = store.collect(&catalog, &needed).await.unwrap();
    assert_eq!((done.binaries, done.records, done.files), (2, 2, 1));
    assert_eq!(
        store.indexed(),
        [installed.clone(), young.clone(), foreign.clone()]
    );
    assert!(
        [&installed, &young, &foreign]
            .iter()
            .all(|path| store.has(path))
    );
    assert!(![&old, &alone, &spoiled].iter().any(|path| store.has(path)));
    assert!(
        !store.has("b/e") && store.has("a/b"),
        "folders go when they are empty"
    );
    assert!(store.has(".gentoo-updater/incoming/now") && !store.has(".gentoo-updater/lock.d"));
    let index = fs::read_to_string(store.path().join("Packages")).unwrap();
    assert!(index.contains("ARCH: amd64\nPACKAGES: 3\nTIMESTAMP: ") && !index.contains(": 7\n"));
    let after = store.look().await;
    assert_eq!((after.ours.len(), after.without_file.len()), (2, 0));
    let done = store.collect(&after, &needed).await;
    assert_eq!(done.unwrap(), Done::default());
}

#[tokio::test]
async fn what_no_record_names_goes_when_nobody_needs_it_and_it_is_surely_ours() {
    let store = Store::new();
    let recorded = store.put("a/b-1", 1, 2, true);
    let (orphan, _) = store.put_orphan("a/c-1", 1, 2);
    let (young, _) = store.put_orphan("a/c-1", 2, 0);
    let (installed, _) = store.put_orphan("a/c-1", 3, 2);
    // Of the key that has a binary already.
    let (duplicate, of_b) = store.put_binary("a/b-1", 2, 2);
    let record = Record {
        key: testing::key("a/b-1", 1),
        ..of_b
    };
    store.note(&duplicate, &record);
    // Of the same size, at a number that was reserved: but not what the builder has put there.
    let (foreign, _) = store.put_orphan("a/e-1", 1, 2);
    let content = fs::read_to_string(store.path().join(&foreign)).unwrap();
    store.write(&foreign, &content.replace("content", "CONTENT"), 2);
    let reserved = store.put("a/f-1", 1, 2, false);
    store.write(".gentoo-updater/build-ids/a/f/f-1-1/.keep", "", 0);

    let catalog = store.look().await;
    assert_eq!((catalog.ours.len(), catalog.foreign.files), (1, 1));
    let mut needed = Needed::default();
    needed.installed(&"g1".parse().unwrap(), &"a/c-1".parse().unwrap(), 3);
    let decision = decide(&catalog, &needed, &MONTH, now());
    let removals = decision.removals.iter();
    let mut removals: Vec<_> = removals
        .map(|removal| (removal.stored.path.as_str(), removal.cause))
        .collect();
    removals.sort_unstable();
    // The one that is none is found out when its content is read.
    let expected = [
        (duplicate.as_str(), Cause::Duplicate),
        (&orphan, Cause::Orphan),
        (&foreign, Cause::Orphan),
    ];
    assert_eq!(removals, expected);
    let done = store.collect(&catalog, &needed).await.unwrap();
    assert_eq!((done.binaries, done.records), (2, 0));
    for gone in [&orphan, &duplicate] {
        assert!(!store.has(gone) && !store.indexed().contains(gone));
    }
    for left in [&recorded, &young, &installed, &foreign, &reserved] {
        assert!(store.has(left) && store.indexed().contains(left), "{left}");
    }
    assert_eq!(
        store.look().await.ours.len(),
        1,
        "the record of a/b-1 stays"
    );
}

#[tokio::test]
async fn a_duplicate_stays_while_the_binary_of_its_key_is_spoiled() {
    let store = Store::new();
    let recorded = store.put("a/b-1", 1, 2, true);
    let (duplicate, of_b) = store.put_binary("a/b-1", 2, 2);
    let key = testing::key("a/b-1", 1);
    store.note(&duplicate, &Record { key, ..of_b });
    let good = fs::read_to_string(store.path().join(&recorded)).unwrap();
    store.write(&recorded, &good.replace("content", "CONTENT"), 2);
    let catalog = store.look().await;
    let needed = Needed::default();
    let collect = || store.collect(&catalog, &needed);
    assert_eq!(collect().await.unwrap().binaries, 0);
    assert!(store.has(&duplicate));
    store.write(&recorded, &good, 2);
    assert_eq!(collect().await.unwrap().binaries, 1);
    assert!(!store.has(&duplicate) && store.has(&recorded));
}

#[tokio::test]
async fn an_orphan_that_has_its_record_by_now_stays() {
    let store = Store::new();
    let (path, record) = store.put_orphan("a/b-1", 1, 2);
    let catalog = store.look().await;
    assert_eq!(catalog.orphans.len(), 1);
    store.keep(&record);
    let done = store.collect(&catalog, &Needed::default()).await;
    assert_eq!(done.unwrap().binaries, 0);
    assert!(store.has(&path) && store.indexed() == [path]);
}

#[tokio::test]
async fn a_record_of_another_version_is_named_and_its_binary_is_somebody_elses() {
    let store = Store::new();
    store.put("a/b-1", 1, 400, true);
    store.put("a/c-1", 1, 400, true);
    let keys = store.path().join(".gentoo-updater/keys");
    let record = |name: &str| {
        let files = fs::read_dir(&keys).unwrap();
        let mut files = files.map(|file| file.unwrap().path());
        let of = |file: &std::path::PathBuf| fs::read_to_string(file).unwrap().contains(name);
        files.find(of).unwrap()
    };
    let (newer, gone) = (record("a/b-1"), record("a/c-1"));
    let text = fs::read_to_string(&newer).unwrap();
    fs::write(&newer, text.replace("\"format\":1", "\"format\":2")).unwrap();
    fs::write(keys.join("0.json"), "cut o").unwrap();
    fs::remove_file(store.path().join("a/c/c-1-1.gpkg.tar")).unwrap();
    let catalog = store.look().await;
    let name = newer.file_name().unwrap().to_str().unwrap();
    let mut unreadable = vec!["0.json", name];
    unreadable.sort_unstable();
    assert_eq!(catalog.unreadable, unreadable);
    assert_eq!((catalog.ours.len(), catalog.foreign.files), (0, 1));
    assert_eq!(catalog.without_file.len(), 1);
    let done = store.collect(&catalog, &Needed::default()).await;
    assert_eq!(done.unwrap().records, 1);
    assert!(!gone.exists() && newer.exists());
}

#[tokio::test]
async fn an_empty_store_has_nothing_and_one_that_is_not_there_is_an_error() {
    let folder = TempDir::new().unwrap();
    let host = host().await;
    let catalog = look(host.as_ref(), folder.path()).await.unwrap();
    assert_eq!(catalog, Catalog::default());
    let error = look(host.as_ref(), &folder.path().join("gone")).await;
    let error = error.unwrap_err();
    assert_eq!(error.cause, "StoreUnreadable", "{error}");
}

#[tokio::test]
async fn an_index_that_is_none_stops_everything_before_a_file_is_gone() {
    let store = Store::new();
    let old = store.put("a/b-1", 1, 40, true);
    let index = store.path().join("Packages");
    fs::write(&index, "what is this?\n").unwrap();
    let catalog = store.look().await;
    let collect = async || {
        store
            .collect(&catalog, &Needed::default())
            .await
            .unwrap_err()
    };
    let error = collect().await;
    assert_eq!(error.cause, "StoreIndexBroken", "{error}");
    fs::rename(&index, index.with_extension("gz")).unwrap();
    let error = collect().await;
    assert_eq!(error.cause, "StoreIndexBroken", "{error}");
    assert!(store.has(&old));
}

fn files_below(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap();
    let count = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path) } else { 1 }
    };
    entries.map(count).sum()
}

#[tokio::test]
async fn killed_at_any_step_it_leaves_an_index_whose_files_are_all_there_and_the_next_one_ends_it()
{
    let mut killed = 0;
    for step in 0.. {
        let store = Store::new();
        for number in 1..=2 {
            store.put("a/b-1", number, 40, true);
            store.put(&format!("b/c{number}-1"), 1, 40, true);
        }
        store.put_orphan("b/d-1", 1, 40);
        let kept = store.put("a/b-2", 1, 1, true);
        let catalog = store.look().await;
        let going = catalog.ours.iter().filter(|it| it.path.as_str() != kept);
        let orphans = catalog.orphans.iter().map(|Orphan { stored, .. }| stored);
        let lines = |kind: &str, stored: &Stored| {
            let [size, nanoseconds, inode] = store.state(stored.path.as_str());
            let Stored { path, key, .. } = stored;
            format!("{kind} {path} {key} {size} {nanoseconds} {inode}\n")
        };
        let input: String = going
            .map(|stored| lines("binary", stored))
            .chain(orphans.map(|stored| lines("orphan", stored)))
            .collect();
        let program = format!("{INDEX}{NOTES}{COLLECT}");
        let is_killed = is_killed_at(step, store.path(), &program, input.as_bytes());
        let indexed = store.indexed();
        assert!(indexed.contains(&kept) && store.has(&kept), "{step}");
        for path in &indexed {
            assert!(store.has(path), "{step}: {path} is in the index and gone");
        }
        // Whoever comes next finds what is left, and takes it away.
        let left = store.look().await;
        assert_eq!(left.foreign, Total::default(), "{step}: whose was it?");
        store.collect(&left, &Needed::default()).await.unwrap();
        let after = store.look().await;
        assert_eq!(
            (after.ours.len(), after.without_file.len()),
            (1, 0),
            "{step}"
        );
        assert_eq!(store.indexed(), [kept], "{step}");
        if !is_killed {
            let notes = store.path().join(".gentoo-updater/build-ids");
            assert_eq!(files_below(&notes), 1, "what is gone has no note");
            break;
        }
        killed += 1;
    }
    assert!(killed > 15, "{killed} steps were seen");
}
