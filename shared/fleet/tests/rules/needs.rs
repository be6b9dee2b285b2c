//! Builds that need much of their machine.

use crate::common::building::{Building, alone};
use crate::common::*;
use gentoo_updater_fleet::decide::Order;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::needs::{Capacity, Demands, Needs};

/// That builds of `a/heavy` need so many megabytes of memory.
fn heavy(megabytes: u64) -> Demands {
    Demands(vec![("a/heavy".parse().unwrap(), memory(megabytes))])
}

fn memory(megabytes: u64) -> Needs {
    Needs {
        memory_megabytes: Some(megabytes),
        disk_megabytes: None,
    }
}

/// `a/heavy-1`, for which others wait, so that it is the most urgent, and these.
fn with_heavy(names: &[&str]) -> Vec<Update> {
    let mut updates = alone(names);
    updates.push(update("a/heavy-1"));
    updates.push(update("z/behind-1").needs_to_build("a/heavy-1"));
    updates.push(update("z/last-1").needs_to_build("z/behind-1"));
    updates
}

#[test]
fn a_build_that_needs_half_of_a_machine_takes_half_of_its_slots() {
    let names = ["a/a-1", "a/b-1", "a/c-1"];
    let mut building = Building::with(with_heavy(&names), heavy(4000));
    building.register_with("builder@one", 4, Some(8000));
    let commands = building.commands();
    assert_eq!(commands.len(), 3, "two slots are left");
    assert_eq!(commands[0].job.key.cpv.to_string(), "a/heavy-1");
    assert_eq!(commands[0].needs, memory(4000));
    assert_eq!(commands[0].job.needs, memory(4000), "the batch says it");
    assert!(commands[1].needs.is_none());
    for command in &commands {
        building.claim(&command.job.key.cpv.to_string(), 1, "builder@one");
    }
    assert!(building.given_out().is_empty());
    building.built("a/heavy-1");
    assert_eq!(building.given_out().len(), 2, "both of its slots are free");
}

#[test]
fn a_build_whose_turn_it_is_gets_the_next_free_slot_and_nothing_overtakes_it() {
    let names = ["a/a-1", "a/b-1", "a/c-1"];
    let mut building = Building::with(with_heavy(&names), heavy(8000));
    building.register_with("builder@one", 2, Some(4000));
    let first = building.given_out();
    assert_eq!(
        first.len(),
        2,
        "that builder is too small for the heavy one"
    );
    for name in &first {
        assert_ne!(name, "a/heavy-1");
        building.claim(name, 1, "builder@one");
    }
    // It comes back with more memory.
    building.register_with("builder@one", 2, Some(8000));
    assert!(building.given_out().is_empty());
    building.built(&first[0]);
    assert_eq!(
        building.given_out(),
        ["a/heavy-1"],
        "it waits there for the other slot"
    );
    building.claim("a/heavy-1", 1, "builder@one");
    building.built(&first[1]);
    assert!(building.given_out().is_empty(), "it takes all");
}

#[test]
fn what_waits_on_one_builder_takes_no_slots_of_another() {
    let names = ["a/a-1", "a/b-1", "a/c-1", "a/d-1", "a/e-1"];
    let mut building = Building::with(with_heavy(&names), heavy(8000));
    building.register_with("builder@large", 2, Some(8000));
    building.register_with("builder@small", 2, Some(4000));
    let first = building.given_out();
    assert_eq!(first.len(), 3, "{first:?}");
    assert_eq!(first[0], "a/heavy-1");
    // The large one has taken a light one before the heavy one came.
    building.claim(&first[1], 1, "builder@large");
    building.claim("a/heavy-1", 1, "builder@large");
    building.claim(&first[2], 1, "builder@small");
    assert_eq!(
        building.given_out().len(),
        1,
        "the small one has a slot free"
    );
}

#[test]
fn what_was_learnt_of_a_large_builder_is_built_by_a_small_one_where_that_is_the_only_one() {
    let mut building = Building::of(with_heavy(&[]));
    building.register_with("builder@big", 2, Some(16_000));
    building.given_out();
    failed(&mut building, 1, "big", "BuildKilled", had(8000));
    building.history.say(Event::WorkerPaused(WorkerPaused {
        worker: worker("builder@big"),
        builder: None,
        failure: Some(permanent("StoreMissing")),
    }));
    building.register_with("builder@small", 1, Some(4000));
    building.wait(60, &["builder@big", "builder@small"]);
    let commands = building.commands();
    assert_eq!(commands.len(), 1);
    assert_eq!(commands[0].needs, memory(4000));
}

#[test]
fn what_an_operator_keeps_from_work_is_waited_for() {
    let mut building = Building::with(with_heavy(&[]), heavy(8000));
    building.register_with("builder@small", 1, Some(4000));
    building.register_with("builder@big", 1, Some(8000));
    let target = PauseTarget::Worker(worker("builder@big"));
    building.history.say(Event::PauseRequested(PauseRequested {
        target: target.clone(),
        reason: None,
    }));
    building.wait(600, &["builder@small", "builder@big"]);
    assert!(building.decide().is_empty());
    building
        .history
        .say(Event::ResumeRequested(ResumeRequested { target }));
    assert_eq!(building.given_out(), ["a/heavy-1"]);
}

#[test]
fn an_attempt_that_failed_waits_for_a_builder_that_is_large_enough_and_is_not_counted_again() {
    let mut building = Building::with(with_heavy(&[]), heavy(8000));
    building.register_with("builder@big", 1, Some(8000));
    building.register_with("builder@small", 1, Some(4000));
    building.given_out();
    failed(&mut building, 1, "small", "TooLittleMemory", had(4000));
    // The large one is gone.
    building.wait(50, &["builder@small"]);
    assert!(building.decide().is_empty());
    building.liveness.alive(&worker("builder@big"), []);
    assert_eq!(building.given_out(), ["a/heavy-1"]);
    failed(&mut building, 2, "small", "TooLittleMemory", had(4000));
    building.wait(120, &["builder@small"]);
    let orders = building.decide();
    let [Order::Publish(Event::TaskAbandoned(abandoned))] = orders.as_slice() else {
        panic!("{orders:?}")
    };
    assert_eq!(abandoned.failure.cause, "NoBuilderLargeEnough");
}

#[test]
fn a_build_waits_for_the_builder_that_is_large_enough_and_the_other_one_goes_on() {
    let names = ["a/a-1", "a/b-1", "a/c-1"];
    let mut building = Building::with(with_heavy(&names), heavy(8000));
    building.register_with("builder@small", 1, Some(4000));
    let first = building.given_out();
    building.claim(&first[0], 1, "builder@small");
    building.register_with("builder@large", 1, Some(16_000));
    assert_eq!(building.given_out(), ["a/heavy-1"]);
    building.claim("a/heavy-1", 1, "builder@large");
    building.built(&first[0]);
    assert_eq!(building.given_out().len(), 1);
}

#[test]
fn what_no_builder_is_large_enough_for_is_given_up_after_a_while_with_what_each_has() {
    let mut building = Building::with(with_heavy(&["a/a-1"]), heavy(8000));
    building.register_with("builder@small", 1, Some(4000));
    building.register_with("builder@tiny", 1, Some(2000));
    let alive = ["builder@small", "builder@tiny"];
    assert_eq!(building.given_out(), ["a/a-1"]);
    building.claim("a/a-1", 1, "builder@small");
    building.built("a/a-1");
    building.wait(50, &alive);
    assert!(building.decide().is_empty(), "a larger one may come up yet");
    building.wait(20, &alive);
    let orders = building.decide();
    let [Order::Publish(Event::TaskAbandoned(abandoned))] = orders.as_slice() else {
        panic!("{orders:?}")
    };
    assert_eq!(abandoned.failure.cause, "NoBuilderLargeEnough");
    let message = &abandoned.failure.message;
    for word in [
        "a/heavy-1",
        "8000 MB of memory",
        "builder@small",
        "4000 MB",
        "2000 MB",
    ] {
        assert!(message.contains(word), "{word}: {message}");
    }
    // Whoever tries it again when there is a larger one is heard.
    let abandoned = abandoned.clone();
    let work = abandoned.work.clone();
    building.history.say(Event::TaskAbandoned(abandoned));
    building
        .history
        .say(Event::RetryRequested(RetryRequested { work }));
    building.register_with("builder@large", 1, Some(8000));
    assert_eq!(building.given_out(), ["a/heavy-1"]);
}

#[test]
fn a_builder_that_does_not_say_what_it_has_is_large_enough() {
    let mut building = Building::with(with_heavy(&[]), heavy(8000));
    building.register("builder@old", 1);
    assert_eq!(building.given_out(), ["a/heavy-1"]);
}

#[test]
fn the_last_atom_that_matches_says_what_a_build_needs_each_value_for_itself() {
    let disk = Needs {
        memory_megabytes: None,
        disk_megabytes: Some(30_000),
    };
    let demands = Demands(vec![
        ("a/heavy".parse().unwrap(), memory(4000)),
        (">=a/heavy-2".parse().unwrap(), memory(8000)),
        ("a/heavy".parse().unwrap(), disk),
    ]);
    let of = |name: &str| demands.of(&update(name).key);
    assert_eq!(of("a/heavy-1"), disk.or(memory(4000)));
    assert_eq!(of("a/heavy-2.1"), disk.or(memory(8000)));
    assert!(of("a/light-1").is_none());
}

/// A build was killed, or its disk was full, with so much of a machine.
fn failed(building: &mut Building, attempt: u32, builder: &str, cause: &str, had: Capacity) {
    let job = building.history.job("a/heavy-1").id;
    building.claim("a/heavy-1", attempt, &format!("builder@{builder}"));
    building.history.say(Event::BuildFailed(BuildFailed {
        run: run_id(),
        job,
        attempt,
        builder: Some(builder.parse().unwrap()),
        had: Some(had),
        failure: transient(cause),
    }));
}

fn had(memory_megabytes: u64) -> Capacity {
    Capacity {
        memory_megabytes,
        disk_megabytes: u64::MAX,
    }
}

#[test]
fn what_was_killed_gets_twice_as_much_and_then_a_larger_machine_or_all_that_there_is() {
    let mut building = Building::of(with_heavy(&[]));
    building.register_with("builder@one", 4, Some(8000));
    let alive = ["builder@one"];
    let mut next = |had_before: Option<(u32, u64)>| {
        if let Some((attempt, megabytes)) = had_before {
            failed(&mut building, attempt, "one", "BuildKilled", had(megabytes));
            building.wait(60, &alive);
        }
        let commands = building.commands();
        assert_eq!(commands.len(), 1, "{commands:?}");
        (commands[0].attempt, commands[0].needs)
    };
    assert_eq!(next(None), (1, Needs::default()));
    assert_eq!(next(Some((1, 2000))), (2, memory(4000)));
    assert_eq!(next(Some((2, 8000))), (3, memory(8000)), "it had all");
    building.register_with("builder@large", 1, Some(12_000));
    let package = "a/heavy".parse().unwrap();
    let learnt = building.history.fleet.needs[&package];
    assert_eq!(learnt, memory(10_000), "for a larger one");
}

#[test]
fn of_a_full_disk_is_learnt_for_the_disk_and_of_other_failures_nothing() {
    let mut building = Building::of(with_heavy(&[]));
    building.register_with("builder@one", 1, Some(8000));
    building.given_out();
    let package = "a/heavy".parse().unwrap();
    failed(&mut building, 1, "one", "FetchFailure", had(8000));
    assert!(building.history.fleet.needs.is_empty());
    let half = Capacity {
        memory_megabytes: 8000,
        disk_megabytes: 500,
    };
    failed(&mut building, 2, "one", "DiskFull", half);
    let learnt = building.history.fleet.needs[&package];
    assert_eq!(learnt.disk_megabytes, Some(1000));
    assert_eq!(learnt.memory_megabytes, None);
}
