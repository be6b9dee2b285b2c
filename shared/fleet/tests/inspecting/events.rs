//! Which events are shown.

use gentoo_updater_fleet::inspect::*;
use gentoo_updater_fleet::message::*;

use crate::common::*;
use crate::{build, issue, planned};

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
fn what_a_store_held_already_is_told_of_its_packages_and_of_who_wants_them() {
    let mut history = planned();
    let job = history.job("dev-libs/openssl-3.0");
    history.say(Event::StoreSearched(StoreSearched {
        run: run_id(),
        platform: platform(),
        attempt: 1,
        builder: "b1".parse().unwrap(),
        held: [(job.id.clone(), binary(&job.key, 1))].into(),
    }));
    let is_told = |package: Option<&str>, of: Option<&str>| {
        let filter = EventFilter {
            package: package.map(|atom| atom.parse().unwrap()),
            guest: of.map(guest),
            kinds: ["StoreSearched".to_owned()].into(),
            ..EventFilter::default()
        };
        !taken(&history, &filter).is_empty()
    };
    assert!(is_told(Some("dev-libs/openssl"), None));
    assert!(!is_told(Some("net-misc/curl"), None));
    assert!(is_told(None, Some("g1")));
    assert!(!is_told(None, Some("g2")), "it does not want openssl");
}

#[test]
fn a_package_is_found_in_what_the_log_of_a_builder_tells() {
    let mut history = History::default();
    history.say(Event::DurationsLearned(DurationsLearned {
        builder: "b1".parse().unwrap(),
        durations: [("dev-libs/openssl".parse().unwrap(), 1000)].into(),
    }));
    let told = |atom: &str| {
        let filter = EventFilter {
            package: Some(atom.parse().unwrap()),
            ..EventFilter::default()
        };
        !taken(&history, &filter).is_empty()
    };
    assert!(told("dev-libs/openssl"));
    assert!(told("<dev-libs/openssl-3"), "no version is told");
    assert!(!told("net-misc/curl"));
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
