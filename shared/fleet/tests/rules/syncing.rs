//! One state of the ebuild repositories for a run.

use crate::common::*;
use crate::orders::{commands, orders};
use gentoo_updater_fleet::decide::Order;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_fleet::report::Report;

#[test]
fn builders_are_synced_before_any_guest_is_asked_and_one_that_cannot_be_holds_nobody_up() {
    let mut history = History::default();
    let builders: Vec<BuilderName> = ["b1", "b2"].map(|name| name.parse().unwrap()).into();
    history.say(Event::RunRequested(RunRequested {
        run: run_id(),
        kind: RunKind::Update,
        guests: [(guest("g1"), platform()), (guest("g2"), platform())].into(),
        force: false,
        sync: ToSync {
            builders: builders.iter().cloned().collect(),
            guests: [guest("g2")].into(),
        },
        more_rounds: 0,
        follows: None,
        retries: 0,
        rollout: Default::default(),
        schedule: None,
    }));
    let first = commands(&history);
    let [Command::SyncBuilder(b1), Command::SyncBuilder(b2)] = &first[..] else {
        panic!("{first:?}")
    };
    assert_eq!((&b1.builder, &b2.builder), (&builders[0], &builders[1]));
    history.say(Event::BuilderSynced(BuilderSynced {
        run: run_id(),
        builder: b1.builder.clone(),
        attempt: 1,
        repositories: vec![RepositoryRevision {
            name: "gentoo".parse().unwrap(),
            location: "/var/db/repos/gentoo".to_owned(),
            revision: Some("new".to_owned()),
        }],
    }));
    let rest = commands(&history);
    assert!(matches!(&rest[..], [Command::SyncBuilder(b)] if b.builder == builders[1]));
    history.say(Event::SyncFailed(SyncFailed {
        run: run_id(),
        builder: builders[1].clone(),
        attempt: 1,
        failure: permanent("TimedOut"),
    }));
    let scans: Vec<bool> = commands(&history)
        .into_iter()
        .map(|command| match command {
            Command::ScanGuest(scan) => scan.sync,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(scans, [false, true], "only who has repositories of its own");
    for (name, revision) in [("g1", "new"), ("g2", "old")] {
        let mut answer = scanned(name, vec![update("a/a-2")], vec![]);
        answer.identity.repositories = vec![RepositoryRevision {
            name: "gentoo".parse().unwrap(),
            location: "/var/db/repos/gentoo".to_owned(),
            revision: Some(revision.to_owned()),
        }];
        history.say(Event::GuestScanned(answer));
    }
    let planned = orders(&history);
    let [Order::Publish(Event::BatchPlanned(planned))] = &planned[..] else {
        panic!("{planned:?}")
    };
    assert_eq!(planned.batch.jobs[0].revision.as_deref(), Some("new"));
    let report = Report::of(&history.fleet, history.run());
    let told = |name: &str| report.guests[&guest(name)].findings.clone();
    assert_eq!(told("g1"), []);
    assert_eq!(told("g2")[0].kind, FindingKind::RepositoryDiffers);
    let text = report.to_text();
    for words in ["gentoo at old", "the run goes by new", "TimedOut"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
