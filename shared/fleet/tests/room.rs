//! How many builds are given out at once, and which.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::*;
use gentoo_updater_fleet::decide::{Order, Patience, decide, observe};
use gentoo_updater_fleet::liveness::Liveness;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::order::{Expectations, Expected, UNKNOWN_DURATION};

const SECOND: Duration = Duration::from_secs(1);

/// A run whose batch is planned, and a planner that has just come up.
struct Building {
    history: History,
    liveness: Liveness,
}

impl Building {
    fn of(updates: Vec<Update>) -> Self {
        let mut history = History::requested(&["g1"]);
        history.say(Event::GuestScanned(scanned("g1", updates, vec![])));
        let mut building = Self {
            history,
            liveness: Liveness::new(30 * SECOND, 60 * SECOND, SECOND),
        };
        for order in building.decide() {
            if let Order::Publish(event) = order {
                building.history.say(event);
            }
        }
        building
    }

    fn register(&mut self, id: &str, slots: u16) {
        self.history.say(Event::WorkerRegistered(WorkerRegistered {
            worker: worker(id),
            role: Role::Builder,
            queues: vec!["build.default".to_owned()],
            machine: Some(BuilderMachine {
                slots: Some(slots),
                ..machine("fast", None)
            }),
        }));
        self.liveness.alive(&worker(id), []);
    }

    fn decide(&mut self) -> Vec<Order> {
        observe(&self.history.fleet, &mut self.liveness);
        decide(&self.history.fleet, &self.liveness, &Patience::default())
    }

    /// What is given out now, in its order, and said to be so.
    fn given_out(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        for order in self.decide() {
            if let Order::Issue(command @ Command::BuildPackage(_)) = order {
                let Command::BuildPackage(build) = &command else {
                    unreachable!("it is one");
                };
                names.push(build.job.key.cpv.to_string());
                self.history.say(Event::CommandIssued(CommandIssued {
                    command: command.id().unwrap(),
                    work: command.work(),
                    queue: "build.default".to_owned(),
                }));
            }
        }
        names
    }

    fn claim(&mut self, name: &str, attempt: u32, by: &str) {
        let job = self.history.job(name).id;
        self.history.claim(Task::Build(job), attempt, by);
    }

    fn built(&mut self, name: &str) {
        let job = self.history.job(name);
        self.history.say(built(&job));
    }
}

fn alone(names: &[&str]) -> Vec<Update> {
    names.iter().map(|name| update(name)).collect()
}

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

fn expected(known: &[(&str, u64)], updates: Vec<Update>) -> BTreeMap<String, Expected> {
    let building = Building::of(updates);
    let known = known.iter().map(|(name, milliseconds)| {
        let package = name.parse().unwrap();
        (package, *milliseconds)
    });
    let (known, jobs) = (
        known.collect(),
        building.history.run().jobs.clone().unwrap(),
    );
    let expectations = Expectations::new(&known, &jobs);
    jobs.values()
        .map(|job| (job.key.cpv.to_string(), expectations.of(job)))
        .collect()
}

fn of_size(name: &str, bytes: u64) -> Update {
    Update {
        download: Some(bytes),
        ..update(name)
    }
}

#[test]
fn what_lasts_long_by_the_log_of_a_builder_is_given_out_first() {
    let names = ["a/a-1", "a/b-1", "a/c-1", "a/d-1"];
    let mut learnt: [u64; 4] = [10, 40, 20, 30];
    for _ in 0..learnt.len() {
        learnt.rotate_left(1);
        let mut building = Building::of(alone(&names));
        let packages = names.map(|name| cpv(name).category_package);
        building
            .history
            .say(Event::DurationsLearned(DurationsLearned {
                builder: "one".parse().unwrap(),
                durations: packages.into_iter().zip(learnt).collect(),
            }));
        building.register("builder@one", 1);
        let mut longest_first = names.to_vec();
        longest_first.sort_by_key(|name| {
            let place = names.iter().position(|other| other == name);
            std::cmp::Reverse(learnt[place.unwrap()])
        });
        for name in longest_first {
            assert_eq!(building.given_out(), [name], "{learnt:?}");
            building.claim(name, 1, "builder@one");
            building.built(name);
        }
    }
}

#[test]
fn a_package_takes_as_long_as_its_newest_build() {
    let expected = expected(&[("a/a", 5000)], alone(&["a/a-1"]));
    assert_eq!(expected["a/a-1"], Expected::Known(5 * SECOND));
}

#[test]
fn larger_sources_are_taken_to_last_longer_at_the_pace_of_what_is_known() {
    const MEBIBYTE: u64 = 1 << 20;
    let updates = || {
        vec![
            of_size("a/known-1", MEBIBYTE),
            of_size("a/small-1", MEBIBYTE / 10),
            of_size("a/large-1", 100 * MEBIBYTE),
        ]
    };
    let slow = expected(&[("a/known", 50_000)], updates());
    let fast = expected(&[("a/known", 5_000)], updates());
    for name in ["a/small-1", "a/large-1"] {
        let ratio = slow[name].duration().as_secs_f64() / fast[name].duration().as_secs_f64();
        assert!((ratio - 10.0).abs() < 0.01, "{name}: {ratio}");
        assert!(matches!(slow[name], Expected::Guessed(_)));
    }
    assert!(slow["a/small-1"].duration() < slow["a/known-1"].duration());
    assert!(slow["a/large-1"].duration() > 20 * slow["a/known-1"].duration());
}

#[test]
fn of_what_nothing_is_known_the_middle_of_the_others_is_taken() {
    let known = [("x/a", 1000), ("x/b", 3000), ("x/c", 900_000)];
    let expected_here = expected(&known, alone(&["a/a-1"]));
    assert_eq!(expected_here["a/a-1"], Expected::Guessed(3 * SECOND));
    let nothing = expected(&[], alone(&["a/a-1"]));
    assert_eq!(nothing["a/a-1"], Expected::Guessed(UNKNOWN_DURATION));
}
