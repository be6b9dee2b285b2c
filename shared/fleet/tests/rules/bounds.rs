//! What the state keeps, and what it forgets so that it does not grow with the history.

use crate::common::runs::{finished, requested, run_number};
use crate::common::*;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::*;
use gentoo_updater_fleet::state::{
    KEPT_OCCURRENCES, KEPT_PLANNERS, KEPT_ROWS, KEPT_RUNS, KEPT_SCHEDULES, KEPT_WORKERS, KNOWN_RUNS,
};
use jiff::Timestamp;

fn many_runs(count: u128) -> History {
    let mut history = History::default();
    for number in 0..count {
        history.say(requested(run_number(number)));
        history.say(finished(run_number(number)));
    }
    history
}

#[test]
fn runs_that_ended_long_ago_are_forgotten_and_still_known_to_be_over() {
    let mut history = many_runs(25);
    assert_eq!(history.fleet.runs.len(), KEPT_RUNS);
    let forgotten = run_number(0);
    let work = WorkKey {
        run: forgotten,
        task: Task::Scan(guest("g1")),
        attempt: 1,
    };
    assert!(history.fleet.is_finished(&work));
    let before = history.fleet.runs.clone();
    history.say(requested(forgotten));
    history.say(finished(forgotten));
    history.say(Event::WorkStarted(WorkStarted {
        work,
        worker: worker("scanner@1"),
        builder: None,
    }));
    assert_eq!(history.fleet.runs, before);
}

#[test]
fn a_run_is_kept_with_all_its_rounds_or_not_at_all() {
    let mut history = many_runs(10);
    let (first, mut rounds) = (run_number(10), Vec::new());
    let mut follows = None;
    for _ in 0..3 {
        let run: RunId = follows.map_or(first, |before: RunId| before.following());
        let mut request = requested(run);
        if let Event::RunRequested(request) = &mut request {
            request.follows = follows;
        }
        history.say(request);
        history.say(finished(run));
        rounds.push(run);
        follows = Some(run);
    }
    let is_kept = |history: &History, run: &RunId| history.fleet.runs.contains_key(run);
    assert!(rounds.iter().all(|run| is_kept(&history, run)));
    let oldest = 11 - KEPT_RUNS as u128;
    assert!(is_kept(&history, &run_number(oldest)));
    assert!(!is_kept(&history, &run_number(oldest - 1)));
    for number in 20..20 + KEPT_RUNS as u128 {
        history.say(requested(run_number(number)));
        history.say(finished(run_number(number)));
    }
    assert!(!rounds.iter().any(|run| is_kept(&history, run)));
}

#[test]
fn the_newest_run_of_a_guest_is_the_newest_that_it_was_part_of() {
    let mut history = History::default();
    for (number, of) in [(1, "g1"), (2, "g1"), (3, "g2")] {
        let mut request = requested(run_number(number));
        if let Event::RunRequested(request) = &mut request {
            request.guests.retain(|name, _| *name == guest(of));
            request.guests.entry(guest(of)).or_insert_with(platform);
        }
        history.say(request);
    }
    let newest = |of: &str| history.fleet.newest_of(&guest(of)).map(|run| run.id);
    assert_eq!(newest("g1"), Some(run_number(2)));
    assert_eq!(newest("g2"), Some(run_number(3)));
    assert_eq!(newest("g3"), None);
}

#[test]
fn runs_that_claim_to_follow_each_other_hold_nobody_up() {
    let mut history = History::default();
    let [one, other] = [run_number(1), run_number(2)];
    for (run, follows) in [(one, other), (other, one), (run_number(3), run_number(3))] {
        let mut request = requested(run);
        if let Event::RunRequested(request) = &mut request {
            request.follows = Some(follows);
        }
        history.say(request);
    }
    for number in 1..4 {
        history.say(finished(run_number(number)));
    }
    assert_eq!(history.fleet.over.len(), 3);
}

#[test]
fn a_run_that_ends_late_is_kept_although_it_was_requested_first() {
    let mut history = History::default();
    history.say(requested(run_number(0)));
    for number in 1..60 {
        history.say(requested(run_number(number)));
        history.say(finished(run_number(number)));
    }
    assert!(
        history
            .fleet
            .unfinished()
            .any(|run| run.id == run_number(0))
    );
    history.say(finished(run_number(0)));
    assert!(history.fleet.runs.contains_key(&run_number(0)));
}

#[test]
fn not_even_the_list_of_runs_that_are_over_grows_for_ever() {
    let history = many_runs(1010);
    assert_eq!(history.fleet.over.len(), KNOWN_RUNS);
    assert!(!history.fleet.is_over(run_number(9)));
    assert!(history.fleet.is_over(run_number(10)));
}

#[test]
fn a_run_that_is_over_keeps_no_list_of_what_its_guests_have_installed() {
    let mut history = History::requested(&["g1"]);
    let has = vec![installed("a/a-1", "0", &[])];
    history.say(Event::GuestScanned(scanned("g1", vec![], has)));
    let installed = |history: &History| {
        let scan = history.run().guests[&guest("g1")].scan.clone();
        scan.unwrap().installed.len()
    };
    assert_eq!(installed(&history), 1);
    history.say(finished(run_id()));
    assert_eq!(installed(&history), 0);
}

#[test]
fn of_planners_and_of_workers_those_that_registered_last_are_kept() {
    let mut history = History::default();
    let mut register = |id: String, role| {
        history.say(Event::WorkerRegistered(WorkerRegistered {
            worker: worker(&id),
            role,
            queues: Vec::new(),
            machine: None,
        }));
    };
    register("builder@fast".to_owned(), Role::Builder);
    register("builder@gone".to_owned(), Role::Builder);
    for number in 0..KEPT_WORKERS - 1 {
        register(format!("planner@{number}"), Role::Planner);
        // One that is there says so again.
        register("builder@fast".to_owned(), Role::Builder);
        register(format!("scanner@{number}"), Role::Scanner);
    }
    let workers = &history.fleet.workers;
    assert!(workers.contains_key(&worker("builder@fast")));
    assert!(!workers.contains_key(&worker("builder@gone")));
    assert_eq!(workers.len(), KEPT_WORKERS + KEPT_PLANNERS);
    assert!(workers.contains_key(&worker(&format!("planner@{}", KEPT_WORKERS - 2))));
}

/// A snapshot has to hold all of them.
#[test]
fn fewer_runs_are_kept_where_they_tell_very_much() {
    let mut history = History::default();
    let row = std::sync::Arc::new(update("a/a-2"));
    // Two runs of this size are too much together, beside the newest one too.
    for (number, rows) in [
        (0, 10),
        (1, KEPT_ROWS * 2 / 3),
        (2, KEPT_ROWS * 2 / 3),
        (3, 10),
    ] {
        let run = run_number(number);
        history.say(requested(run));
        history.say(Event::GuestScanned(GuestScanned {
            run,
            updates: vec![row.clone(); rows],
            ..scanned("g1", vec![], vec![])
        }));
        history.say(finished(run));
    }
    let kept: Vec<RunId> = history.fleet.runs.keys().copied().collect();
    assert_eq!(kept, [run_number(2), run_number(3)]);
}

#[test]
fn of_schedules_the_newest_are_kept_and_of_each_its_last_times() {
    let mut history = History::default();
    let name = |number: i64| -> ScheduleName { format!("s{number}").parse().unwrap() };
    let at = |second: i64| Timestamp::from_second(second).unwrap();
    let count = i64::try_from(KEPT_SCHEDULES).unwrap() + 5;
    for number in 0..count {
        history.say(Event::ScheduleAdopted(ScheduleAdopted {
            schedule: name(number),
            calendar: "@daily".to_owned(),
            time_zone: "UTC".to_owned(),
            since: at(number),
        }));
    }
    assert_eq!(history.fleet.schedules.len(), KEPT_SCHEDULES);
    assert!(history.fleet.schedules.contains_key(&name(count - 1)));
    assert!(!history.fleet.schedules.contains_key(&name(0)));
    for second in 1000..1000 + 3 * i64::try_from(KEPT_OCCURRENCES).unwrap() {
        history.say(Event::OccurrencesMissed(OccurrencesMissed {
            schedule: name(count - 1),
            first: at(second),
            last: at(second),
            count: 1,
            cause: MissedCause::NobodyThere,
        }));
    }
    let state = &history.fleet.schedules[&name(count - 1)];
    assert_eq!(state.missed.len(), KEPT_OCCURRENCES);
    assert_eq!(
        state.missed.front().unwrap().occurrences.last,
        at(1000 + 32)
    );
}
