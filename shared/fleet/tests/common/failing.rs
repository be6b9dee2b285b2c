//! Something that fails, in each step of a run.

use gentoo_updater_fleet::batch::{Answer, merge};
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_fleet::remedy::known_causes;

use super::*;

/// g1 wants openssl and curl, g2 wants curl only; the batch is planned.
pub fn planned() -> History {
    let mut history = History::requested(&["g1", "g2"]);
    let openssl = update("dev-libs/openssl-3.0").slot("0/3");
    let curl = update("net-misc/curl-8.0");
    let (first, second) = (vec![openssl, curl.clone()], vec![curl]);
    let (g1, g2, platform) = (guest("g1"), guest("g2"), platform());
    let answers = [
        Answer {
            guest: &g1,
            platform: &platform,
            updates: &rows(first.clone()),
        },
        Answer {
            guest: &g2,
            platform: &platform,
            updates: &rows(second.clone()),
        },
    ];
    let batch = merge(&answers, &Default::default());
    for (name, updates) in [("g1", first), ("g2", second)] {
        history.say(Event::GuestScanned(scanned(name, updates, Vec::new())));
    }
    history.say(Event::BatchPlanned(BatchPlanned {
        run: run_id(),
        batch,
    }));
    history
}

/// The steps in which something can fail.
pub const EACH: [&str; 10] = [
    "sync", "scan", "search", "build", "install", "clean", "collect", "platform", "turn", "machine",
];

/// Something of this step fails.
pub fn fails(step: &str, failure: &Failure) -> History {
    let mut history = planned();
    let (run, attempt, failure) = (run_id(), 1, failure.clone());
    let builder = || -> BuilderName { "b1".parse().unwrap() };
    let event = match step {
        "sync" => {
            history = History::default();
            let mut requested = History::requested(&["g1"]).events.remove(0).1.message;
            if let Event::RunRequested(requested) = &mut requested {
                requested.sync.builders.insert(builder());
            }
            history.say(requested);
            Event::SyncFailed(SyncFailed {
                run,
                builder: builder(),
                attempt,
                failure,
            })
        }
        "search" => Event::SearchFailed(SearchFailed {
            run,
            platform: platform(),
            attempt,
            failure,
        }),
        "build" => Event::BuildFailed(BuildFailed {
            run,
            job: history.job("dev-libs/openssl-3.0").id,
            attempt,
            builder: Some(builder()),
            had: None,
            failure,
        }),
        "install" => Event::InstallFailed(InstallFailed {
            run,
            guest: guest("g1"),
            attempt,
            failure,
            begun: false,
            changes: vec![],
            held: vec![],
            findings: vec![],
            rolled_back: None,
        }),
        "clean" => {
            // Who has built nothing is not cleaned.
            history.say(built(&history.job("dev-libs/openssl-3.0")));
            Event::CleanFailed(CleanFailed {
                run,
                builder: builder(),
                attempt,
                failure,
            })
        }
        "collect" => Event::CollectFailed(CollectFailed {
            run,
            platform: platform(),
            attempt,
            failure,
        }),
        "turn" => Event::GuestsLeftOut(GuestsLeftOut {
            run,
            guests: [guest("g1")].into(),
            failure,
        }),
        "scan" => {
            history = History::requested(&["g1"]);
            Event::ScanFailed(ScanFailed {
                run,
                guest: guest("g1"),
                attempt,
                failure,
            })
        }
        "platform" => {
            history = History::requested(&["g1"]);
            let updates = vec![update("dev-libs/openssl-3.0")];
            history.say(Event::GuestScanned(scanned("g1", updates, vec![])));
            let mut batch = Batch::default();
            batch.unserved.insert(guest("g1"), failure);
            Event::BatchPlanned(BatchPlanned { run, batch })
        }
        "machine" => {
            history.say(Event::WorkerRegistered(WorkerRegistered {
                worker: worker("builder@b1"),
                role: Role::Builder,
                queues: vec![],
                machine: Some(machine("b1", None)),
            }));
            Event::WorkerPaused(WorkerPaused {
                worker: worker("builder@b1"),
                builder: Some(builder()),
                failure: Some(failure),
            })
        }
        other => panic!("no step {other}"),
    };
    history.say(event);
    history
}

/// Every known cause, in each class that a failure may have: each in one step, and each step with many
/// causes.
pub fn all_failures() -> impl Iterator<Item = (&'static str, Failure)> {
    let causes: Vec<&str> = known_causes().collect();
    assert!(causes.len() > 100, "{}", causes.len());
    let classes = [
        FailureClass::Permanent,
        FailureClass::Transient,
        FailureClass::Machine,
    ];
    causes
        .into_iter()
        .enumerate()
        .flat_map(move |(number, cause)| {
            let step = EACH[number % EACH.len()];
            classes.map(|class| (step, Failure::new(class, cause, "so it happened")))
        })
}
