//! What is decided when time passes: retries, leases, lost commands, workers that take nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::*;
use gentoo_updater_fleet::decide::{
    Order, Patience, WORKERS_FELL_SILENT, decide, is_held, observe,
};
use gentoo_updater_fleet::liveness::Liveness;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::report::Report;

const QUEUE: &str = "build.default";

/// A planner and the workers that say that they live, in seconds.
struct Fleet {
    history: History,
    liveness: Liveness,
    alive: BTreeSet<&'static str>,
}

impl Fleet {
    /// Of one job, `a/a-2`, on these builders.
    fn building(builders: &[&'static str]) -> Self {
        let mut history = History::requested(&["g1"]);
        let updates = vec![update("a/a-2")];
        history.say(Event::GuestScanned(scanned("g1", updates, vec![])));
        let mut fleet = Self::of(history);
        for builder in builders {
            fleet.register(builder, Role::Builder, QUEUE);
        }
        fleet.obey();
        fleet
    }

    fn of(history: History) -> Self {
        let second = Duration::from_secs(1);
        Self {
            history,
            liveness: Liveness::new(30 * second, 60 * second, second),
            alive: BTreeSet::new(),
        }
    }

    fn register(&mut self, id: &'static str, role: Role, queue: &str) {
        self.history.say(Event::WorkerRegistered(WorkerRegistered {
            worker: worker(id),
            role,
            queues: vec![queue.to_owned()],
            machine: None,
        }));
        self.alive.insert(id);
    }

    fn pass(&mut self, seconds: u32) {
        observe(&self.history.fleet, &mut self.liveness);
        for _ in 0..seconds {
            self.liveness.beat(Duration::from_secs(1));
            for id in &self.alive {
                self.liveness.alive(&worker(id), []);
            }
            observe(&self.history.fleet, &mut self.liveness);
        }
    }

    fn orders(&mut self) -> Vec<Order> {
        observe(&self.history.fleet, &mut self.liveness);
        decide(
            &self.history.fleet,
            &self.liveness,
            &Patience::default(),
            self.history.now(),
        )
    }

    /// The attempts of the build that are to be issued.
    fn attempts(&mut self) -> Vec<u32> {
        let attempt = |order| match order {
            Order::Issue(Command::BuildPackage(build)) => Some(build.attempt),
            _ => None,
        };
        self.orders().into_iter().filter_map(attempt).collect()
    }

    /// Says what the planner would say after carrying out what is decided now, and that stores were
    /// searched in vain.
    fn obey(&mut self) {
        for _ in 0..2 {
            if self.history.run().jobs.is_some() {
                self.history.search_in_vain();
            }
            self.carry_out();
        }
    }

    /// Says what the planner would say after carrying out what is decided now.
    fn carry_out(&mut self) {
        for order in self.orders() {
            match order {
                Order::Issue(command) => {
                    let queue = match &command {
                        Command::BuildPackage(_) | Command::SearchStore(_) => QUEUE,
                        _ => "another",
                    };
                    self.history.say(Event::CommandIssued(CommandIssued {
                        command: command.id().unwrap(),
                        work: command.work(),
                        queue: queue.to_owned(),
                    }));
                }
                Order::Publish(event) => self.history.say(event),
                Order::Bury(..) => {}
            }
        }
    }

    fn work(&self, attempt: u32) -> WorkKey {
        WorkKey {
            run: run_id(),
            task: Task::Build(self.history.job("a/a-2").id),
            attempt,
        }
    }

    fn claim(&mut self, attempt: u32, by: &str) {
        let task = self.work(attempt).task;
        self.history.claim(task, attempt, by);
    }

    fn fail(&mut self, attempt: u32, by: &str, failure: Failure) {
        self.claim(attempt, by);
        let job = self.history.job("a/a-2").id;
        self.history.say(Event::BuildFailed(BuildFailed {
            had: None,
            run: run_id(),
            job,
            attempt,
            builder: None,
            failure,
        }));
    }

    /// Why the task was given up.
    fn given_up(&self) -> Option<String> {
        let failure = self.history.run().failure(&self.work(1).task)?;
        Some(failure.cause.clone())
    }

    fn pause(&mut self, target: PauseTarget) {
        self.history.say(Event::PauseRequested(PauseRequested {
            target,
            reason: Some("the room is too hot".to_owned()),
        }));
    }
}

fn disk_full() -> Failure {
    Failure::new(FailureClass::Machine, "DiskFull", "no space")
}

#[test]
fn a_transient_failure_is_tried_again_after_a_growing_pause_and_given_up_in_the_end() {
    let mut fleet = Fleet::building(&["builder@b1"]);
    for (attempt, pause) in [(1, 10), (2, 20)] {
        fleet.fail(attempt, "builder@b1", transient("FetchFailure"));
        assert!(fleet.attempts().is_empty(), "the pause has just begun");
        fleet.pass(pause - 1);
        assert!(fleet.attempts().is_empty(), "attempt {attempt}");
        fleet.pass(1);
        assert_eq!(fleet.attempts(), [attempt + 1]);
        fleet.obey();
    }
    fleet.fail(3, "builder@b1", transient("FetchFailure"));
    fleet.obey();
    assert_eq!(fleet.given_up().as_deref(), Some("FetchFailure"));
}

#[test]
fn no_clock_that_is_set_back_or_forward_by_hours_stops_a_retry_or_hastens_it() {
    for hours in [-5, 5] {
        let mut fleet = Fleet::building(&["builder@b1"]);
        fleet.history.seconds += hours * 3600;
        fleet.fail(1, "builder@b1", transient("FetchFailure"));
        fleet.history.seconds -= hours * 3600;
        fleet.pass(5);
        assert!(fleet.attempts().is_empty());
        fleet.pass(5);
        assert_eq!(fleet.attempts(), [2]);
    }
}

#[test]
fn a_permanent_failure_is_the_end_of_its_task() {
    let mut fleet = Fleet::building(&["builder@b1"]);
    fleet.fail(1, "builder@b1", permanent("CompileFailure"));
    fleet.pass(7200);
    assert!(fleet.attempts().is_empty());
    assert_eq!(fleet.given_up().as_deref(), Some("CompileFailure"));
}

#[test]
fn a_failure_of_the_machine_uses_no_attempt_up_while_another_builder_could_do_it() {
    let fetch = || transient("FetchFailure");
    let off = || transient("Unreachable");
    let key = || permanent("HostKeyChanged");
    let (one, two, spare) = ("builder@b1", "builder@b2", "builder@spare");
    // Who lives, which failures there are, each on its builder, and whether that is the end.
    let cases = [
        (
            "alone, each counts",
            vec![one],
            vec![(one, disk_full()), (one, disk_full()), (one, disk_full())],
            true,
        ),
        (
            "two machines are unfit and a third one is there",
            vec![one, two, spare],
            vec![(one, disk_full()), (two, off()), (two, fetch())],
            false,
        ),
        (
            "two machines cannot be believed to be themselves",
            vec![one, two, spare],
            vec![(one, key()), (two, key()), (two, fetch())],
            false,
        ),
        (
            "two machines are unfit and nobody else is there",
            vec![one, two],
            vec![(one, disk_full()), (two, off()), (two, fetch())],
            true,
        ),
        (
            "failures of the package count, whoever is there",
            vec![one, two, spare],
            vec![(one, fetch()), (two, fetch()), (one, fetch())],
            true,
        ),
        (
            "one machine fails three times, and the first is free",
            vec![one, spare],
            vec![(one, disk_full()), (one, disk_full()), (one, disk_full())],
            false,
        ),
        (
            "one machine fails again and again, and the other never comes",
            vec![one, spare],
            vec![
                (one, disk_full()),
                (one, disk_full()),
                (one, disk_full()),
                (one, disk_full()),
            ],
            true,
        ),
    ];
    for (name, alive, failures, is_given_up) in cases {
        let mut fleet = Fleet::building(&[one, two, spare]);
        fleet.alive = alive.into_iter().collect();
        for (number, (by, failure)) in (1..).zip(failures) {
            assert_eq!(fleet.given_up(), None, "{name}: before attempt {number}");
            fleet.fail(number, by, failure);
            fleet.pass(60);
            fleet.obey();
        }
        assert_eq!(fleet.given_up().is_some(), is_given_up, "{name}");
    }
}

#[test]
fn a_builder_that_is_unfit_is_no_other_builder() {
    let mut fleet = Fleet::building(&["builder@b1", "builder@b2"]);
    fleet.history.say(Event::WorkerPaused(WorkerPaused {
        worker: worker("builder@b2"),
        builder: None,
        failure: Some(disk_full()),
    }));
    for attempt in 1..=3 {
        fleet.fail(attempt, "builder@b1", disk_full());
        fleet.pass(60);
        fleet.obey();
    }
    assert_eq!(fleet.given_up().as_deref(), Some("DiskFull"));
}

#[test]
fn a_worker_that_falls_silent_loses_its_claim_and_the_last_command_becomes_a_dead_letter() {
    let mut fleet = Fleet::building(&["builder@b1"]);
    fleet.alive.clear();
    for attempt in 1..=2 {
        fleet.claim(attempt, "builder@b1");
        fleet.pass(30);
        assert!(fleet.attempts().is_empty(), "the lease holds");
        fleet.pass(2);
        assert_eq!(fleet.attempts(), [attempt + 1]);
        fleet.obey();
    }
    fleet.claim(3, "builder@b1");
    fleet.pass(32);
    let orders = fleet.orders();
    let [
        Order::Bury(command, failure),
        Order::Publish(Event::TaskAbandoned(abandoned)),
    ] = &orders[..]
    else {
        panic!("{orders:?}")
    };
    assert_eq!(command.work(), fleet.work(3));
    assert_eq!(failure.cause, WORKERS_FELL_SILENT);
    assert_eq!(&abandoned.failure, failure);
}

#[test]
fn work_that_nobody_serves_is_given_up_in_the_end_and_the_run_ends() {
    let mut fleet = Fleet::building(&["builder@b1"]);
    fleet.pass(600);
    assert_eq!(fleet.given_up(), None, "somebody serves it");
    fleet.alive.clear();
    fleet.pass(60);
    fleet.obey();
    assert_eq!(fleet.given_up(), None, "the worker may come back");
    fleet.pass(40);
    fleet.obey();
    assert_eq!(fleet.given_up().as_deref(), Some("NobodyServes"));
    let outcome = fleet.history.run().finished.unwrap().outcome;
    assert_eq!(outcome, RunOutcome::WithFailures);
}

#[test]
fn whoever_searches_no_store_is_not_waited_for_once_more_by_the_builds() {
    let mut history = History::requested(&["g1"]);
    let updates = vec![update("a/a-2"), update("a/b-2").needs_to_build("a/a-2")];
    history.say(Event::GuestScanned(scanned("g1", updates, vec![])));
    let mut fleet = Fleet::of(history);
    fleet.register("builder@b1", Role::Builder, QUEUE);
    fleet.alive.clear();
    fleet.carry_out();
    fleet.carry_out();
    let search = Task::Search(platform());
    assert!(fleet.history.run().tasks.contains_key(&search));
    fleet.pass(100);
    for _ in 0..5 {
        fleet.carry_out();
    }
    assert_eq!(fleet.given_up().as_deref(), Some("NobodyServes"));
    let outcome = fleet.history.run().finished.unwrap().outcome;
    assert_eq!(outcome, RunOutcome::WithFailures);
}

#[test]
fn who_is_paused_by_an_operator_is_not_nobody_and_the_report_names_it() {
    let mut fleet = Fleet::building(&["builder@b1"]);
    fleet.pause(PauseTarget::Role(Role::Builder));
    fleet.alive.clear();
    fleet.pass(7200);
    fleet.obey();
    assert_eq!(fleet.given_up(), None);
    let text = Report::of(&fleet.history.fleet, fleet.history.run()).to_text();
    let named = "every builder: takes no new work, because test@1 wants it so since";
    assert!(text.contains(named), "{text}");
    assert!(text.contains("the room is too hot"), "{text}");

    let target = PauseTarget::Role(Role::Builder);
    let resumed = Event::ResumeRequested(ResumeRequested { target });
    fleet.history.say(resumed);
    fleet.pass(100);
    fleet.obey();
    assert_eq!(fleet.given_up().as_deref(), Some("NobodyServes"));
}

#[test]
fn commands_wait_with_the_planner_while_all_who_could_take_them_are_paused() {
    let mut fleet = Fleet::building(&["builder@b1", "builder@b2"]);
    let held = |fleet: &Fleet| is_held(&fleet.history.fleet, &fleet.liveness, &QUEUE.to_owned());
    fleet.pass(1);
    fleet.pause(PauseTarget::Worker(worker("builder@b1")));
    assert!(!held(&fleet), "the other one can take them");
    fleet.alive.remove("builder@b2");
    fleet.pass(40);
    assert!(held(&fleet), "the other one is gone");
    assert!(
        !is_held(&fleet.history.fleet, &fleet.liveness, &"scan".to_owned()),
        "a queue that nobody serves may be served later"
    );
}

#[test]
fn a_command_whose_queue_is_bare_for_a_while_is_issued_again_under_the_same_id() {
    let mut fleet = Fleet::building(&["builder@b1"]);
    let issued = |fleet: &Fleet| {
        let task = &fleet.history.run().tasks[&fleet.work(1).task];
        task.attempts[&1].issued.clone().unwrap()
    };
    assert!(
        fleet.liveness.doubtful_queues().is_empty(),
        "it was issued a moment ago"
    );
    fleet.pass(10);
    assert_eq!(fleet.liveness.doubtful_queues(), [QUEUE.to_owned()].into());
    let first = issued(&fleet);
    let mut after = 0;
    for times in 1..4 {
        assert_eq!(issued(&fleet).times, times);
        // A worker that has just taken it has not claimed it yet.
        fleet.liveness.saw_queue(QUEUE, true);
        while fleet.attempts().is_empty() {
            fleet.pass(1);
            fleet.liveness.saw_queue(QUEUE, true);
            after += 1;
        }
        assert_eq!(
            after,
            31 + 30 * (2_i32.pow(times - 1) - 1),
            "it waits longer each time"
        );
        after = 0;
        assert_eq!(fleet.attempts(), [1], "the attempt is the same");
        fleet.obey();
        assert_eq!(issued(&fleet).command, first.command);
    }
    fleet.claim(1, "builder@b1");
    fleet.pass(1);
    fleet.liveness.saw_queue(QUEUE, true);
    assert!(fleet.liveness.doubtful_queues().is_empty());
}

#[test]
fn a_command_that_comes_back_to_its_queue_is_not_missing() {
    let mut fleet = Fleet::building(&["builder@b1"]);
    for _ in 0..20 {
        fleet.liveness.saw_queue(QUEUE, true);
        fleet.pass(20);
        // It was given back, for another worker.
        fleet.liveness.saw_queue(QUEUE, false);
        assert!(fleet.attempts().is_empty());
    }
}
