//! When stores are collected, and that nobody waits for it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::*;
use gentoo_updater_fleet::decide::{Order, Patience, decide, decide_without, observe};
use gentoo_updater_fleet::liveness::Liveness;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::{CommandId, RunId};
use gentoo_updater_fleet::report::Report;

const QUEUE: &str = "collect.default";

fn liveness() -> Liveness {
    let second = Duration::from_secs(1);
    Liveness::new(30 * second, 600 * second, second)
}

fn patience() -> Patience {
    Patience {
        collect_stores: true,
        ..Patience::default()
    }
}

fn orders(history: &History) -> Vec<Order> {
    decide(&history.fleet, &liveness(), &patience(), history.now())
}

/// What is ordered of a run, and what the planner says: the names of the kinds.
fn kinds(orders: &[Order]) -> Vec<&'static str> {
    let kind = |order: &Order| match order {
        Order::Issue(command) => command.kind(),
        Order::Publish(event) => event.kind(),
        Order::Bury(..) => "buried",
    };
    orders.iter().map(kind).collect()
}

fn publish(history: &mut History, orders: Vec<Order>) -> Vec<&'static str> {
    let published = kinds(&orders);
    for order in orders {
        if let Order::Publish(event) = order {
            history.say(event);
        }
    }
    published
}

fn janitor(history: &mut History) {
    history.say(Event::WorkerRegistered(WorkerRegistered {
        worker: worker("janitor@j1"),
        role: Role::Janitor,
        queues: vec![QUEUE.to_owned()],
        machine: None,
    }));
}

/// A guest is up to date, so that nothing is left but the store.
fn up_to_date() -> History {
    let mut history = History::requested(&["g1"]);
    history.say(Event::GuestScanned(scanned("g1", vec![], vec![])));
    let batch = orders(&history);
    assert_eq!(publish(&mut history, batch), ["BatchPlanned"]);
    history
}

fn with_janitor() -> History {
    let mut history = up_to_date();
    janitor(&mut history);
    history
}

fn work(run: RunId) -> WorkKey {
    WorkKey {
        run,
        task: Task::Collect(platform()),
        attempt: 1,
    }
}

fn issued(history: &mut History) {
    history.say(Event::CommandIssued(CommandIssued {
        command: CommandId(uuid::Uuid::nil()),
        work: work(run_id()),
        queue: QUEUE.to_owned(),
    }));
}

fn report(history: &History) -> String {
    Report::of(&history.fleet, history.run()).to_text()
}

#[test]
fn the_store_is_collected_before_the_run_is_over_and_the_report_tells_what_went() {
    let mut history = with_janitor();
    let ordered = orders(&history);
    let [Order::Issue(Command::CollectStore(collect))] = &ordered[..] else {
        panic!("{ordered:?}")
    };
    assert_eq!((collect.attempt, &collect.platform), (1, &platform()));
    assert_eq!(ordered, orders(&history));
    issued(&mut history);
    history.claim(Task::Collect(platform()), 1, "janitor@j1");
    assert_eq!(kinds(&orders(&history)), [""; 0]);
    history.say(Event::StoreCollected(store_collected(run_id(), 1)));
    let over = orders(&history);
    assert_eq!(publish(&mut history, over), ["RunFinished"]);
    let text = report(&history);
    let told = "Stores\n  default: 12 binary files deleted that nobody needs and 1 file that nobody can \
                use, 3.4 GB\n";
    assert!(text.contains(told), "{text}");
}

#[test]
fn a_store_that_keeps_all_is_told_with_the_guest_that_is_to_blame() {
    let mut history = with_janitor();
    history.say(Event::StoreCollected(StoreCollected {
        deleted: Deleted::default(),
        too_large_by: 2_000_000,
        by_memory: (1..=7).map(|number| guest(&format!("m{number}"))).collect(),
        unknown: Default::default(),
        ..store_collected(run_id(), 1)
    }));
    let text = report(&history);
    assert!(text.contains("default: nothing to delete"), "{text}");
    assert!(text.contains("it is 2.0 MB larger than policy"), "{text}");
    let memory = "7 guests could not be asked, and counted with what a run knew: m1, m2, m3, m4, m5 and \
                  2 more";
    assert!(text.contains(memory), "{text}");

    let mut history = with_janitor();
    history.say(Event::StoreCollected(StoreCollected {
        deleted: Deleted::default(),
        unknown: [(guest("g9"), transient("Unreachable"))].into(),
        ..store_collected(run_id(), 1)
    }));
    let text = report(&history);
    let stuck = "default: nothing deleted, because nobody knows what g9 has installed\n      Unreachable: \
                 it does not work now\n";
    assert!(text.contains(stuck), "{text}");
    assert!(text.contains("store gc --without g9"), "{text}");
}

#[test]
fn a_collection_that_fails_is_a_note_and_is_not_tried_again() {
    let mut history = with_janitor();
    issued(&mut history);
    history.claim(Task::Collect(platform()), 1, "janitor@j1");
    history.say(Event::CollectFailed(CollectFailed {
        run: run_id(),
        platform: platform(),
        attempt: 1,
        failure: transient("RunGoesOn"),
    }));
    for kind in ["TaskAbandoned", "RunFinished"] {
        let said = orders(&history);
        assert_eq!(publish(&mut history, said), [kind]);
    }
    let outcome = history.run().finished.unwrap().outcome;
    assert_eq!(outcome, RunOutcome::Complete);
    let text = report(&history);
    let note = "default: nothing deleted\n      RunGoesOn: it does not work now\n";
    assert!(text.contains(note), "{text}");
}

#[test]
fn nobody_waits_for_a_janitor_that_is_not_there() {
    let mut history = up_to_date();
    for kind in ["TaskAbandoned", "RunFinished"] {
        let said = orders(&history);
        assert_eq!(publish(&mut history, said), [kind]);
    }
    assert!(report(&history).contains("NobodyCollects"));

    // One that has fallen silent since the command lies in its queue, for no longer than a lease.
    let mut history = with_janitor();
    issued(&mut history);
    let mut liveness = liveness();
    for second in 0..=31 {
        observe(&history.fleet, &mut liveness);
        let said = decide(&history.fleet, &liveness, &patience(), history.now());
        let expected: &[&str] = if second > 30 { &["TaskAbandoned"] } else { &[] };
        assert_eq!(kinds(&said), expected, "after {second} s");
        liveness.beat(Duration::from_secs(1));
    }
}

#[test]
fn nobody_waits_for_a_janitor_that_an_operator_has_paused() {
    let mut history = with_janitor();
    let waiting = BTreeSet::from([work(run_id())]);
    let said = decide_without(
        &history.fleet,
        &liveness(),
        &patience(),
        history.now(),
        &waiting,
    );
    assert_eq!(publish(&mut history, said), ["TaskAbandoned"]);
    assert!(report(&history).contains("CollectionPaused"));

    let mut history = with_janitor();
    issued(&mut history);
    history.say(Event::PauseRequested(PauseRequested {
        target: PauseTarget::Role(Role::Janitor),
        reason: None,
    }));
    assert_eq!(kinds(&orders(&history)), ["TaskAbandoned"]);
    // What it has begun it ends.
    history.claim(Task::Collect(platform()), 1, "janitor@j1");
    assert_eq!(kinds(&orders(&history)), [""; 0]);
}

#[test]
fn scans_collect_nothing_and_neither_does_a_fleet_that_wants_it_so() {
    let history = with_janitor();
    let off = Patience::default();
    let said = decide(&history.fleet, &liveness(), &off, history.now());
    assert_eq!(kinds(&said), ["RunFinished"]);

    let mut history = History::default();
    janitor(&mut history);
    history.say(Event::RunRequested(RunRequested {
        run: run_id(),
        kind: RunKind::ScanOnly,
        guests: [(guest("g1"), platform())].into(),
        force: false,
        sync: Default::default(),
        more_rounds: 2,
        follows: None,
        retries: 0,
        rollout: Default::default(),
        schedule: None,
    }));
    history.say(Event::GuestScanned(scanned("g1", vec![], vec![])));
    assert_eq!(kinds(&orders(&history)), ["RunFinished"]);
}

#[test]
fn a_round_that_another_one_follows_leaves_the_store_to_that() {
    let mut history = History::default();
    janitor(&mut history);
    history.say(Event::RunRequested(RunRequested {
        run: run_id(),
        kind: RunKind::Update,
        guests: [(guest("g1"), platform())].into(),
        force: false,
        sync: Default::default(),
        more_rounds: 1,
        follows: None,
        retries: 0,
        rollout: Default::default(),
        schedule: None,
    }));
    let updates = vec![update("a/a-2")];
    history.say(Event::GuestScanned(scanned("g1", updates, vec![])));
    let batch = orders(&history);
    publish(&mut history, batch);
    history.search_in_vain();
    history.say(built(&history.job("a/a-2")));
    history.say(Event::GuestUpdated(GuestUpdated {
        run: run_id(),
        guest: guest("g1"),
        attempt: 1,
        changes: vec![],
        held: vec![],
        findings: vec![Finding::new(FindingKind::StillPending, "a/b-2")],
    }));
    history.say(cleaned(run_id(), 1));
    let said = orders(&history);
    assert_eq!(publish(&mut history, said), ["RunRequested", "RunFinished"]);
    // The next round is the last one.
    history.say(Event::GuestScanned(GuestScanned {
        run: run_id().following(),
        ..scanned("g1", vec![], vec![])
    }));
    let batch = orders(&history);
    assert_eq!(publish(&mut history, batch), ["BatchPlanned"]);
    assert_eq!(kinds(&orders(&history)), ["CollectStore"]);
}

#[test]
fn no_other_run_looks_into_a_store_while_it_is_collected() {
    let mut history = with_janitor();
    let other = runs::run_number(7);
    history.say(Event::RunRequested(RunRequested {
        run: other,
        kind: RunKind::Update,
        guests: [(guest("g1"), platform())].into(),
        force: false,
        sync: Default::default(),
        more_rounds: 0,
        follows: None,
        retries: 0,
        rollout: Default::default(),
        schedule: None,
    }));
    history.say(Event::GuestScanned(GuestScanned {
        run: other,
        ..scanned("g1", vec![update("a/a-2")], vec![])
    }));
    let batch = orders(&history);
    publish(&mut history, batch);
    assert!(kinds(&orders(&history)).contains(&"SearchStore"));
    issued(&mut history);
    assert!(!kinds(&orders(&history)).contains(&"SearchStore"));
    history.say(Event::StoreCollected(store_collected(run_id(), 1)));
    assert!(kinds(&orders(&history)).contains(&"SearchStore"));
}

#[test]
fn a_collection_that_was_ordered_in_the_moment_of_a_retry_is_nobodys() {
    let mut history = History::requested(&["g1"]);
    janitor(&mut history);
    let updates = vec![update("a/a-2")];
    history.say(Event::GuestScanned(scanned("g1", updates, vec![])));
    let batch = orders(&history);
    publish(&mut history, batch);
    history.search_in_vain();
    let build = Task::Build(history.job("a/a-2").id);
    history.say(Event::BuildFailed(BuildFailed {
        run: run_id(),
        job: history.job("a/a-2").id,
        attempt: 1,
        builder: None,
        had: None,
        failure: permanent("CompileFailure"),
    }));
    assert_eq!(kinds(&orders(&history)), ["CollectStore"]);
    let retry = Event::RetryRequested(RetryRequested {
        work: WorkKey {
            run: run_id(),
            task: build.clone(),
            attempt: 1,
        },
    });
    let late = {
        let mut history = History {
            fleet: history.fleet.clone(),
            offset: history.offset,
            ..History::default()
        };
        issued(&mut history);
        history.say(retry.clone());
        history.run().failure(&build).is_some()
    };
    assert!(late, "once it is ordered it is too late for a retry");

    history.say(retry);
    issued(&mut history);
    history.claim(Task::Collect(platform()), 1, "janitor@j1");
    assert!(history.fleet.claim(&work(run_id())).is_none());
    history.say(built(&history.job("a/a-2")));
    history.say(updated(vec![]));
    history.say(cleaned(run_id(), 1));
    let ordered = orders(&history);
    let [Order::Issue(Command::CollectStore(collect))] = &ordered[..] else {
        panic!("{ordered:?}")
    };
    assert_eq!(collect.attempt, 2);
}
