//! An operator's retry: fresh attempts at what failed for good, and what follows from them.

use crate::common::*;
use crate::orders::orders;
use gentoo_updater_fleet::decide::Order;
use gentoo_updater_fleet::inspect::{self, Nothing, Retry};
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::CommandId;
use gentoo_updater_fleet::report::{GuestOutcome, guest_outcome};
use gentoo_updater_fleet::snapshot::Snapshot;
use gentoo_updater_fleet::state::{Fleet, JobProgress};

/// The builds that should be out: package and attempt.
fn builds(history: &History) -> Vec<(String, u32)> {
    let orders = orders(history).into_iter();
    let mut builds: Vec<(String, u32)> = orders
        .filter_map(|order| match order {
            Order::Issue(Command::BuildPackage(build)) => {
                Some((build.job.key.cpv.to_string(), build.attempt))
            }
            _ => None,
        })
        .collect();
    builds.sort();
    builds
}

fn published(history: &History) -> Vec<Event> {
    let orders = orders(history).into_iter();
    let events = orders.filter_map(|order| match order {
        Order::Publish(event) => Some(event),
        _ => None,
    });
    events.collect()
}

fn say_all(history: &mut History, events: Vec<Event>) {
    for event in events {
        history.say(event);
    }
}

/// `lib` failed, `app` needs it, `other` is built.
fn failed() -> History {
    let mut history = History::requested(&["g1"]);
    let updates = vec![
        update("a/app-2")
            .needs_to_build("a/lib-2")
            .needs_to_run("a/lib-2"),
        update("a/lib-2"),
        update("a/other-2"),
    ];
    history.say(Event::GuestScanned(scanned("g1", updates, vec![])));
    let planned = published(&history);
    say_all(&mut history, planned);
    history.search_in_vain();
    history.say(built(&history.job("a/other-2")));
    fail(&mut history, 1, permanent("CompileFailure"));
    history
}

fn lib(history: &History, attempt: u32) -> WorkKey {
    WorkKey {
        run: run_id(),
        task: Task::Build(history.job("a/lib-2").id),
        attempt,
    }
}

fn fail(history: &mut History, attempt: u32, failure: Failure) {
    let job = history.job("a/lib-2").id;
    history.claim(Task::Build(job.clone()), attempt, "builder@b1");
    history.say(failure_of(history, attempt, failure));
}

fn failure_of(history: &History, attempt: u32, failure: Failure) -> Event {
    Event::BuildFailed(BuildFailed {
        had: None,
        run: run_id(),
        job: history.job("a/lib-2").id,
        attempt,
        builder: None,
        failure,
    })
}

fn retry(work: WorkKey) -> Event {
    Event::RetryRequested(RetryRequested { work })
}

fn retry_lib(history: &mut History, attempt: u32) {
    let work = lib(history, attempt);
    history.say(retry(work));
}

fn progress(history: &History, name: &str) -> JobProgress {
    let job = history.job(name).id;
    history.run().progress().get(&job).unwrap().clone()
}

/// What the state is, but for how far it was read.
fn content(fleet: &Fleet) -> Fleet {
    Fleet {
        offset: None,
        event: None,
        ..fleet.clone()
    }
}

fn held(name: &str, reason: HoldReason) -> HeldBack {
    let cpv = cpv(name);
    HeldBack { cpv, reason }
}

/// The guest has what could be had.
fn installed_without(history: &mut History) {
    let needs = HoldReason::Needs(cpv("a/lib-2"));
    history.say(updated(vec![
        held("a/app-2", needs),
        held("a/lib-2", HoldReason::BuildFailed),
    ]));
}

#[test]
fn a_job_that_failed_for_good_gets_another_attempt_and_what_waits_for_it_goes_on() {
    let mut history = failed();
    let cause = history.job("a/lib-2").id;
    assert_eq!(progress(&history, "a/app-2"), JobProgress::HeldBack(cause));
    assert_eq!(builds(&history), []);
    retry_lib(&mut history, 1);
    assert_eq!(progress(&history, "a/lib-2"), JobProgress::Ready);
    assert_eq!(progress(&history, "a/app-2"), JobProgress::Waiting);
    assert_eq!(builds(&history), [("a/lib-2".to_owned(), 2)]);
    history.say(built(&history.job("a/lib-2")));
    assert_eq!(builds(&history), [("a/app-2".to_owned(), 1)]);
}

#[test]
fn attempts_count_from_the_retry_on() {
    let mut history = failed();
    retry_lib(&mut history, 1);
    // Each of three fails for a reason that passes; before the third the planner waits, and does
    // not give up.
    for attempt in 2..=3 {
        fail(&mut history, attempt, transient("FetchFailure"));
        assert_eq!(published(&history), []);
    }
    fail(&mut history, 4, transient("FetchFailure"));
    let given_up = published(&history);
    let [Event::TaskAbandoned(given_up)] = &given_up[..] else {
        panic!("{given_up:?}")
    };
    assert_eq!(given_up.work, lib(&history, 4));
}

#[test]
fn the_same_retry_twice_changes_nothing_also_after_another_attempt_has_failed() {
    let mut history = failed();
    retry_lib(&mut history, 1);
    let once = content(&history.fleet);
    retry_lib(&mut history, 1);
    assert_eq!(content(&history.fleet), once);
    fail(&mut history, 2, permanent("CompileFailure"));
    let again = content(&history.fleet);
    retry_lib(&mut history, 1);
    assert_eq!(content(&history.fleet), again);
    assert_eq!(progress(&history, "a/lib-2"), JobProgress::Failed);
    // Another retry is one that knows of the second failure.
    retry_lib(&mut history, 2);
    assert_eq!(builds(&history), [("a/lib-2".to_owned(), 3)]);
}

#[test]
fn what_comes_late_of_attempts_before_the_retry_fails_nothing_and_claims_nothing() {
    let mut history = failed();
    retry_lib(&mut history, 1);
    let retried = content(&history.fleet);
    history.say(failure_of(&history, 1, permanent("CompileFailure")));
    history.say(Event::TaskAbandoned(TaskAbandoned {
        work: lib(&history, 1),
        failure: permanent("WorkersFellSilent"),
    }));
    history.claim(lib(&history, 1).task, 1, "builder@b2");
    assert_eq!(content(&history.fleet), retried);
    // A binary is one, whoever made it.
    history.say(built(&history.job("a/lib-2")));
    assert_eq!(progress(&history, "a/lib-2"), JobProgress::Built);
}

#[test]
fn only_what_failed_for_good_in_a_run_that_goes_on_is_tried_again() {
    let mut history = failed();
    let before = content(&history.fleet);
    let tasks = [
        (Task::Build(history.job("a/other-2").id), 1),
        (Task::Build(history.job("a/app-2").id), 1),
        (Task::Scan(guest("g1")), 1),
        // There was no such attempt.
        (lib(&history, 1).task, 2),
    ];
    for (task, attempt) in tasks {
        let run = run_id();
        history.say(retry(WorkKey { run, task, attempt }));
        assert_eq!(content(&history.fleet), before);
    }
    history.say(runs::finished(run_id()));
    let over = content(&history.fleet);
    retry_lib(&mut history, 1);
    assert_eq!(content(&history.fleet), over);
}

#[test]
fn a_guest_that_was_installed_without_it_gets_it_in_a_further_round() {
    let mut history = failed();
    installed_without(&mut history);
    assert_eq!(
        guest_outcome(history.run(), &guest("g1")),
        GuestOutcome::HeldBack
    );
    retry_lib(&mut history, 1);
    for name in ["a/lib-2", "a/app-2"] {
        history.say(built(&history.job(name)));
    }
    clean(&mut history, 2);
    let [Event::RunRequested(round), Event::RunFinished(finished)] = &published(&history)[..]
    else {
        panic!("{:?}", published(&history))
    };
    // The run itself was to have none.
    assert_eq!(round.follows, Some(run_id()));
    assert!(round.guests.contains_key(&guest("g1")));
    assert_eq!(finished.outcome, RunOutcome::Complete);
    assert_eq!((round.retries, finished.retries), (1, 1));
    let said = published(&history);
    say_all(&mut history, said);
    assert!(history.run().finished.is_some());
    assert!(history.fleet.runs.contains_key(&run_id().following()));
}

#[test]
fn a_guest_gets_no_further_round_where_the_retry_failed_as_well() {
    let mut history = failed();
    installed_without(&mut history);
    retry_lib(&mut history, 1);
    fail(&mut history, 2, permanent("CompileFailure"));
    clean(&mut history, 2);
    let kinds: Vec<_> = published(&history).iter().map(Event::kind).collect();
    assert_eq!(kinds, ["RunFinished"]);
}

fn clean(history: &mut History, attempt: u32) {
    let orders = orders(history);
    let ordered = orders.iter().any(|order| {
        matches!(order, Order::Issue(Command::CleanBuilder(clean)) if clean.attempt == attempt)
    });
    assert!(ordered, "{orders:?}");
    history.say(cleaned(run_id(), attempt));
}

#[test]
fn a_planner_that_ends_the_run_in_the_moment_of_a_retry_does_not_end_it() {
    let mut history = failed();
    installed_without(&mut history);
    let cleaning = WorkKey {
        run: run_id(),
        task: Task::Clean("b1".parse().unwrap()),
        attempt: 1,
    };
    // What a planner has decided that does not know of the retry.
    let command = CommandId(uuid::Uuid::nil());
    let issued = Event::CommandIssued(CommandIssued {
        command,
        work: cleaning.clone(),
        queue: "clean.b1".to_owned(),
    });
    let round = Event::RunRequested(RunRequested {
        run: run_id().following(),
        kind: RunKind::Update,
        guests: [(guest("g1"), platform())].into(),
        force: false,
        sync: Default::default(),
        more_rounds: 0,
        follows: Some(run_id()),
        retries: 0,
        rollout: Default::default(),
        schedule: None,
    });
    retry_lib(&mut history, 1);
    say_all(&mut history, vec![issued, round, runs::finished(run_id())]);
    history.claim(cleaning.task, 1, "janitor@j1");
    assert!(history.run().finished.is_none());
    assert!(!history.fleet.runs.contains_key(&run_id().following()));
    assert_eq!(builds(&history), [("a/lib-2".to_owned(), 2)]);
    for name in ["a/lib-2", "a/app-2"] {
        history.say(built(&history.job(name)));
    }
    // The cleaning that was ordered too early was nobody's.
    clean(&mut history, 2);
}

#[test]
fn once_a_builder_is_being_cleaned_or_the_next_round_was_asked_for_it_is_too_late() {
    let cleaned = |history: &mut History| {
        history.say(Event::CommandIssued(CommandIssued {
            command: CommandId(uuid::Uuid::nil()),
            work: WorkKey {
                run: run_id(),
                task: Task::Clean("b1".parse().unwrap()),
                attempt: 1,
            },
            queue: "clean.b1".to_owned(),
        }));
    };
    let asked_for = |history: &mut History| history.say(runs::requested(run_id().following()));
    for happened in [&cleaned as &dyn Fn(&mut History), &asked_for] {
        let mut history = failed();
        installed_without(&mut history);
        happened(&mut history);
        let before = content(&history.fleet);
        retry_lib(&mut history, 1);
        assert_eq!(content(&history.fleet), before);
    }
}

#[test]
fn an_installation_is_tried_again_unless_it_was_begun() {
    for begun in [false, true] {
        let mut history = failed();
        history.say(Event::InstallFailed(InstallFailed {
            run: run_id(),
            guest: guest("g1"),
            attempt: 1,
            failure: permanent("HostUnreachable"),
            begun,
            changes: vec![],
            held: vec![],
            findings: vec![],
            rolled_back: None,
        }));
        history.say(retry(WorkKey {
            run: run_id(),
            task: Task::Install(guest("g1")),
            attempt: 1,
        }));
        let orders = orders(&history);
        let again = orders.iter().any(|order| {
            matches!(order, Order::Issue(Command::InstallPackages(set)) if set.attempt == 2)
        });
        assert_eq!(again, !begun);
    }
}

/// It may go on for days, for another wave.
#[test]
fn a_run_that_goes_on_says_why_what_was_begun_in_it_is_not_tried_again() {
    let mut history = failed();
    retry_lib(&mut history, 1);
    for name in ["a/lib-2", "a/app-2"] {
        history.say(built(&history.job(name)));
    }
    let run = run_id();
    history.say(Event::InstallFailed(InstallFailed {
        run,
        guest: guest("g1"),
        attempt: 1,
        failure: permanent("HealthCheckFailed"),
        begun: true,
        changes: vec![],
        held: vec![],
        findings: vec![],
        rolled_back: None,
    }));
    let (begun, others) = ([guest("g1")].into(), [].into());
    let said = inspect::retry(&history.fleet, &run.to_string()).unwrap();
    let expected = Nothing::NotWithin { run, begun, others };
    assert_eq!(said, Retry::Nothing(expected));
    history.say(Event::CommandIssued(CommandIssued {
        command: CommandId(uuid::Uuid::nil()),
        work: WorkKey {
            run,
            task: Task::Clean("b1".parse().unwrap()),
            attempt: 2,
        },
        queue: "queue".to_owned(),
    }));
    let said = inspect::retry(&history.fleet, &run.to_string()).unwrap();
    assert_eq!(said, Retry::Ending(run));
}

#[test]
fn a_snapshot_keeps_what_was_retried() {
    let mut history = failed();
    retry_lib(&mut history, 1);
    let snapshot = Snapshot::take(history.fleet.clone(), worker("planner@1"), history.now());
    let read = Snapshot::decode(&snapshot.encode().unwrap()).unwrap();
    assert_eq!(read.fleet, history.fleet);
}
