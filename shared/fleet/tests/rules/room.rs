//! How many builds are given out at once, and which.

use crate::common::building::{Building, SECOND, alone};
use crate::common::*;
use gentoo_updater_fleet::decide::observe;
use gentoo_updater_fleet::liveness::Liveness;
use gentoo_updater_fleet::message::*;

#[test]
fn no_more_is_given_out_than_there_are_slots_and_each_result_makes_room_for_one() {
    let mut building = Building::of(alone(&["a/a-1", "a/b-1", "a/c-1", "a/d-1", "a/e-1"]));
    building.register("builder@one", 2);
    building.register("builder@two", 1);
    let first = building.given_out();
    assert_eq!(first.len(), 3);
    assert!(building.given_out().is_empty(), "they are on their way");
    building.claim(&first[0], 1, "builder@one");
    assert!(building.given_out().is_empty(), "a claim makes no room");
    building.built(&first[0]);
    assert_eq!(building.given_out().len(), 1);
    building.built(&first[1]);
    building.built(&first[2]);
    assert_eq!(building.given_out().len(), 1, "one is left");
}

#[test]
fn what_is_urgent_overtakes_what_could_be_built_before() {
    let mut building = Building::of(vec![
        update("a/short-1"),
        update("a/other-1"),
        update("b/first-1"),
        update("b/second-1").needs_to_build("b/first-1"),
        update("b/third-1").needs_to_build("b/second-1"),
        update("b/fourth-1").needs_to_build("b/third-1"),
    ]);
    building.register("builder@one", 1);
    assert_eq!(building.given_out(), ["b/first-1"]);
    building.claim("b/first-1", 1, "builder@one");
    building.built("b/first-1");
    // The others could have been built since the beginning.
    assert_eq!(building.given_out(), ["b/second-1"]);
}

#[test]
fn a_builder_that_takes_no_work_has_no_room() {
    let mut building = Building::of(alone(&["a/a-1", "a/b-1", "a/c-1"]));
    building.register("builder@one", 1);
    building.register("builder@unfit", 1);
    let builder = worker("builder@unfit");
    building.history.say(Event::WorkerPaused(WorkerPaused {
        worker: builder,
        builder: None,
        failure: Some(permanent("DiskFull")),
    }));
    assert_eq!(building.given_out().len(), 1);
}

#[test]
fn where_no_builder_is_known_all_is_given_out() {
    let mut building = Building::of(alone(&["a/a-1", "a/b-1"]));
    assert_eq!(building.given_out().len(), 2);
}

#[test]
fn what_a_dead_builder_has_claimed_takes_no_room_from_the_others() {
    let mut building = Building::of(alone(&["a/a-1", "a/b-1", "a/c-1"]));
    building.register("builder@dead", 1);
    building.register("builder@one", 1);
    let first = building.given_out();
    building.claim(&first[0], 1, "builder@dead");
    building.claim(&first[1], 1, "builder@one");
    for _ in 0..40 {
        building.liveness.beat(SECOND);
        building.liveness.alive(&worker("builder@one"), []);
    }
    building.built(&first[1]);
    let next = building.given_out();
    // The lost one is due again, and one builder is left.
    assert_eq!(next.len(), 1, "{next:?}");
}

#[test]
fn a_planner_that_has_just_come_up_believes_in_the_builders_that_it_does_not_hear_yet() {
    let mut building = Building::of(alone(&["a/a-1", "a/b-1", "a/c-1"]));
    building.register("builder@one", 1);
    building.liveness = Liveness::new(30 * SECOND, 60 * SECOND, SECOND);
    assert_eq!(building.given_out().len(), 1);
    // It never says a word: what waits is given out, and given up in the end.
    for _ in 0..40 {
        building.liveness.beat(SECOND);
    }
    assert_eq!(building.given_out().len(), 2);
}

#[test]
fn what_was_given_out_before_is_given_out_again_whether_or_not_there_is_room() {
    let mut building = Building::of(alone(&["a/a-1", "a/b-1", "a/c-1"]));
    building.register("builder@one", 1);
    building.register("builder@dead", 1);
    let first = building.given_out();
    let job = building.history.job(&first[0]).id;
    building.claim(&first[0], 1, "builder@one");
    building.history.say(Event::BuildFailed(BuildFailed {
        had: None,
        run: run_id(),
        job,
        attempt: 1,
        builder: None,
        failure: transient("FetchFailure"),
    }));
    building.claim(&first[1], 1, "builder@dead");
    let third = building.given_out();
    assert_eq!(third.len(), 1, "a failure makes room");
    for _ in 0..40 {
        building.liveness.beat(SECOND);
        building.liveness.alive(&worker("builder@one"), []);
        observe(&building.history.fleet, &mut building.liveness);
    }
    // One slot is left, and the third job is on its way to it.
    let mut again = building.given_out();
    again.sort();
    let mut expected = first;
    expected.sort();
    assert_eq!(again, expected);
}

/// Whose machine failed leaves the next attempt to others: while those are busy it stands in nobody's
/// way.
#[test]
fn what_failed_for_a_machine_waits_for_another_builder_and_keeps_no_slot_from_other_work() {
    let mut building = Building::of(alone(&["a/a-1", "a/b-1", "a/c-1", "a/d-1"]));
    building.register("builder@busy", 1);
    building.register("builder@other", 1);
    let first = building.given_out();
    building.claim(&first[0], 1, "builder@busy");
    building.claim(&first[1], 1, "builder@other");
    let job = building.history.job(&first[1]).id;
    let failure = Failure::new(FailureClass::Machine, "KernelDiffers", "it has another one");
    building.history.say(Event::BuildFailed(BuildFailed {
        had: None,
        run: run_id(),
        job,
        attempt: 1,
        builder: None,
        failure,
    }));
    let third = building.given_out();
    assert_eq!(third.len(), 1);
    building.claim(&third[0], 1, "builder@other");
    for _ in 0..20 {
        building.liveness.beat(SECOND);
        for builder in ["builder@busy", "builder@other"] {
            building.liveness.alive(&worker(builder), []);
        }
    }
    assert!(
        building.given_out().is_empty(),
        "the pause is over, and the other one is busy"
    );
    building.built(&third[0]);
    let fourth = building.given_out();
    assert_eq!(fourth.len(), 1);
    building.claim(&fourth[0], 1, "builder@other");
    building.built(&first[0]);
    assert_eq!(
        building.given_out(),
        [first[1].clone()],
        "the second attempt"
    );
}
