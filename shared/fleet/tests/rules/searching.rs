//! What the stores hold is not built.

use crate::common::*;
use crate::orders::{commands, orders};
use gentoo_updater_fleet::decide::Order;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::JobId;
use gentoo_updater_fleet::report::Report;
use std::collections::BTreeSet;

fn to_build(history: &History) -> BTreeSet<String> {
    let name = |command| match command {
        Command::BuildPackage(build) => Some(build.job.key.cpv.to_string()),
        _ => None,
    };
    commands(history).into_iter().filter_map(name).collect()
}

/// A guest wants `a/b`, which needs `a/a` to be built, and `a/c`.
fn planned() -> History {
    let updates = vec![
        update("a/a-1"),
        update("a/b-1").needs_to_build("a/a-1"),
        update("a/c-1"),
    ];
    let mut history = History::requested(&["g1"]);
    history.say(Event::GuestScanned(scanned("g1", updates, vec![])));
    let planned = orders(&history);
    let [Order::Publish(planned)] = &planned[..] else {
        panic!("{planned:?}")
    };
    history.say(planned.clone());
    history
}

fn held(history: &History, names: &[&str], attempt: u32) -> StoreSearched {
    let held = names.iter().map(|name| {
        let job = history.job(name);
        (job.id.clone(), binary(&job.key, 7))
    });
    StoreSearched {
        run: run_id(),
        platform: platform(),
        attempt,
        builder: "b1".parse().unwrap(),
        held: held.collect(),
    }
}

fn failed(attempt: u32, failure: Failure) -> Event {
    Event::SearchFailed(SearchFailed {
        run: run_id(),
        platform: platform(),
        attempt,
        failure,
    })
}

fn assert_complete(history: &History) {
    let last = orders(history);
    let [Order::Publish(Event::RunFinished(end))] = &last[..] else {
        panic!("{last:?}")
    };
    assert_eq!(end.outcome, RunOutcome::Complete);
}

#[test]
fn a_store_is_searched_once_for_all_that_is_wanted_before_anything_is_built() {
    let history = planned();
    let commands = commands(&history);
    let [Command::SearchStore(search)] = &commands[..] else {
        panic!("{commands:?}")
    };
    let jobs = history.run().jobs.clone().unwrap();
    assert_eq!((search.attempt, &search.platform), (1, &platform()));
    let wanted: Vec<&JobId> = search.wanted.keys().collect();
    assert_eq!(wanted, jobs.keys().collect::<Vec<_>>());
    for (id, wanted) in &search.wanted {
        assert_eq!(wanted.key, *jobs[id].key);
        assert_eq!(wanted.compiled_as, jobs[id].compiled_as);
    }
}

#[test]
fn what_is_there_is_not_built_and_what_waits_for_it_can_begin_at_once() {
    let mut history = planned();
    history.say(Event::StoreSearched(held(&history, &["a/a-1"], 1)));
    let commands = commands(&history);
    let build = |command| match command {
        Command::BuildPackage(build) => build,
        other => panic!("{other:?}"),
    };
    let builds: Vec<BuildPackage> = commands.into_iter().map(build).collect();
    assert_eq!(builds.len(), 2);
    let of_b = builds.iter().find(|it| it.job.key.cpv == cpv("a/b-1"));
    let needed = &of_b.unwrap().dependencies;
    assert_eq!(*needed, [binary(&history.job("a/a-1").key, 7)]);
}

#[test]
fn a_guest_for_whom_all_is_there_gets_it_at_once_and_nobody_is_cleaned() {
    let mut history = planned();
    let all = held(&history, &["a/a-1", "a/b-1", "a/c-1"], 1);
    history.claim(Task::Search(platform()), 1, "builder@b1");
    history.say(Event::StoreSearched(all));
    let commands = commands(&history);
    let [Command::InstallPackages(set)] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(set.packages.len(), 3);
    history.say(updated(vec![]));
    assert_complete(&history);
    let report = Report::of(&history.fleet, history.run());
    assert!(report.jobs.iter().all(|job| job.state == "reused"));
    assert!(report.builders.is_empty(), "no builder has changed");
}

#[test]
fn a_search_that_fails_holds_nobody_up_and_fails_nothing() {
    let mut history = planned();
    history.say(failed(1, transient("Unreachable")));
    let given_up = orders(&history);
    let [Order::Publish(Event::TaskAbandoned(given_up))] = &given_up[..] else {
        panic!("{given_up:?}")
    };
    assert_eq!(given_up.failure, transient("Unreachable"));
    history.say(Event::TaskAbandoned(given_up.clone()));
    let all: BTreeSet<String> = ["a/a-1", "a/c-1"].map(str::to_owned).into();
    assert_eq!(to_build(&history), all);
    history.say(Event::StoreSearched(held(&history, &["a/a-1"], 1)));
    assert_eq!(to_build(&history), all, "it comes too late");
    for name in ["a/a-1", "a/b-1", "a/c-1"] {
        history.say(built(&history.job(name)));
    }
    history.say(updated(vec![]));
    history.say(cleaned(run_id(), 1));
    assert_complete(&history);
}

#[test]
fn what_a_store_is_said_to_hold_of_another_platform_or_of_no_job_changes_nothing() {
    let mut history = planned();
    let own = held(&history, &["a/a-1"], 1);
    history.say(Event::StoreSearched(StoreSearched {
        platform: "other".parse().unwrap(),
        ..own.clone()
    }));
    assert!(history.run().built.is_empty());
    let (job, binary) = own.held.into_iter().next().unwrap();
    let key = history.run().jobs.as_ref().unwrap()[&job].key.clone();
    let unknown = JobId::of(&"other".parse().unwrap(), &key);
    history.say(Event::StoreSearched(StoreSearched {
        held: [(unknown, binary)].into(),
        ..held(&history, &[], 1)
    }));
    assert!(history.run().built.is_empty());
}
