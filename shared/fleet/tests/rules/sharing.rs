//! What many guests say alike is in memory once, also behind a snapshot.

use std::sync::Arc;

use crate::common::*;
use gentoo_updater_fleet::batch::{Answer, merge};
use gentoo_updater_fleet::message::{BatchPlanned, Event, GuestUpdated, PackageChange, Update};
use gentoo_updater_fleet::snapshot::Snapshot;
use gentoo_updater_fleet::state::Fleet;

fn says(history: &mut History, name: &str, flag: bool) {
    let updates = vec![update("a/a-2"), update("b/b-2").flag("doc", flag)];
    let has = vec![installed("a/a-1", "0", &[])];
    history.say(Event::GuestScanned(scanned(name, updates, has)));
}

/// Whether two guests share their rows: `a/a`, `b/b`, and what they have installed.
fn shared(fleet: &Fleet, one: &str, other: &str) -> [bool; 3] {
    let scan = |name| {
        let guest = &fleet.runs[&run_id()].guests[&guest(name)];
        guest.scan.clone().unwrap()
    };
    let (one, other) = (scan(one), scan(other));
    [
        Arc::ptr_eq(&one.updates[0], &other.updates[0]),
        Arc::ptr_eq(&one.updates[1], &other.updates[1]),
        Arc::ptr_eq(&one.installed[0], &other.installed[0]),
    ]
}

#[test]
fn guests_share_the_rows_that_they_tell_alike_and_no_others() {
    let mut history = History::requested(&["g1", "g2", "g3"]);
    says(&mut history, "g1", true);
    says(&mut history, "g2", true);
    says(&mut history, "g3", false);
    assert_eq!(shared(&history.fleet, "g1", "g2"), [true; 3]);
    assert_eq!(shared(&history.fleet, "g1", "g3"), [true, false, true]);
}

#[test]
fn a_snapshot_writes_each_row_once_and_gives_shared_rows_back() {
    let mut history = History::requested(&["g1", "g2", "g3"]);
    says(&mut history, "g1", true);
    says(&mut history, "g2", false);
    let text = serde_json::to_string(&history.fleet).unwrap();
    assert_eq!(text.matches("a/a-2").count(), 1, "{text}");
    let packed = Snapshot::take(history.fleet.clone(), worker("planner@x"), history.now());
    let packed = packed.encode().unwrap();
    let read = Snapshot::decode(&packed).unwrap().fleet;
    assert_eq!(read, history.fleet);
    assert_eq!(shared(&read, "g1", "g2"), [true, false, true]);
    // What is told after it is shared with what was told before.
    history.fleet = read;
    says(&mut history, "g3", false);
    assert_eq!(shared(&history.fleet, "g2", "g3"), [true; 3]);
}

#[test]
fn jobs_share_keys_with_the_rows_that_want_them_also_behind_a_snapshot() {
    let mut history = History::requested(&["g1"]);
    let rows = vec![update("a/a-2"), update("b/b-2").needs_to_build("a/a-2")];
    let (name, platform, told) = (guest("g1"), platform(), crate::common::rows(rows.clone()));
    let answer = Answer {
        guest: &name,
        platform: &platform,
        updates: &told,
    };
    let batch = merge(&[answer], &Default::default());
    history.say(Event::GuestScanned(scanned("g1", rows, vec![])));
    let run = run_id();
    history.say(Event::BatchPlanned(BatchPlanned { run, batch }));
    let packed = Snapshot::take(history.fleet.clone(), worker("planner@x"), history.now());
    let read = Snapshot::decode(&packed.encode().unwrap()).unwrap().fleet;
    for fleet in [&history.fleet, &read] {
        let run = &fleet.runs[&run];
        let scan = run.guests[&name].scan.as_ref().unwrap();
        let jobs = run.jobs.as_ref().unwrap();
        assert_eq!(jobs.len(), 2);
        for job in jobs.values() {
            let is_shared = |row: &Arc<Update>| Arc::ptr_eq(&row.key, &job.key);
            assert!(scan.updates.iter().any(is_shared), "{}", job.key.cpv);
            let (known, _) = run.guests.get_key_value(&name).unwrap();
            let wanted_by = job.wanted_by.first().unwrap();
            assert!(std::ptr::eq(wanted_by.as_str(), known.as_str()));
        }
        let needs = jobs.values().flat_map(|job| &job.build_needs);
        let needs: Vec<_> = needs.collect();
        let (known, _) = jobs.get_key_value(needs[0]).unwrap();
        assert!(std::ptr::eq(needs[0].as_str(), known.as_str()));
    }
    assert_eq!(read, history.fleet);
}

#[test]
fn what_changed_alike_is_shared_and_written_once() {
    let mut history = History::requested(&["g1", "g2"]);
    for name in ["g1", "g2"] {
        let change = |name: &str| PackageChange {
            before: None,
            after: Some(cpv(name)),
        };
        history.say(Event::GuestUpdated(GuestUpdated {
            run: run_id(),
            guest: guest(name),
            attempt: 1,
            changes: vec![change("a/a-2"), change("b/b-2")],
            held: vec![],
            findings: vec![],
        }));
    }
    let text = serde_json::to_string(&history.fleet).unwrap();
    assert_eq!(text.matches("a/a-2").count(), 1, "{text}");
    let read: Fleet = serde_json::from_str(&text).unwrap();
    assert_eq!(read, history.fleet);
    for fleet in [&history.fleet, &read] {
        let changes = |name| {
            let guest = &fleet.runs[&run_id()].guests[&guest(name)];
            guest.installation.clone().unwrap().changes
        };
        assert!(Arc::ptr_eq(&changes("g1")[1], &changes("g2")[1]));
    }
}

#[test]
fn a_snapshot_whose_rows_are_not_there_is_refused() {
    let mut history = History::requested(&["g1"]);
    says(&mut history, "g1", true);
    let text = serde_json::to_string(&history.fleet).unwrap();
    let damaged = text.replacen("\"updates\":[0,1]", "\"updates\":[0,7]", 1);
    assert_ne!(text, damaged);
    let error = serde_json::from_str::<Fleet>(&damaged).unwrap_err();
    assert!(error.to_string().contains("no row 7"), "{error}");
}
