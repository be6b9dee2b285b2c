//! One case after the other.

use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::schedule::{Blocker, Order, SchedulesView};
use gentoo_updater_fleet::snapshot::Snapshot;

use crate::common::runs::{requested, run_number};
use crate::common::worker;
use crate::scene::{Scene, at, nightly, settings};

const NIGHTLY: &str = "[schedules.nightly]\ncalendar = \"0 3 * * *\"\nlate_minutes = 60\n";

#[test]
fn nothing_is_caught_up_on_of_what_was_before_the_first_start() {
    let mut scene = Scene::new(NIGHTLY, "2026-01-05T03:10:00Z");
    assert!(scene.begun.is_empty() && scene.missed.is_empty());
    scene.at("2026-01-06T02:59:59Z");
    assert!(scene.begun.is_empty());
    scene.at("2026-01-06T03:00:00Z");
    assert_eq!(scene.times(), ["2026-01-06T03:00:00Z"]);
    let run = &scene.history.fleet.runs[&scene.begun[0].run];
    assert_eq!(run.guests.len(), 2);
    assert_eq!(run.schedule.as_ref().unwrap().schedule, nightly());
}

#[test]
fn what_was_missed_is_caught_up_once_within_its_time_and_the_rest_is_told() {
    let mut scene = Scene::new(NIGHTLY, "2026-01-05T12:00:00Z");
    scene.restart();
    scene.at("2026-01-08T03:40:00Z");
    assert_eq!(scene.times(), ["2026-01-08T03:00:00Z"]);
    let [missed] = &scene.missed[..] else {
        panic!("{:?}", scene.missed);
    };
    assert_eq!(
        (missed.count, missed.first),
        (2, at("2026-01-06T03:00:00Z"))
    );
    assert_eq!(missed.last, at("2026-01-07T03:00:00Z"));
    assert_eq!(missed.cause, MissedCause::NobodyThere);
}

#[test]
fn what_is_too_late_is_told_and_does_not_begin() {
    let mut scene = Scene::new(NIGHTLY, "2026-01-05T12:00:00Z");
    scene.at("2026-01-06T04:00:01Z");
    assert!(scene.begun.is_empty());
    assert_eq!(scene.missed[0].cause, MissedCause::NobodyThere);
    let state = &scene.history.fleet.schedules[&nightly()];
    assert!(state.newest_missed().is_some());
    scene.at("2026-01-07T03:00:00Z");
    let state = &scene.history.fleet.schedules[&nightly()];
    assert!(state.newest_missed().is_none() && state.missed.len() == 1);
}

#[test]
fn what_kept_one_waiting_until_the_next_is_told_and_not_that_nobody_was_there() {
    let hourly = NIGHTLY.replace("0 3 * * *", "@hourly");
    let mut scene = Scene::new(&hourly, "2026-01-05T12:30:00Z");
    scene.is_paused = true;
    scene.at("2026-01-05T13:00:00Z");
    scene.at("2026-01-05T14:00:00Z");
    scene.is_paused = false;
    scene.history.say(requested(run_number(1)));
    scene.at("2026-01-05T15:00:01Z");
    // Here nobody looks for a while.
    scene.at("2026-01-05T16:30:00Z");
    let causes: Vec<&MissedCause> = scene.missed.iter().map(|missed| &missed.cause).collect();
    let run = run_number(1);
    assert_eq!(
        causes,
        [
            &MissedCause::Paused,
            &MissedCause::RunWentOn { run },
            &MissedCause::NobodyThere
        ]
    );
}

#[test]
fn a_run_that_goes_on_is_waited_for_and_then_told_of() {
    let mut scene = Scene::new(NIGHTLY, "2026-01-05T12:00:00Z");
    let other = run_number(1);
    scene.history.say(requested(other));
    scene.at("2026-01-06T03:00:00Z");
    let waiting = &scene.decide().waiting[0];
    assert_eq!(waiting.blocker, Blocker::RunGoesOn { run: other });
    assert_eq!(waiting.until, at("2026-01-06T04:00:00Z"));
    scene.at("2026-01-06T03:59:00Z");
    scene.end_runs();
    scene.look();
    assert_eq!(scene.times(), ["2026-01-06T03:00:00Z"]);

    // That one still goes on a day later.
    scene.at("2026-01-07T04:00:01Z");
    assert_eq!(scene.begun.len(), 1);
    let run = scene.begun[0].run;
    assert_eq!(scene.missed[0].cause, MissedCause::RunWentOn { run });
}

#[test]
fn of_two_that_are_due_at_once_the_second_waits_for_the_first() {
    let weekly = "[schedules.a-weekly]\ncalendar = \"5 3 * * *\"\n";
    let mut scene = Scene::new(&format!("{NIGHTLY}{weekly}"), "2026-01-05T12:00:00Z");
    scene.at("2026-01-06T03:05:00Z");
    assert_eq!(scene.times(), ["2026-01-06T03:00:00Z"]);
    assert_eq!(scene.decide().waiting.len(), 1);
    scene.end_runs();
    scene.look();
    assert_eq!(scene.begun.len(), 2);
}

#[test]
fn outside_of_its_windows_it_waits_for_the_next_one_or_is_told_at_once() {
    let windows = "[schedules.nightly]\ncalendar = \"0 3 * * *\"\nlate_minutes = 90\n\
                   windows = [\"Tue 04:00-05:00\", \"Thu 06:00-07:00\"]\n";
    let mut scene = Scene::new(windows, "2026-01-05T12:00:00Z");
    scene.at("2026-01-06T03:00:00Z");
    let opens = at("2026-01-06T04:00:00Z");
    assert_eq!(
        scene.decide().waiting[0].blocker,
        Blocker::OutsideWindows { opens }
    );
    scene.at("2026-01-06T04:00:00Z");
    assert_eq!(scene.begun.len(), 1);
    scene.end_runs();
    scene.at("2026-01-07T03:00:00Z");
    assert_eq!(scene.missed[0].cause, MissedCause::OutsideWindows);
}

#[test]
fn a_paused_scheduler_begins_nothing_and_tells_why() {
    let mut scene = Scene::new(NIGHTLY, "2026-01-05T12:00:00Z");
    scene.is_paused = true;
    scene.at("2026-01-06T03:00:00Z");
    assert_eq!(scene.decide().waiting[0].blocker, Blocker::Paused);
    scene.at("2026-01-06T04:01:00Z");
    assert_eq!(scene.missed[0].cause, MissedCause::Paused);
    scene.is_paused = false;
    scene.at("2026-01-07T03:30:00Z");
    assert_eq!(scene.begun.len(), 1);
}

#[test]
fn a_scheduler_that_dies_before_or_after_it_has_said_something_begins_nothing_twice() {
    let mut scene = Scene::new(NIGHTLY, "2026-01-05T12:00:00Z");
    scene.now = at("2026-01-08T03:00:00Z");
    // It tells what was missed, and dies before it has asked for the run.
    let orders = scene.decide().orders;
    assert!(matches!(orders[..], [Order::Tell(_), Order::Begin(_)]));
    scene.say(orders[0].clone());
    scene.restart();
    scene.look();
    assert_eq!(scene.begun.len(), 1);
    // Another one that has not read that yet says all of it again.
    for order in orders {
        scene.say(order);
    }
    scene.end_runs();
    scene.restart();
    scene.look();
    assert_eq!(scene.begun.len(), 1);
    let state = &scene.history.fleet.schedules[&nightly()];
    assert_eq!((state.begun.len(), state.missed.len()), (1, 1));
}

#[test]
fn what_was_told_as_missed_does_not_begin_for_a_scheduler_whose_clock_is_behind() {
    let mut scene = Scene::new(NIGHTLY, "2026-01-05T12:00:00Z");
    scene.now = at("2026-01-06T03:59:59Z");
    let late = scene.decide().orders;
    scene.at("2026-01-06T04:00:01Z");
    assert_eq!(scene.missed.len(), 1);
    for order in late {
        scene.say(order);
    }
    assert!(scene.begun.is_empty());
}

#[test]
fn a_clock_that_was_years_ahead_keeps_nothing_from_beginning_when_it_is_right_again() {
    let mut scene = Scene::new(NIGHTLY, "2026-01-05T12:00:00Z");
    scene.at("2029-06-01T03:00:00Z");
    assert_eq!(scene.begun.len(), 1);
    assert_eq!(scene.missed[0].count, 1000);
    scene.end_runs();
    scene.at("2026-01-05T12:00:10Z");
    scene.at("2026-01-06T03:00:00Z");
    assert_eq!(scene.times()[1..], ["2026-01-06T03:00:00Z"]);
}

#[test]
fn a_clock_that_is_set_back_by_a_little_begins_nothing_twice() {
    let mut scene = Scene::new(NIGHTLY, "2026-01-05T12:00:00Z");
    scene.at("2026-01-06T03:00:01Z");
    scene.end_runs();
    for now in [
        "2026-01-06T02:59:58Z",
        "2026-01-06T03:00:02Z",
        "2026-01-05T20:00:00Z",
    ] {
        scene.at(now);
        scene.at("2026-01-06T03:00:02Z");
    }
    assert_eq!(scene.begun.len(), 1);
}

#[test]
fn another_calendar_counts_from_then_on_and_what_the_one_before_missed_is_told() {
    let mut scene = Scene::new(NIGHTLY, "2026-01-05T12:00:00Z");
    scene.schedules = settings("[schedules.nightly]\ncalendar = \"0 5 * * *\"\n").schedules;
    scene.restart();
    scene.at("2026-01-07T05:30:00Z");
    assert_eq!(scene.missed[0].cause, MissedCause::CalendarChanged);
    assert_eq!(scene.missed[0].count, 2);
    assert!(scene.begun.is_empty());
    scene.at("2026-01-08T05:00:00Z");
    assert_eq!(scene.times(), ["2026-01-08T05:00:00Z"]);
}

#[test]
fn two_schedulers_with_two_calendars_do_not_say_theirs_again_and_again() {
    let mut scene = Scene::new(NIGHTLY, "2026-01-05T12:00:00Z");
    scene.history.say(Event::ScheduleAdopted(ScheduleAdopted {
        schedule: nightly(),
        calendar: "0 5 * * *".to_owned(),
        time_zone: "UTC".to_owned(),
        since: scene.now,
    }));
    assert_eq!(scene.decide().orders, []);
}

#[test]
fn the_run_of_an_occurrence_has_one_id_whoever_asks_for_it() {
    let jitter = format!("{NIGHTLY}jitter_minutes = 30\n");
    let run = |now: &str| {
        let mut scene = Scene::new(&jitter, "2026-01-05T12:00:00Z");
        scene.at(now);
        scene.begun[0].run
    };
    let first: RunId = run("2026-01-06T03:30:00Z");
    assert_eq!(run("2026-01-06T03:59:00Z"), first);
    // Its id tells when it was due, with jitter.
    let due = first.0.get_timestamp().unwrap().to_unix().0;
    let start = at("2026-01-06T03:00:00Z").as_second();
    assert!((start..=start + 1800).contains(&i64::try_from(due).unwrap()));
}

#[test]
fn what_was_decided_is_the_same_from_a_snapshot_on() {
    let mut scene = Scene::new(NIGHTLY, "2026-01-05T12:00:00Z");
    scene.at("2026-01-08T03:00:00Z");
    scene.end_runs();
    let fleet = scene.history.fleet.clone();
    let taken = Snapshot::take(fleet.clone(), worker("planner@1"), scene.now);
    let read = Snapshot::decode(&taken.encode().unwrap()).unwrap();
    assert_eq!(read.fleet, fleet);
}

#[test]
fn an_operator_is_shown_what_comes_what_waits_and_what_came_of_the_last_one() {
    let text = format!("{NIGHTLY}jitter_minutes = 30\n");
    let settings = settings(&text);
    let mut scene = Scene::new(&text, "2026-01-05T12:00:00Z");
    let view = |scene: &Scene| {
        let mut view = SchedulesView::of(&settings, &scene.history.fleet, scene.now);
        view.schedules.remove(&nightly()).unwrap()
    };
    let first = view(&scene);
    let next = first.next.unwrap();
    assert_eq!(next.at, at("2026-01-06T03:00:00Z"));
    assert!(next.begins >= next.at && next.begins <= at("2026-01-06T03:30:00Z"));
    assert!(first.adopted && first.last.is_none());

    scene.history.say(requested(run_number(1)));
    scene.at("2026-01-06T03:30:00Z");
    let waiting = view(&scene).waiting.unwrap();
    assert_eq!(waiting.at, at("2026-01-06T03:00:00Z"));
    scene.end_runs();
    scene.look();
    assert_eq!(view(&scene).last.unwrap().outcome, "goes_on");
    scene.end_runs();
    let last = view(&scene).last.unwrap();
    assert_eq!((last.outcome, last.run), ("complete", scene.begun[0].run));
    assert!(last.finished_at.is_some());
}
