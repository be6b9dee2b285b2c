//! Who may say what: every kind of event and command times every user.

use std::path::Path;

use crate::common::{guest, run_id, worker};
use gentoo_updater_fleet::authority::{Overstep, ROLES, User, Users, may_order, may_say};
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::schedule::Occurrence;
use serde::de::DeserializeOwned;

/// All users of a fleet with the guests `g1` and `mail`. The golden events are of guest `g1`.
fn users() -> Vec<User> {
    let guests = ["g1", "mail"].map(|name| User::Guest(guest(name)));
    ROLES.map(User::Role).into_iter().chain(guests).collect()
}

fn sender_of(user: &User) -> &'static str {
    match user {
        User::Role(Role::Planner) => "planner@1",
        User::Role(Role::Scanner) => "scanner@control",
        User::Role(Role::Builder) => "builder@b1",
        User::Role(Role::Installer) => "installer@control",
        User::Role(Role::Janitor) => "janitor@control",
        User::Role(Role::Scheduler) => "scheduler@control",
        User::Role(Role::Notifier) => "notifier@control",
        User::Role(Role::Operator) => "operator@desk",
        User::Guest(name) if name.as_str() == "g1" => "installer@agent.g1",
        User::Guest(_) => "installer@agent.mail",
    }
}

/// The users of the table, as they are written in it.
fn expected(event: &Event) -> &'static str {
    match event {
        // The planner asks for further rounds, and the scheduler for what is due, see `as_said_by`.
        Event::RunRequested(_) => "planner scheduler operator",
        Event::ScheduleAdopted(_) | Event::OccurrencesMissed(_) => "scheduler",
        Event::RetryRequested(_)
        | Event::PauseRequested(_)
        | Event::ResumeRequested(_)
        | Event::HoldRequested(_)
        | Event::ApprovalGiven(_)
        | Event::GuestRolledBack(_) => "operator",
        Event::CommandIssued(_)
        | Event::BatchPlanned(_)
        | Event::TaskAbandoned(_)
        | Event::WaveEnded(_)
        | Event::GuestsLeftOut(_)
        | Event::RunFinished(_)
        | Event::PlannerAlive(_) => "planner",
        Event::GuestScanned(_) | Event::ScanFailed(_) => "scanner",
        Event::StoreSearched(_)
        | Event::SearchFailed(_)
        | Event::PackageBuilt(_)
        | Event::BuildFailed(_)
        | Event::DurationsLearned(_) => "builder",
        Event::GuestUpdated(_) | Event::InstallFailed(_) => "installer guest.g1",
        Event::BuilderSynced(_)
        | Event::SyncFailed(_)
        | Event::BuilderCleaned(_)
        | Event::CleanFailed(_)
        | Event::StoreCollected(_)
        | Event::CollectFailed(_) => "janitor",
        // As the speaker would say them of itself, see `as_said_by`.
        Event::WorkStarted(_) | Event::WorkerPaused(_) => {
            "scanner builder installer janitor guest.g1 guest.mail"
        }
        Event::WorkerAlive(_) => {
            "scanner builder installer janitor scheduler notifier guest.g1 guest.mail"
        }
        Event::WorkerRegistered(_) => {
            "planner scanner builder installer janitor scheduler notifier guest.g1 guest.mail"
        }
    }
}

/// The event as this user would say it: of itself and of its own work.
fn as_said_by(user: &User, event: &Event) -> Envelope<Event> {
    let sender = worker(sender_of(user));
    let mut event = event.clone();
    let is_builder = *user == User::Role(Role::Builder);
    let builder = is_builder.then(|| "b1".parse().unwrap());
    match &mut event {
        Event::WorkStarted(event) => {
            event.worker = sender.clone();
            event.builder = builder;
            event.work.task = task_of(user);
        }
        Event::WorkerRegistered(event) => {
            event.worker = sender.clone();
            event.role = user.role();
        }
        Event::WorkerPaused(event) => {
            event.worker = sender.clone();
            event.builder = builder;
        }
        Event::WorkerAlive(event) => {
            event.worker = sender.clone();
            event.role = user.role();
            // They take no commands.
            if matches!(user, User::Role(Role::Scheduler | Role::Notifier)) {
                event.working_on.clear();
            }
            for ongoing in &mut event.working_on {
                ongoing.work.task = task_of(user);
            }
        }
        Event::PlannerAlive(event) => event.worker = sender.clone(),
        Event::RunRequested(event) => {
            let is_planner = *user == User::Role(Role::Planner);
            event.follows = is_planner.then_some(event.run);
            let is_scheduler = *user == User::Role(Role::Scheduler);
            event.schedule = is_scheduler.then(occurrence);
        }
        _ => {}
    }
    Envelope::new(sender, jiff::Timestamp::UNIX_EPOCH, event)
}

fn task_of(user: &User) -> Task {
    match user {
        User::Role(Role::Builder) => match golden::<Event>("WorkStarted").message {
            Event::WorkStarted(started) => started.work.task,
            other => panic!("{}", other.kind()),
        },
        User::Role(Role::Installer) => Task::Install(guest("g1")),
        User::Role(Role::Janitor) => Task::Clean("b1".parse().unwrap()),
        User::Role(_) => Task::Scan(guest("g1")),
        User::Guest(name) => Task::Install(name.clone()),
    }
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden<T: serde::Serialize + DeserializeOwned>(kind: &str) -> Envelope<T> {
    let text = std::fs::read(folder().join(format!("{kind}.v1.json"))).unwrap();
    Envelope::decode(&text).unwrap()
}

/// Every message that a golden file shows; `wire.rs` sees to it that each kind has one.
fn all<T: serde::Serialize + DeserializeOwned>() -> Vec<T> {
    let files = std::fs::read_dir(folder()).unwrap();
    files
        .filter_map(|file| Envelope::decode(&std::fs::read(file.unwrap().path()).unwrap()).ok())
        .map(|envelope| envelope.message)
        .collect()
}

fn allowed<T>(may: impl Fn(&User) -> Result<T, Overstep>) -> String {
    let allowed = users().into_iter().filter(|user| may(user).is_ok());
    let names: Vec<String> = allowed.map(|user| user.to_string()).collect();
    names.join(" ")
}

#[test]
fn every_event_may_be_said_by_whose_business_it_is_and_by_nobody_else() {
    let events = all::<Event>();
    assert_eq!(events.len(), 35, "a kind has no golden file");
    for event in events {
        let may = allowed(|user| may_say(user, &as_said_by(user, &event)));
        assert_eq!(may, expected(&event), "{}", event.kind());
    }
}

#[test]
fn only_the_planner_orders_and_an_operator_puts_back_what_the_planner_wrote() {
    let commands = all::<Command>();
    assert_eq!(commands.len(), 7, "a kind has no golden file");
    for command in commands {
        let mut order = Envelope::new(worker("planner@1"), jiff::Timestamp::UNIX_EPOCH, command);
        assert_eq!(allowed(|user| may_order(user, &order)), "planner operator");
        order.sender = worker("operator@desk");
        assert_eq!(allowed(|user| may_order(user, &order)), "");
    }
}

#[test]
fn nobody_speaks_under_the_id_of_another() {
    for event in all::<Event>() {
        for user in users() {
            let mut envelope = as_said_by(&user, &event);
            if may_say(&user, &envelope).is_err() {
                continue;
            }
            for other in users().iter().filter(|other| **other != user) {
                envelope.sender = worker(sender_of(other));
                let verdict = may_say(&user, &envelope);
                assert_eq!(verdict, Err(Overstep::Sender(envelope.sender.clone())));
            }
        }
    }
    let mut envelope = as_said_by(&User::Guest(guest("g1")), &all::<Event>()[0]);
    envelope.sender = worker("installer@agent.g1x");
    may_say(&User::Guest(guest("g1")), &envelope).unwrap_err();
}

#[test]
fn nobody_says_of_another_worker_guest_or_builder_what_only_that_one_may() {
    let user = User::Guest(guest("mail"));
    let said = |event: Event| {
        let sender = worker("installer@agent.mail");
        may_say(
            &user,
            &Envelope::new(sender, jiff::Timestamp::UNIX_EPOCH, event),
        )
    };
    let started = |task: Task, name: &str, builder: Option<&str>| {
        let (run, attempt) = (run_id(), 1);
        Event::WorkStarted(WorkStarted {
            work: WorkKey { run, task, attempt },
            worker: worker(name),
            builder: builder.map(|builder| builder.parse().unwrap()),
        })
    };
    let (own, other) = (Task::Install(guest("mail")), Task::Install(guest("g1")));
    assert_eq!(
        said(started(own.clone(), "installer@agent.mail", None)),
        Ok(())
    );
    let refused = Err(Overstep::Subject("WorkStarted"));
    for event in [
        started(other.clone(), "installer@agent.mail", None),
        started(Task::Scan(guest("mail")), "installer@agent.mail", None),
        started(own.clone(), "installer@agent.g1", None),
        started(own.clone(), "installer@agent.mail", Some("b1")),
    ] {
        assert_eq!(said(event), refused);
    }
    let alive = |name: &str, role: Role, task: Task| {
        let Event::WorkerAlive(mut alive) = golden::<Event>("WorkerAlive").message else {
            panic!("the golden file of WorkerAlive shows another event");
        };
        (alive.worker, alive.role) = (worker(name), role);
        alive.working_on[0].work.task = task;
        Event::WorkerAlive(alive)
    };
    let installer = Role::Installer;
    assert_eq!(
        said(alive("installer@agent.mail", installer, own.clone())),
        Ok(())
    );
    let refused = Err(Overstep::Subject("WorkerAlive"));
    assert_eq!(
        said(alive("installer@agent.g1", installer, own.clone())),
        refused
    );
    assert_eq!(
        said(alive("installer@agent.mail", Role::Builder, own)),
        refused
    );
    assert_eq!(
        said(alive("installer@agent.mail", installer, other)),
        refused
    );
    let paused = |name: &str, builder: Option<&str>| {
        Event::WorkerPaused(WorkerPaused {
            worker: worker(name),
            builder: builder.map(|builder| builder.parse().unwrap()),
            failure: None,
        })
    };
    assert_eq!(said(paused("installer@agent.mail", None)), Ok(()));
    let refused = Err(Overstep::Subject("WorkerPaused"));
    assert_eq!(said(paused("installer@agent.g1", None)), refused);
    assert_eq!(said(paused("installer@agent.mail", Some("b1"))), refused);
}

#[test]
fn a_planner_asks_for_further_rounds_only_and_others_for_none() {
    for role in [Role::Planner, Role::Operator, Role::Scheduler] {
        let user = User::Role(role);
        let mut envelope = as_said_by(&user, &golden::<Event>("RunRequested").message);
        assert_eq!(may_say(&user, &envelope), Ok(()));
        if let Event::RunRequested(event) = &mut envelope.message {
            event.follows = match event.follows {
                Some(_) => None,
                None => Some(event.run),
            };
        }
        let refused = Err(Overstep::Subject("RunRequested"));
        assert_eq!(may_say(&user, &envelope), refused, "{role}");
    }
}

#[test]
fn a_scheduler_asks_for_what_is_due_only_and_others_for_nothing_of_that() {
    for role in [Role::Planner, Role::Operator, Role::Scheduler] {
        let user = User::Role(role);
        let mut envelope = as_said_by(&user, &golden::<Event>("RunRequested").message);
        assert_eq!(may_say(&user, &envelope), Ok(()));
        if let Event::RunRequested(event) = &mut envelope.message {
            event.schedule = match event.schedule {
                Some(_) => None,
                None => Some(occurrence()),
            };
        }
        let refused = Err(Overstep::Subject("RunRequested"));
        assert_eq!(may_say(&user, &envelope), refused, "{role}");
    }
}

fn occurrence() -> Occurrence {
    Occurrence {
        schedule: "nightly".parse().unwrap(),
        at: jiff::Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn the_name_of_a_user_tells_who_it_is() {
    let fleet = Users::new("gentoo-updater");
    for user in users() {
        assert_eq!(fleet.find(&fleet.name_of(&user)), Some(user));
    }
    let dotted = User::Guest(guest("web-01.example.org"));
    assert_eq!(
        fleet.name_of(&dotted),
        "gentoo-updater.guest.web-01.example.org"
    );
    assert_eq!(fleet.find(&fleet.name_of(&dotted)), Some(dotted));
    // A guest is never taken for a role.
    let named = User::Guest(guest("planner"));
    assert_eq!(fleet.find(&fleet.name_of(&named)), Some(named));
    for stranger in [
        "guest",
        "planner",
        "gentoo-updater",
        "gentoo-updater.",
        "gentoo-updater.guest.",
        "gentoo-updater.guest",
        "gentoo-updater.root",
        "gentoo-updaterx.planner",
        "gentoo-updater.planner.x",
        "other.planner",
    ] {
        assert_eq!(fleet.find(stranger), None, "{stranger}");
    }
}

#[test]
fn a_builder_tells_of_its_own_log_and_of_no_other() {
    let user = User::Role(Role::Builder);
    let event = golden::<Event>("DurationsLearned").message;
    let said_by = |sender| {
        let at = jiff::Timestamp::UNIX_EPOCH;
        may_say(&user, &Envelope::new(worker(sender), at, event.clone()))
    };
    assert_eq!(said_by("builder@b1"), Ok(()));
    let refused = Err(Overstep::Subject("DurationsLearned"));
    assert_eq!(said_by("builder@b2"), refused);
}

#[test]
fn only_a_builder_says_as_what_machines_compile() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden-options");
    let text = std::fs::read(folder.join("WorkerRegistered.machine.v1.json")).unwrap();
    let described: Envelope<Event> = Envelope::decode(&text).unwrap();
    let may = |user: User| may_say(&user, &as_said_by(&user, &described.message));
    may(User::Role(Role::Builder)).unwrap();
    for user in [
        User::Role(Role::Scanner),
        User::Role(Role::Janitor),
        User::Guest(guest("g1")),
    ] {
        let who = user.to_string();
        assert!(may(user).is_err(), "{who}");
    }
}
