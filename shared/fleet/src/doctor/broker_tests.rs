use super::super::testing::codes;
use super::*;

const NOW: u64 = 1_800_000_000;
const DAY: i64 = 24 * 3600;
/// What is always said.
const ALWAYS: &str = "broker_partly_seen";

fn worker(queues: &[&str], state: WorkerState) -> WorkerView {
    WorkerView {
        worker: "scanner@1".parse().unwrap(),
        role: Role::Scanner,
        state,
        working_on: Vec::new(),
        slots: None,
        capacity: None,
        bus_trouble: None,
        paused: Vec::new(),
        queues: queues.iter().map(|queue| (*queue).to_owned()).collect(),
        registered_at: None,
        last_seen: None,
    }
}

fn seen() -> Workers {
    Workers {
        planner_is_heard: true,
        workers: vec![worker(&["scan"], WorkerState::Idle)],
        queues: [("scan".to_owned(), Role::Scanner)].into(),
        ..Workers::default()
    }
}

fn reached() -> BrokerReached {
    BrokerReached {
        seen: Seen::All(seen()),
        ..BrokerReached::default()
    }
}

fn facts(reached: Result<BrokerReached, BrokerFault>) -> BrokerFacts {
    BrokerFacts {
        vhost: "fleet".to_owned(),
        is_separate: false,
        version: Some("4.0.5".to_owned()),
        certificate: None,
        reached,
    }
}

fn judged(facts: &BrokerFacts) -> Vec<&'static str> {
    let mut findings = Findings::default();
    judge(facts, NOW, &mut findings);
    codes(&findings)
}

fn of_workers(change: impl FnOnce(&mut Workers)) -> Vec<&'static str> {
    let mut seen = seen();
    change(&mut seen);
    judged(&facts(Ok(BrokerReached {
        seen: Seen::All(seen),
        ..BrokerReached::default()
    })))
}

#[test]
fn of_a_broker_that_is_well_it_is_said_what_could_not_be_seen() {
    assert_eq!(judged(&facts(Ok(reached()))), [ALWAYS]);
    let mut findings = Findings::default();
    let mut old = facts(Ok(reached()));
    old.version = Some("3.11.9".to_owned());
    old.is_separate = true;
    judge(&old, NOW, &mut findings);
    let found = &findings.findings[0].found;
    assert!(
        found.contains("consumer_timeout") && found.contains("permissions"),
        "{found}"
    );
}

#[test]
fn each_way_not_to_be_let_in_has_a_kind_of_its_own() {
    let why = || "why".to_owned();
    for (fault, kind) in [
        (BrokerFault::Unreachable(why()), "broker_unreachable"),
        (BrokerFault::Refuses(why()), "broker_refuses"),
        (BrokerFault::Untrusted(why()), "broker_untrusted"),
    ] {
        assert_eq!(judged(&facts(Err(fault))), [kind]);
    }
}

#[test]
fn versions_before_3_10_are_too_old_and_one_that_is_not_said_is_not_guessed() {
    let with = |version: Option<&str>| {
        let mut facts = facts(Ok(reached()));
        facts.version = version.map(str::to_owned);
        judged(&facts)
    };
    assert_eq!(with(Some("3.9.27")), ["broker_too_old", ALWAYS]);
    assert_eq!(with(Some("3.10.8")), [ALWAYS]);
    assert_eq!(with(None), ["broker_version_unknown", ALWAYS]);
}

#[test]
fn a_certificate_is_told_thirty_days_before_its_end_and_an_expired_one_as_such_alone() {
    let with = |days: i64, reached| {
        let mut facts = facts(reached);
        let expires = i64::try_from(NOW).unwrap() + days * DAY;
        facts.certificate = Some(Certificate { expires });
        judged(&facts)
    };
    assert_eq!(with(30, Ok(reached())), [ALWAYS]);
    assert_eq!(
        with(29, Ok(reached())),
        ["certificate_expires_soon", ALWAYS]
    );
    let untrusted = || Err(BrokerFault::Untrusted("Expired".to_owned()));
    assert_eq!(with(-1, untrusted()), ["certificate_expired"]);
    assert_eq!(with(100, untrusted()), ["broker_untrusted"]);
}

#[test]
fn alarms_and_a_topology_that_is_not_the_expected_one_are_told() {
    let mut alarm = reached();
    alarm.blocked = Some("low on memory".to_owned());
    alarm.seen = Seen::Nothing;
    let told = ["broker_blocked", "workers_not_seen", ALWAYS];
    assert_eq!(judged(&facts(Ok(alarm))), told);
    let mut other = reached();
    other.topology.missing = vec!["history".to_owned()];
    other
        .topology
        .different
        .insert("scan".to_owned(), "x-queue-type".to_owned());
    let told = ["topology_missing", "topology_differs", ALWAYS];
    assert_eq!(judged(&facts(Ok(other))), told);
    let mut unread = reached();
    unread.seen = Seen::Failed("refused".to_owned());
    assert_eq!(judged(&facts(Ok(unread))), ["history_unreadable", ALWAYS]);
}

#[test]
fn whoever_does_not_work_is_told() {
    assert_eq!(
        of_workers(|it| it.planner_is_heard = false),
        ["planner_silent", ALWAYS]
    );
    let silent = of_workers(|it| it.workers[0].state = WorkerState::Silent);
    assert_eq!(silent, ["queue_unserved", ALWAYS]);
    let other = of_workers(|it| it.workers[0].queues.clear());
    assert_eq!(other, ["queue_unserved", ALWAYS]);
    let unfit = of_workers(|it| {
        it.workers[0].paused = vec![PauseCause::Unfit {
            builder: None,
            cause: "DiskFull".to_owned(),
            message: "no room".to_owned(),
        }];
    });
    assert_eq!(unfit, ["worker_unfit", ALWAYS]);
}

#[test]
fn dead_letters_and_a_long_history_without_a_snapshot_are_told() {
    assert_eq!(
        of_workers(|it| it.dead_letters = 1),
        ["dead_letters", ALWAYS]
    );
    assert_eq!(
        of_workers(|it| it.events = 4001),
        ["snapshot_missing", ALWAYS]
    );
    assert_eq!(of_workers(|it| it.events = 4000), [ALWAYS]);
    let kept = of_workers(|it| {
        it.events = 4001;
        it.has_snapshot = true;
    });
    assert_eq!(kept, [ALWAYS]);
}
