//! Who lives, works and is paused, and whom an operator can name.

use std::collections::BTreeSet;

use gentoo_updater_fleet::inspect::*;
use gentoo_updater_fleet::message::*;
use jiff::Timestamp;

use crate::common::*;
use crate::{build, planned, work};

fn register(history: &mut History, name: &str, role: Role) {
    history.say(Event::WorkerRegistered(WorkerRegistered {
        worker: worker(name),
        role,
        queues: Vec::new(),
        machine: None,
    }));
}

fn alive(name: &str, role: Role, working_on: Vec<WorkKey>, at: Timestamp) -> Envelope<Event> {
    let ongoing = |work| Ongoing { work, since: None };
    let event = Event::WorkerAlive(WorkerAlive {
        worker: worker(name),
        role,
        working_on: working_on.into_iter().map(ongoing).collect(),
        slots: None,
        paused: false,
        bus_trouble: None,
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
