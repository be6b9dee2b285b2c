//! What cannot be read, what reads otherwise each time, and what somebody else has put there is not
//! deleted.

use std::fs;

use super::super::measure::Measured;
use super::fixture::{Store, now, path_of};
use super::*;

#[tokio::test]
async fn what_cannot_be_read_is_told_and_neither_removed_nor_taken_for_spoiled() {
    let store = Store::with(&["a-1-1", "a-1-2", "b-1-1"]);
    store.record("a-1-1");
    store.note("a-1-2", "a-1", 2);
    store.fix_index();
    let Verified {
        inventory,
        mut measures,
        ..
    } = store.verify().await;
    for name in ["a-1-1", "b-1-1"] {
        let cause = "Too many open files".to_owned();
        measures.insert(path_of(name), Measured::Unreadable(cause));
    }
    let judgement = judge(&inventory, &measures, now());
    let unread = ["a-1-1", "b-1-1"].map(path_of);
    let expected = [
        format!("cannot_be_read {}", unread[0]),
        format!("cannot_be_read {}", unread[1]),
        // Its key is served, as far as anybody knows.
        format!("duplicate {}", path_of("a-1-2")),
    ];
    assert_eq!(told(&judgement.findings), expected);
    assert_eq!(judgement.doubted(), unread.into(), "they are read again");
    let findings = judgement.findings.iter();
    let mut faults = findings.filter(|finding| finding.is_fault());
    assert!(faults.all(|finding| !finding.is_mendable()));
    let plan = Plan::of(&judgement.findings, &inventory, &measures, store.fix());
    assert_eq!(plan, None);
}

#[tokio::test]
async fn what_reads_otherwise_before_it_is_removed_is_left_alone() {
    let store = Store::with(&["ours-1-1", "foreign-1-1"]);
    store.record("ours-1-1");
    let both = ["foreign-1-1", "ours-1-1"];
    both.iter().for_each(|name| store.spoil(name));
    let verified = store.verify().await;
    let paths = both.map(path_of);
    let spoiled = paths.clone().map(|path| format!("spoiled {path}"));
    assert_eq!(told(&verified.findings), spoiled);
    // The bytes are what they were, and size, time and inode, too, as if they had only been read wrongly.
    both.iter().for_each(|name| store.spoil(name));
    let repaired = store.repair(&verified).await;
    let words = "it reads otherwise each time".to_owned();
    let left = paths.clone().map(|path| (path, words.clone()));
    let expected = Repaired {
        left: left.into(),
        ..Repaired::default()
    };
    assert_eq!(repaired, expected);
    assert_eq!(store.indexed(), paths.into());
    assert_eq!(told(&store.verify().await.findings), [""; 0]);
}

#[tokio::test]
async fn a_whole_binary_of_somebody_else_where_a_record_names_another_one_stays() {
    let store = Store::with(&["a-1-1", "b-1-1"]);
    store.record("a-1-1");
    // By hand, under a number that is free again.
    store.remove("a-1-1");
    store.make(&["a-1-1"]);
    // Portage tells it from the old one by size and whole seconds.
    store.age(&path_of("a-1-1"), 1);
    store.fix_index();
    let made = fs::read(store.path().join(path_of("a-1-1"))).unwrap();
    let verified = store.verify().await;
    let replaced = format!("replaced {}", path_of("a-1-1"));
    assert_eq!(told(&verified.findings), [replaced]);
    let repaired = store.repair(&verified).await;
    let expected = Repaired {
        records: 1,
        ..Repaired::default()
    };
    assert_eq!(repaired, expected);
    assert_eq!(fs::read(store.path().join(path_of("a-1-1"))).unwrap(), made);
    assert_eq!(store.indexed(), ["a-1-1", "b-1-1"].map(path_of).into());
    assert_eq!(told(&store.verify().await.findings), [""; 0]);
}
