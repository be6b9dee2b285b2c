//! What changes between the look at a store and the deletion is left alone.

use std::cell::Cell;
use std::fs;
use std::process::{Command, Stdio};

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_runtime::store::{LOCK, Record};

use super::collect::decide;
use super::machine::{Done, carry_out};
use super::needed::Needed;
use super::testing::{self, MONTH, Store, host, now};

fn left(done: &Done) -> Vec<&str> {
    done.left.iter().map(|(path, _)| path.as_str()).collect()
}

#[tokio::test]
async fn what_somebody_else_has_put_where_a_record_names_a_binary_stays() {
    let store = Store::new();
    let [larger, same, touched] =
        ["a/b-1", "a/c-1", "a/d-1"].map(|cpv| store.put(cpv, 1, 40, true));
    let content = |path: &str| fs::read_to_string(store.path().join(path)).unwrap();
    // Made by hand, under a number that was free again.
    store.write(
        &larger,
        "somebody else's, and larger than that of the record",
        40,
    );
    store.write(&same, &content(&same).replace("content", "CONTENT"), 40);
    let catalog = store.look().await;
    assert_eq!((catalog.ours.len(), catalog.foreign.files), (2, 1));
    assert_eq!(catalog.without_file, []);
    let done = store.collect(&catalog, &Needed::default()).await.unwrap();
    assert_eq!((done.binaries, done.records), (1, 1));
    assert_eq!(left(&done), [&same]);
    assert!(done.left[0].1.contains("other content"), "{:?}", done.left);
    assert!(!store.has(&touched));
    assert_eq!(store.indexed(), [larger, same]);
}

#[tokio::test]
async fn a_binary_whose_record_is_about_another_one_by_now_stays() {
    let store = Store::new();
    let path = store.put("a/b-1", 1, 40, true);
    let catalog = store.look().await;
    let (_, other) = store.put_binary("a/b-1", 2, 0);
    let key = testing::key("a/b-1", 1);
    store.keep(&Record { key, ..other });
    let done = store.collect(&catalog, &Needed::default()).await.unwrap();
    assert_eq!(
        (done.binaries, done.records, left(&done)),
        (0, 0, vec![path.as_str()])
    );
    let after = store.look().await;
    assert_eq!(
        (after.ours.len(), after.orphans.len()),
        (1, 1),
        "it is a duplicate now"
    );
}

#[tokio::test]
async fn a_record_that_is_about_something_by_now_stays() {
    let store = Store::new();
    let [published, renewed, gone] = ["a/b-1", "a/c-1", "a/d-1"].map(|cpv| {
        let path = store.put(cpv, 1, 40, true);
        fs::rename(store.path().join(&path), store.path().join("away")).unwrap();
        path
    });
    let catalog = store.look().await;
    assert_eq!(catalog.without_file.len(), 3);
    store.put("a/b-1", 1, 0, true);
    let (other, record) = store.put_binary("a/c-1", 2, 0);
    let key = testing::key("a/c-1", 1);
    store.keep(&Record { key, ..record });
    let done = store.collect(&catalog, &Needed::default()).await.unwrap();
    assert_eq!((done.records, left(&done).len()), (1, 0));
    let after = store.look().await;
    let mut ours: Vec<&str> = after.ours.iter().map(|it| it.path.as_str()).collect();
    ours.sort_unstable();
    assert_eq!(ours, [&published, &other]);
    assert_eq!(after.without_file, []);
    assert!(!store.has(&renewed) && !store.has(&gone));
}

/// Holds the lock until its standard input ends, and says when it has it.
const HOLD: &str = "hold_store \"$1\" 60 30\n: > \"$1/held\"\ncat > /dev/null\n";

#[tokio::test]
async fn who_waits_for_the_lock_asks_again_whether_the_store_may_be_written() {
    let store = Store::new();
    let path = store.put("a/b-1", 1, 40, true);
    let catalog = store.look().await;
    let needed = Needed::default();
    let decision = decide(&catalog, &needed, &MONTH, now());
    let mut holder = Command::new("sh")
        .args(["-c", &format!("{LOCK}{HOLD}"), "hold"])
        .arg(store.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    while !store.has("held") {
        assert!(
            holder.try_wait().unwrap().is_none(),
            "it cannot hold the lock"
        );
        tokio::task::yield_now().await;
    }
    let asked = Cell::new(0);
    // A run begins while a builder holds the lock.
    let permitted = async || {
        asked.set(asked.get() + 1);
        match asked.get() {
            1 => Ok(()),
            _ => Err(Failure::new(FailureClass::Transient, "RunGoesOn", "a run")),
        }
    };
    let host = host().await;
    let done = carry_out(host.as_ref(), store.path(), &catalog, &decision, permitted).await;
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    assert_eq!(done.unwrap_err().cause, "RunGoesOn");
    assert_eq!(asked.get(), 2);
    assert!(store.has(&path) && store.indexed() == [path]);
}
