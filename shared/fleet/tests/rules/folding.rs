//! The state as a fold: the same from a snapshot as from the beginning, whatever happened.

use std::sync::LazyLock;
use std::time::Duration;

use crate::common::runs::{finished, requested, run_number};
use crate::common::*;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::*;
use gentoo_updater_fleet::snapshot::Snapshot;
use gentoo_updater_fleet::state::{Fleet, JobProgress, KEPT_PLANNERS, KEPT_RUNS};
use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

fn updates(number: u8) -> Vec<Update> {
    let deep = format!("l/l{number}-2");
    vec![update(&deep), update("a/a-2").needs_to_build(&deep)]
}

/// Two guests with two packages each, as a scan of them is merged.
static JOBS: LazyLock<Vec<Job>> = LazyLock::new(|| {
    let answers = [("g1", 1), ("g2", 2)].map(|(name, number)| (guest(name), rows(updates(number))));
    let platform = platform();
    let answers: Vec<_> = answers
        .iter()
        .map(|(guest, updates)| gentoo_updater_fleet::batch::Answer {
            guest,
            platform: &platform,
            updates,
        })
        .collect();
    gentoo_updater_fleet::batch::merge(&answers, &Default::default()).jobs
});

/// One event of many kinds, made of small numbers so that many of them meet.
fn event(kind: u8, run: u8, which: u8, attempt: u32, class: u8) -> Event {
    let id = run_number(u128::from(run));
    let name = if which.is_multiple_of(2) { "g1" } else { "g2" };
    let job = &JOBS[usize::from(which) % JOBS.len()];
    let by = worker(&format!("builder@b{}", which % 3));
    let builder: BuilderName = "b1".parse().unwrap();
    let task = match which % 4 {
        0 => Task::Scan(guest(name)),
        1 if attempt.is_multiple_of(3) => Task::Search(platform()),
        2 if attempt.is_multiple_of(3) => Task::Collect(platform()),
        1 => Task::Build(job.id.clone()),
        2 => Task::Install(guest(name)),
        _ if attempt.is_multiple_of(2) => Task::Sync(builder.clone()),
        _ => Task::Clean(builder.clone()),
    };
    let work = WorkKey {
        run: id,
        task,
        attempt,
    };
    let failure = match class % 3 {
        0 => permanent("CompileFailure"),
        1 => transient("FetchFailure"),
        _ => Failure::new(FailureClass::Machine, "DiskFull", "no space"),
    };
    let target = match which % 2 {
        0 => PauseTarget::Role(Role::Builder),
        _ => PauseTarget::Worker(by.clone()),
    };
    match kind % 25 {
        0 | 1 => requested(id),
        2 | 3 => finished(id),
        4 => Event::CommandIssued(CommandIssued {
            command: CommandId(Uuid::from_u128(u128::from(which))),
            work,
            queue: "build.default".to_owned(),
        }),
        5 => Event::WorkStarted(WorkStarted {
            work,
            worker: by,
            builder: Some(builder),
        }),
        6 => Event::GuestScanned(GuestScanned {
            run: id,
            attempt,
            ..scanned(
                name,
                updates(1 + which % 2),
                vec![installed("a/a-1", "0", &[])],
            )
        }),
        7 => Event::ScanFailed(ScanFailed {
            run: id,
            guest: guest(name),
            attempt,
            failure,
        }),
        8 => Event::BatchPlanned(BatchPlanned {
            run: id,
            batch: Batch {
                jobs: JOBS.clone(),
                guests: [(
                    guest("g1"),
                    GuestPlan {
                        wants: None,
                        findings: Vec::new(),
                    },
                )]
                .into(),
                unserved: Default::default(),
            },
        }),
        9 => Event::PackageBuilt(PackageBuilt {
            run: id,
            job: job.id.clone(),
            attempt,
            builder,
            binary: binary(&job.key, attempt),
            reused: class.is_multiple_of(2),
            duration_ms: u64::from(which) * 1000,
            findings: Vec::new(),
            log_path: None,
        }),
        10 => Event::BuildFailed(BuildFailed {
            had: None,
            run: id,
            job: job.id.clone(),
            attempt,
            builder: None,
            failure,
        }),
        11 => Event::GuestUpdated(GuestUpdated {
            run: id,
            guest: guest(name),
            attempt,
            changes: Vec::new(),
            held: Vec::new(),
            findings: Vec::new(),
        }),
        18 => Event::BuilderSynced(BuilderSynced {
            run: id,
            builder,
            attempt,
            repositories: Vec::new(),
        }),
        19 => Event::SyncFailed(SyncFailed {
            run: id,
            builder,
            attempt,
            failure,
        }),
        12 => Event::BuilderCleaned(BuilderCleaned {
            run: id,
            builder,
            attempt,
            removed: Vec::new(),
            kept: Vec::new(),
            updated: Vec::new(),
            gone: Vec::new(),
            cruft: None,
        }),
        13 => Event::TaskAbandoned(TaskAbandoned { work, failure }),
        14 => Event::WorkerRegistered(WorkerRegistered {
            worker: worker(&format!("planner@{run}-{which}")),
            role: Role::Planner,
            queues: vec!["plan".to_owned()],
            machine: Some(machine("b1", Some("-O2"))),
        }),
        15 => Event::WorkerRegistered(WorkerRegistered {
            worker: by,
            role: Role::Builder,
            queues: vec!["build.default".to_owned()],
            machine: None,
        }),
        20 => Event::DurationsLearned(DurationsLearned {
            builder: format!("b{}", which % 3).parse().unwrap(),
            durations: [(job.key.cpv.category_package.clone(), u64::from(class))].into(),
        }),
        21 => Event::StoreSearched(StoreSearched {
            run: id,
            platform: platform(),
            attempt,
            builder,
            held: [(job.id.clone(), binary(&job.key, attempt))].into(),
        }),
        22 => Event::SearchFailed(SearchFailed {
            run: id,
            platform: platform(),
            attempt,
            failure,
        }),
        23 => Event::StoreCollected(store_collected(id, attempt)),
        24 => Event::CollectFailed(CollectFailed {
            run: id,
            platform: platform(),
            attempt,
            failure,
        }),
        16 => Event::PauseRequested(PauseRequested {
            target,
            reason: None,
        }),
        _ => Event::ResumeRequested(ResumeRequested { target }),
    }
}

/// An event, or one that this program cannot read.
type Item = Option<Envelope<Event>>;

fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = (0..26_u8, 0..40_u8, any::<u8>(), 1..4_u32, any::<u8>()).prop_map(
        |(kind, run, which, attempt, class)| {
            (kind < 25).then(|| {
                let event = event(kind, run, which, attempt, class);
                Envelope::new(worker("test@1"), Timestamp::UNIX_EPOCH, event)
            })
        },
    );
    proptest::collection::vec(item, 1..300)
}

fn fold(mut fleet: Fleet, items: &[Item]) -> Fleet {
    for (offset, item) in items.iter().enumerate() {
        match item {
            Some(envelope) => fleet.apply(offset as u64, envelope),
            None => fleet.leave_out(offset as u64),
        }
    }
    fleet
}

fn bytes(fleet: &Fleet) -> Vec<u8> {
    serde_json::to_vec(fleet).unwrap()
}

proptest! {
    #[test]
    fn the_fold_from_a_snapshot_is_the_fold_from_the_beginning_byte_for_byte(
        items in items(),
        cut in any::<prop::sample::Index>(),
        again in any::<prop::sample::Index>(),
    ) {
        let whole = fold(Fleet::default(), &items);
        let cut = cut.index(items.len() + 1);
        let half = fold(Fleet::default(), &items[..cut]);
        let packed = Snapshot::take(half, worker("planner@1"), Timestamp::UNIX_EPOCH)
            .encode()
            .unwrap();
        let snapshot = Snapshot::decode(&packed).unwrap();
        // Whoever begins from a snapshot may read some of what is in it once more.
        let mut rest = snapshot.fleet;
        for (offset, item) in items.iter().enumerate().skip(again.index(cut + 1)) {
            match item {
                Some(envelope) => rest.apply(offset as u64, envelope),
                None => rest.leave_out(offset as u64),
            }
        }
        prop_assert_eq!(bytes(&rest), bytes(&whole));
        prop_assert_eq!(rest, whole);
    }

    #[test]
    fn the_state_stays_bounded_and_what_is_over_stays_over(items in items()) {
        let fleet = fold(Fleet::default(), &items);
        let finished = fleet.runs.values().filter(|run| run.finished.is_some()).count();
        prop_assert!(finished <= KEPT_RUNS);
        let planners = fleet.workers.values().filter(|w| w.role == Role::Planner).count();
        prop_assert!(planners <= KEPT_PLANNERS);
        for run in &fleet.over {
            prop_assert!(fleet.is_over(*run));
            prop_assert!(fleet.unfinished().all(|other| other.id != *run));
        }
    }
}

fn planned() -> History {
    let mut history = History::requested(&["g1"]);
    history.say(Event::BatchPlanned(BatchPlanned {
        run: run_id(),
        batch: Batch {
            jobs: JOBS.clone(),
            guests: Default::default(),
            unserved: Default::default(),
        },
    }));
    history
}

fn built_by(history: &History, attempt: u32, duration_ms: u64) -> Event {
    let job = history.job("l/l1-2");
    let Event::PackageBuilt(event) = built(&job) else {
        panic!()
    };
    Event::PackageBuilt(PackageBuilt {
        attempt,
        binary: binary(&job.key, attempt),
        duration_ms,
        ..event
    })
}

#[test]
fn the_first_result_stands_whichever_attempt_it_is_of() {
    for (first, second) in [(1, 2), (2, 1)] {
        let mut history = planned();
        let job = history.job("l/l1-2").id;
        history.claim(Task::Build(job.clone()), 1, "builder@b1");
        history.claim(Task::Build(job.clone()), 2, "builder@b2");
        history.say(built_by(&history, first, 1000));
        let before = (history.run().clone(), history.fleet.durations.clone());
        history.say(built_by(&history, second, 2000));
        for failure in [permanent("CompileFailure"), transient("FetchFailure")] {
            history.say(Event::BuildFailed(BuildFailed {
                had: None,
                run: run_id(),
                job: job.clone(),
                attempt: second,
                builder: None,
                failure,
            }));
        }
        let after = (history.run().clone(), history.fleet.durations.clone());
        assert_eq!(after, before);
        assert_eq!(history.run().built[&job].binary.build_id, first);
        assert_eq!(
            history.run().progress().get(&job),
            Some(&JobProgress::Built)
        );
    }
}

#[test]
fn the_duration_of_a_package_is_that_of_its_newest_build_also_of_a_forgotten_run() {
    let mut history = planned();
    history.say(built_by(&history, 1, 4000));
    history.say(finished(run_id()));
    for number in 100..130 {
        history.say(requested(run_number(number)));
        history.say(finished(run_number(number)));
    }
    assert!(!history.fleet.runs.contains_key(&run_id()));
    let package = cpv("l/l1-2").category_package;
    assert_eq!(
        history.fleet.duration(&package),
        Some(Duration::from_secs(4))
    );
}

#[test]
fn what_is_issued_again_keeps_the_first_time_and_counts() {
    let mut history = planned();
    let work = WorkKey {
        run: run_id(),
        task: Task::Scan(guest("g1")),
        attempt: 1,
    };
    let issued = CommandIssued {
        command: CommandId(Uuid::nil()),
        work: work.clone(),
        queue: "scan".to_owned(),
    };
    let first = history.now();
    history.say(Event::CommandIssued(issued.clone()));
    history.seconds += 60;
    history.say(Event::CommandIssued(issued));
    let attempt = &history.run().tasks[&work.task].attempts[&1];
    let issued = attempt.issued.as_ref().unwrap();
    assert_eq!((issued.first, issued.last), (first, history.now()));
    assert_eq!(issued.times, 2);
}

#[test]
fn who_is_paused_again_is_paused_for_the_new_reason_and_resumed_by_one_word() {
    let target = PauseTarget::Role(Role::Builder);
    let mut history = History::requested(&["g1"]);
    for reason in ["new disks", "new roof"] {
        history.say(Event::PauseRequested(PauseRequested {
            target: target.clone(),
            reason: Some(reason.to_owned()),
        }));
    }
    let pause = &history.fleet.pauses[&target];
    assert_eq!(pause.reason.as_deref(), Some("new roof"));
    assert_eq!(pause.since, history.now());
    history.say(Event::ResumeRequested(ResumeRequested { target }));
    assert!(history.fleet.pauses.is_empty());
}

/// Somebody looks what is pending after a run has failed, and then for what failed.
#[test]
fn the_newest_run_that_builds_is_found_behind_those_that_only_look() {
    let mut history = History::default();
    let (first, second) = (runs::run_number(1), runs::run_number(2));
    history.say(runs::requested(first));
    history.say(runs::finished(first));
    let Event::RunRequested(requested) = runs::requested(second) else {
        panic!("it is one")
    };
    history.say(Event::RunRequested(RunRequested {
        kind: RunKind::ScanOnly,
        ..requested
    }));
    let newest = |run: Option<&gentoo_updater_fleet::state::Run>| run.map(|run| run.id);
    assert_eq!(newest(history.fleet.newest()), Some(second));
    assert_eq!(newest(history.fleet.newest_update()), Some(first));
}
