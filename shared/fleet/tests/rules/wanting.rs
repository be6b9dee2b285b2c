//! What guests want of a batch follows from what they have said.

use std::collections::BTreeMap;

use crate::common::*;
use gentoo_updater_fleet::batch::{Answer, merge};
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::snapshot::Snapshot;
use gentoo_updater_fleet::state::{Fleet, Run};

/// Two guests that differ in one flag, a third one that wants nothing, and what only a build needs.
fn scanned_fleet() -> History {
    let mut history = History::requested(&["g1", "g2", "g3"]);
    for (name, flag) in [("g1", true), ("g2", false)] {
        let updates = vec![
            update("a/tool-1").only_for_builds(),
            update("a/a-2").needs_to_build("a/tool-1"),
            update("b/b-2").flag("doc", flag),
        ];
        history.say(Event::GuestScanned(scanned(name, updates, vec![])));
    }
    history.say(Event::GuestScanned(scanned("g3", vec![], vec![])));
    history
}

fn merged(history: &History) -> Batch {
    let guests = history.run().guests.iter();
    let answers: Vec<_> = guests
        .map(|(name, known)| (name, &known.platform, known.scan.clone().unwrap()))
        .collect();
    let answers: Vec<Answer<'_>> = answers
        .iter()
        .map(|(guest, platform, scan)| Answer {
            guest,
            platform,
            updates: &scan.updates,
        })
        .collect();
    merge(&answers, &BTreeMap::new())
}

/// The batch as it was written before it was left to the readers what guests want.
fn told(history: &History, mut batch: Batch) -> Batch {
    for (name, plan) in &mut batch.guests {
        let scan = history.run().guests[name].scan.clone().unwrap();
        let mut wants = BTreeMap::new();
        for row in scan
            .updates
            .iter()
            .filter(|row| row.purpose == Purpose::Runtime)
        {
            let job = batch
                .jobs
                .iter_mut()
                .find(|job| job.key == row.key)
                .unwrap();
            job.wanted_by.insert(name.clone());
            wants.insert(row.key.cpv.clone(), job.id.clone());
        }
        plan.wants = Some(wants);
    }
    batch
}

fn planned(mut history: History, batch: Batch) -> History {
    history.say(Event::BatchPlanned(BatchPlanned {
        run: run_id(),
        batch,
    }));
    history
}

fn wanted(run: &Run, name: &str) -> Vec<String> {
    let plan = run.guests[&guest(name)].plan.clone().unwrap();
    let jobs = run.jobs.as_ref().unwrap();
    let wanted = run.wanted(&plan).into_values().map(|id| &jobs[id]);
    let mut names: Vec<String> = wanted
        .map(|job| format!("{} {:?}", job.key.cpv, job.key.use_flags.values().next()))
        .collect();
    names.sort();
    names
}

#[test]
fn each_guest_wants_the_jobs_of_its_own_rows_and_nobody_what_only_builds_need() {
    let history = scanned_fleet();
    let batch = merged(&history);
    assert!(batch.guests.values().all(|plan| plan.wants.is_none()));
    assert!(batch.jobs.iter().all(|job| job.wanted_by.is_empty()));
    let history = planned(history, batch);
    assert_eq!(
        wanted(history.run(), "g1"),
        ["a/a-2 None", "b/b-2 Some(true)"]
    );
    assert_eq!(
        wanted(history.run(), "g2"),
        ["a/a-2 None", "b/b-2 Some(false)"]
    );
    assert!(wanted(history.run(), "g3").is_empty());
    let shared = history.job("a/a-2").wanted_by;
    assert_eq!(shared, [guest("g1"), guest("g2")].into());
    assert!(history.job("a/tool-1").wanted_by.is_empty());
}

#[test]
fn a_batch_that_tells_what_guests_want_gives_the_same_state() {
    let history = scanned_fleet();
    let batch = merged(&history);
    let explicit = told(&history, batch.clone());
    assert_ne!(explicit, batch);
    let text = serde_json::to_string(&explicit).unwrap();
    let explicit = serde_json::from_str(&text).unwrap();
    let runs = [batch, explicit].map(|batch| planned(scanned_fleet(), batch).run().clone());
    assert_eq!(runs[0], runs[1]);
}

/// A guest would wait for it for ever.
#[test]
fn what_has_no_job_in_the_batch_is_held_back() {
    let history = scanned_fleet();
    let mut batch = merged(&history);
    batch.jobs.retain(|job| job.key.cpv != cpv("b/b-2"));
    let mut history = planned(history, batch);
    let built = ["a/tool-1", "a/a-2"].map(|name| built(&history.job(name)));
    built.into_iter().for_each(|event| history.say(event));
    let run = history.run();
    let known = &run.guests[&guest("g1")];
    let plan = known.plan.clone().unwrap();
    assert!(run.progress().is_over_for(&plan));
    let scan = known.scan.clone().unwrap();
    let closed = run.close(&history.fleet, &scan, &plan);
    let held: Vec<_> = closed.held.iter().map(|held| held.cpv.clone()).collect();
    assert_eq!(held, [cpv("b/b-2")]);
    assert_eq!(closed.install.len(), 1);
}

#[test]
fn a_snapshot_gives_back_what_guests_want() {
    let history = scanned_fleet();
    let batch = merged(&history);
    let history = planned(history, batch);
    let taken = Snapshot::take(history.fleet.clone(), worker("planner@x"), history.now());
    let read: Fleet = Snapshot::decode(&taken.encode().unwrap()).unwrap().fleet;
    assert_eq!(read, history.fleet);
    assert_eq!(
        wanted(&read.runs[&run_id()], "g2"),
        wanted(history.run(), "g2")
    );
}
