//! Installations on many guests are ordered some at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::*;
use gentoo_updater_fleet::decide::{Order, Patience, decide_without};
use gentoo_updater_fleet::liveness::Liveness;
use gentoo_updater_fleet::message::*;

const GUESTS: usize = 80;

/// All that a fleet of many guests wants is built.
fn all_is_built() -> History {
    let names: Vec<String> = (0..GUESTS).map(|number| format!("g{number:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut history = History::requested(&names);
    for name in names {
        history.say(Event::GuestScanned(scanned(
            name,
            vec![update("a/a-2")],
            vec![],
        )));
    }
    for order in orders(&history, &BTreeSet::new()) {
        if let Order::Publish(event) = order {
            history.say(event);
        }
    }
    history.search_in_vain();
    let job = history.job("a/a-2");
    history.say(built(&job));
    history
}

fn orders(history: &History, waiting: &BTreeSet<WorkKey>) -> Vec<Order> {
    let second = Duration::from_secs(1);
    let liveness = Liveness::new(30 * second, 60 * second, second);
    decide_without(
        &history.fleet,
        &liveness,
        &Patience::default(),
        history.now(),
        waiting,
    )
}

/// What is decided, all of it installations.
fn installations(history: &History, waiting: &BTreeSet<WorkKey>) -> Vec<Command> {
    let orders = orders(history, waiting).into_iter();
    let commands = orders.map(|order| match order {
        Order::Issue(command @ Command::InstallPackages(_)) => command,
        other => panic!("{other:?}"),
    });
    commands.collect()
}

#[test]
fn a_whole_fleet_is_ordered_in_several_decisions_and_each_guest_once() {
    let mut history = all_is_built();
    let (mut ordered, mut decisions) = (BTreeSet::new(), 0);
    loop {
        let commands = installations(&history, &BTreeSet::new());
        if commands.is_empty() {
            break;
        }
        decisions += 1;
        for command in commands {
            assert!(ordered.insert(command.work()), "{command:?}");
            history.say(Event::CommandIssued(CommandIssued {
                command: command.id().unwrap(),
                work: command.work(),
                queue: "install".to_owned(),
            }));
        }
    }
    assert_eq!(ordered.len(), GUESTS);
    assert!(decisions > 1, "one decision made all commands");
}

/// They lie in no queue, and would be named again and again in place of all others.
#[test]
fn those_that_have_to_wait_with_the_planner_make_room_for_others() {
    let history = all_is_built();
    let mut waiting = BTreeSet::new();
    loop {
        let commands = installations(&history, &waiting);
        if commands.is_empty() {
            break;
        }
        for command in commands {
            assert!(waiting.insert(command.work()), "{command:?}");
        }
    }
    assert_eq!(waiting.len(), GUESTS);
}
