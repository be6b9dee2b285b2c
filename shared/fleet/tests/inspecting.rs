//! What an operator is shown of the fleet at work.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;

use common::*;
use gentoo_updater_fleet::batch::{Answer, merge};
use gentoo_updater_fleet::inspect::*;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::*;
use jiff::Timestamp;
use uuid::Uuid;

/// g1 wants openssl and curl, g2 wants curl only; the batch is planned.
fn planned() -> History {
    let mut history = History::requested(&["g1", "g2"]);
    let openssl = update("dev-libs/openssl-3.0").slot("0/3");
    let curl = update("net-misc/curl-8.0");
    let (first, second) = (vec![openssl, curl.clone()], vec![curl]);
    let (g1, g2, platform) = (guest("g1"), guest("g2"), platform());
    let batch = merge(&[
        Answer {
            guest: &g1,
            platform: &platform,
            updates: &first,
        },
        Answer {
            guest: &g2,
            platform: &platform,
            updates: &second,
        },
    ]);
    for (name, updates) in [("g1", first), ("g2", second)] {
        history.say(Event::GuestScanned(scanned(name, updates, Vec::new())));
    }
    history.say(Event::BatchPlanned(BatchPlanned {
        run: run_id(),
        batch,
    }));
    history
}

fn work(task: Task, attempt: u32) -> WorkKey {
    WorkKey {
        run: run_id(),
        task,
        attempt,
    }
}

fn build(history: &History, name: &str) -> Task {
    Task::Build(history.job(name).id)
}

fn issue(history: &mut History, task: &Task, attempt: u32, queue: &str) {
    history.seconds += 60;
    history.say(Event::CommandIssued(CommandIssued {
        command: CommandId(Uuid::nil()),
        work: work(task.clone(), attempt),
        queue: queue.to_owned(),
    }));
}

fn queues(history: &History) -> std::collections::BTreeMap<String, QueueWork> {
    work_of_queues(&history.fleet, |task, platform| {
        assert!(matches!(task, Task::Build(_)), "{task}");
        format!("build.{}", platform.unwrap())
    })
}

fn waiting(history: &History, queue: &str) -> Vec<String> {
    let queues = queues(history);
    let work = queues.get(queue);
    let waiting = work.iter().flat_map(|work| &work.waiting);
    waiting.map(|waiting| waiting.task.to_string()).collect()
}

fn claimed(history: &History, queue: &str) -> Vec<String> {
    let queues = queues(history);
    let work = queues.get(queue);
    let claimed = work.iter().flat_map(|work| &work.claimed);
    let words = |claimed: &Claimed| format!("{}: {}", claimed.worker, claimed.task);
    claimed.map(words).collect()
}

#[test]
fn work_waits_from_its_issue_to_its_claim_and_is_claimed_until_its_result() {
    let mut history = planned();
    let (openssl, curl) = (
        build(&history, "dev-libs/openssl-3.0"),
        build(&history, "net-misc/curl-8.0"),
    );
    issue(&mut history, &openssl, 1, "build.default");
    issue(&mut history, &curl, 1, "build.default");
    let both = [
        "build dev-libs/openssl-3.0 for g1",
        "build net-misc/curl-8.0 for g1 g2",
    ];
    assert_eq!(waiting(&history, "build.default"), both);
    let issued_at = queues(&history)["build.default"].waiting[0].issued_at;
    assert_eq!(history.now().duration_since(issued_at).as_secs(), 60);

    history.claim(openssl.clone(), 1, "builder@b1");
    assert_eq!(waiting(&history, "build.default"), both[1..]);
    assert_eq!(
        claimed(&history, "build.default"),
        ["builder@b1: build dev-libs/openssl-3.0 for g1"]
    );

    let job = history.job("dev-libs/openssl-3.0");
    history.say(built(&job));
    assert!(claimed(&history, "build.default").is_empty());
}

#[test]
fn only_the_last_attempt_of_a_task_is_shown() {
    let mut history = planned();
    let curl = build(&history, "net-misc/curl-8.0");
    issue(&mut history, &curl, 1, "build.default");
    history.claim(curl.clone(), 1, "builder@b1");
    issue(&mut history, &curl, 2, "build.default");
    assert_eq!(
        waiting(&history, "build.default"),
        ["build net-misc/curl-8.0 for g1 g2 (attempt 2)"]
    );
    assert!(claimed(&history, "build.default").is_empty());
}

#[test]
fn an_attempt_that_failed_is_neither_waiting_nor_claimed() {
    let mut history = planned();
    let curl = build(&history, "net-misc/curl-8.0");
    issue(&mut history, &curl, 1, "build.default");
    history.claim(curl, 1, "builder@b1");
    history.say(Event::BuildFailed(BuildFailed {
        run: run_id(),
        job: history.job("net-misc/curl-8.0").id,
        attempt: 1,
        builder: None,
        failure: transient("ConnectionLost"),
    }));
    assert_eq!(queues(&history).get("build.default"), None);
}

#[test]
fn a_claim_of_work_whose_issue_is_not_told_belongs_to_the_queue_of_its_task() {
    let mut history = planned();
    let curl = build(&history, "net-misc/curl-8.0");
    history.claim(curl, 1, "builder@b1");
    assert_eq!(
        claimed(&history, "build.default"),
        ["builder@b1: build net-misc/curl-8.0 for g1 g2"]
    );
}

#[test]
fn a_run_that_is_over_has_no_work_left() {
    let mut history = planned();
    let curl = build(&history, "net-misc/curl-8.0");
    issue(&mut history, &curl, 1, "build.default");
    history.say(Event::RunFinished(RunFinished {
        run: run_id(),
        outcome: RunOutcome::WithFailures,
    }));
    assert!(queues(&history).is_empty());
}

/// The names of the events of this history that a filter takes.
fn taken(history: &History, filter: &EventFilter) -> Vec<String> {
    let mut jobs = KnownJobs::default();
    let events = history.events.iter().filter(|(_, event)| {
        jobs.learn(&event.message);
        filter.takes(event, &jobs)
    });
    events
        .map(|(_, event)| event.message.kind().to_owned())
        .collect()
}

fn told() -> History {
    let mut history = planned();
    let (openssl, curl) = (
        build(&history, "dev-libs/openssl-3.0"),
        build(&history, "net-misc/curl-8.0"),
    );
    issue(&mut history, &openssl, 1, "build.default");
    history.claim(openssl, 1, "builder@b1");
    let job = history.job("dev-libs/openssl-3.0");
    history.say(built(&job));
    history.claim(curl, 1, "builder@b2");
    history.say(Event::GuestUpdated(GuestUpdated {
        run: run_id(),
        guest: guest("g1"),
        attempt: 1,
        changes: vec![PackageChange {
            before: Some(cpv("dev-libs/openssl-2.0")),
            after: Some(cpv("dev-libs/openssl-3.0")),
        }],
        held: Vec::new(),
        findings: Vec::new(),
    }));
    history
}

#[test]
fn a_package_is_found_in_events_that_name_only_its_job() {
    let filter = |atom: &str| EventFilter {
        package: Some(atom.parse().unwrap()),
        ..EventFilter::default()
    };
    let history = told();
    let of_openssl = [
        "GuestScanned",
        "BatchPlanned",
        "CommandIssued",
        "WorkStarted",
        "PackageBuilt",
        "GuestUpdated",
    ];
    assert_eq!(taken(&history, &filter("dev-libs/openssl")), of_openssl);
    assert_eq!(taken(&history, &filter(">=dev-libs/openssl-3")), of_openssl);
    assert_eq!(
        taken(&history, &filter("<dev-libs/openssl-3")),
        ["GuestUpdated"],
        "what was there before"
    );
    assert_eq!(taken(&history, &filter("dev-libs/openssl:0/3")), of_openssl);
    assert_eq!(
        taken(&history, &filter("dev-libs/openssl:1")),
        ["GuestUpdated"],
        "changes tell no slots"
    );
    assert!(taken(&history, &filter("app-misc/x")).is_empty());
}

#[test]
fn a_guest_is_concerned_by_what_names_it_and_by_the_jobs_that_it_wants() {
    let filter = |name: &str| EventFilter {
        guest: Some(guest(name)),
        ..EventFilter::default()
    };
    let history = told();
    assert_eq!(
        taken(&history, &filter("g2")),
        [
            "RunRequested",
            "GuestScanned",
            "BatchPlanned",
            "WorkStarted"
        ]
    );
    assert_eq!(taken(&history, &filter("g1")).len(), 8);
}

#[test]
fn run_kind_and_time_narrow_the_events_together() {
    let history = told();
    let filter = EventFilter {
        run: Some(run_id().short().parse().unwrap()),
        kinds: ["WorkStarted".to_owned()].into(),
        ..EventFilter::default()
    };
    assert_eq!(taken(&history, &filter), ["WorkStarted", "WorkStarted"]);
    let later = EventFilter {
        since: Some(history.now() + jiff::SignedDuration::from_secs(1)),
        ..filter.clone()
    };
    assert!(taken(&history, &later).is_empty());
    let other_run = EventFilter {
        run: Some("0123456789ab".parse().unwrap()),
        ..EventFilter::default()
    };
    assert!(taken(&history, &other_run).is_empty());
}

fn register(history: &mut History, name: &str, role: Role) {
    history.say(Event::WorkerRegistered(WorkerRegistered {
        worker: worker(name),
        role,
        queues: Vec::new(),
    }));
}

fn alive(name: &str, role: Role, working_on: Vec<WorkKey>, at: Timestamp) -> Envelope<Event> {
    let event = Event::WorkerAlive(WorkerAlive {
        worker: worker(name),
        role,
        working_on,
    });
    Envelope::new(worker(name), at, event)
}

fn states(views: &[WorkerView]) -> Vec<(&str, WorkerState)> {
    let state = |view: &'_ WorkerView| view.state;
    views
        .iter()
        .map(|view| (view.worker.as_str(), state(view)))
        .collect()
}

/// Two builders, of which the second is unfit, a scanner and two planners have come up; b1 builds.
fn manned() -> History {
    let mut history = planned();
    for name in ["builder@b1", "builder@b2"] {
        register(&mut history, name, Role::Builder);
    }
    register(&mut history, "scanner@s", Role::Scanner);
    register(&mut history, "planner@old", Role::Planner);
    register(&mut history, "planner@new", Role::Planner);
    history.say(Event::WorkerPaused(WorkerPaused {
        worker: worker("builder@b2"),
        builder: Some("b2".parse().unwrap()),
        failure: Some(permanent("DiskFull")),
    }));
    let curl = build(&history, "net-misc/curl-8.0");
    history.claim(curl, 1, "builder@b1");
    history.seconds += 60;
    history
}

fn heard(history: &History) -> Signs {
    let mut signs = Signs::nobody_heard();
    let now = history.now();
    let curl = work(build(history, "net-misc/curl-8.0"), 1);
    signs.hear(&alive("builder@b1", Role::Builder, vec![curl], now));
    signs.hear(&alive("builder@b2", Role::Builder, Vec::new(), now));
    let beat = PlannerAlive {
        worker: worker("planner@new"),
        beat: 1,
    };
    signs.hear(&Envelope::new(
        worker("planner@new"),
        now,
        Event::PlannerAlive(beat),
    ));
    signs
}

#[test]
fn a_worker_is_busy_since_its_claim_paused_with_its_cause_or_silent() {
    let history = manned();
    let views = workers(&history.fleet, &heard(&history));
    assert_eq!(
        states(&views),
        [
            ("planner@new", WorkerState::Idle),
            ("builder@b1", WorkerState::Busy),
            ("builder@b2", WorkerState::Paused),
            ("scanner@s", WorkerState::Silent),
        ]
    );
    let work = &views[1].working_on[0];
    assert_eq!(work.task.to_string(), "build net-misc/curl-8.0 for g1 g2");
    let since = work.since.unwrap();
    assert_eq!(history.now().duration_since(since).as_secs(), 60);
    assert!(
        matches!(&views[2].paused[..], [PauseCause::Unfit { cause, .. }] if cause == "DiskFull"),
        "{:?}",
        views[2]
    );
    assert_eq!(views[3].last_seen, views[3].registered_at);
}

#[test]
fn a_pause_of_a_role_shows_at_each_of_its_workers_and_what_is_begun_goes_on() {
    let mut history = manned();
    history.say(Event::PauseRequested(PauseRequested {
        target: PauseTarget::Role(Role::Builder),
        reason: Some("new disks".to_owned()),
    }));
    let views = workers(&history.fleet, &heard(&history));
    let b1 = views
        .iter()
        .find(|view| view.worker == worker("builder@b1"));
    let b1 = b1.unwrap();
    assert_eq!(b1.state, WorkerState::Paused);
    assert_eq!(b1.working_on.len(), 1);
    assert!(
        matches!(&b1.paused[..], [PauseCause::Operator { reason: Some(reason), .. }] if reason == "new disks"),
        "{b1:?}"
    );
}

#[test]
fn without_a_process_nobody_lives_and_a_claim_that_is_held_still_shows() {
    let history = manned();
    let views = workers(&history.fleet, &Signs::Process(BTreeSet::new()));
    assert!(views.iter().all(|view| view.state == WorkerState::Silent));
    assert!(views.iter().all(|view| view.role != Role::Planner));
    let b1 = views
        .iter()
        .find(|view| view.worker == worker("builder@b1"));
    assert_eq!(b1.unwrap().working_on.len(), 1);
    let process = Signs::Process([worker("builder@b1"), worker("scanner@s")].into());
    assert_eq!(
        states(&workers(&history.fleet, &process)),
        [
            ("scanner@s", WorkerState::Idle),
            ("builder@b1", WorkerState::Busy),
            ("builder@b2", WorkerState::Silent),
        ]
    );
}

#[test]
fn a_pause_names_a_role_or_a_known_worker_and_an_unknown_name_leads_to_a_known_one() {
    let history = manned();
    let target = |text: &str| target_named(text, &history.fleet, [worker("builder@b3")]);
    assert_eq!(target("builder"), Ok(PauseTarget::Role(Role::Builder)));
    for name in ["builder@b1", "builder@b3"] {
        assert_eq!(target(name), Ok(PauseTarget::Worker(worker(name))));
    }
    let error = target("b2").unwrap_err().to_string();
    assert!(error.ends_with("did you mean builder@b2?"), "{error}");
    let error = target("web").unwrap_err().to_string();
    assert!(error.contains("gentoo-updater workers"), "{error}");
    for name in ["planner", "planner@new", "operator"] {
        let error = target(name).unwrap_err();
        assert!(matches!(error, UnknownTarget::NotPausable { .. }), "{name}");
    }
}
