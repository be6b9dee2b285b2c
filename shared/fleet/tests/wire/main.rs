//! The form of every message on the wire, held fast by golden files.
//!
//! A difference means that workers of two versions no longer understand each other. Where it is
//! meant, `UPDATE_GOLDEN=1 cargo test -p gentoo-updater-fleet --test wire` writes the files anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod options;
mod reading;
mod reference;

use std::path::Path;

use common::*;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::*;
use gentoo_updater_fleet::needs::{Capacity, Needs};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

fn key() -> Update {
    update("dev-libs/libbeta-1.0")
        .flag("doc", false)
        .flag("fast", true)
        .bound_to("dev-libs/libalpha", "0/2")
        .needs_to_build("dev-libs/libalpha-2.0")
        .needs_to_run("dev-libs/libalpha-2.0")
}

fn job() -> Job {
    let answer = gentoo_updater_fleet::batch::Answer {
        guest: &guest("g1"),
        platform: &platform(),
        updates: &rows([key()]),
    };
    let mut batch = gentoo_updater_fleet::batch::merge(&[answer], &Default::default());
    // As the state has it.
    Job {
        wanted_by: [guest("g1")].into(),
        ..batch.jobs.remove(0)
    }
}

fn work() -> WorkKey {
    WorkKey {
        run: run_id(),
        task: Task::Build(job().id),
        attempt: 1,
    }
}

fn failure() -> Failure {
    permanent("CompileFailure").with_log(vec!["error: no".to_owned()], "b1:/var/log/x.log")
}

fn change() -> PackageChange {
    PackageChange {
        before: Some(cpv("a/a-1")),
        after: Some(cpv("a/a-2")),
    }
}

fn finding() -> Finding {
    Finding::new(FindingKind::NewsUnread, "1 news item")
}

fn held() -> HeldBack {
    HeldBack {
        cpv: cpv("a/a-2"),
        reason: HoldReason::Needs(cpv("a/b-2")),
    }
}

fn events() -> Vec<Event> {
    let (run, attempt) = (run_id(), 1);
    let builder: BuilderName = "b1".parse().unwrap();
    vec![
        Event::RunRequested(RunRequested {
            run,
            kind: RunKind::Update,
            more_rounds: 0,
            follows: None,
            retries: 0,
            guests: [(guest("g1"), platform())].into(),
            force: false,
            sync: Default::default(),
            rollout: Default::default(),
            schedule: None,
        }),
        Event::CommandIssued(CommandIssued {
            command: CommandId(Uuid::nil()),
            work: work(),
            queue: "build.default".to_owned(),
        }),
        Event::WorkStarted(WorkStarted {
            work: work(),
            worker: worker("builder@b1"),
            builder: Some(builder.clone()),
        }),
        Event::BuilderSynced(BuilderSynced {
            run,
            builder: builder.clone(),
            attempt,
            repositories: vec![RepositoryRevision {
                name: "gentoo".parse().unwrap(),
                location: "/var/db/repos/gentoo".to_owned(),
                revision: Some("2026-01-05".to_owned()),
            }],
        }),
        Event::SyncFailed(SyncFailed {
            run,
            builder: builder.clone(),
            attempt,
            failure: failure(),
        }),
        Event::GuestScanned(GuestScanned {
            findings: vec![finding()],
            ..scanned(
                "g1",
                vec![key()],
                vec![installed(
                    "dev-libs/libbeta-1.0",
                    "0",
                    &[("dev-libs/libalpha", "0/1")],
                )],
            )
        }),
        Event::ScanFailed(ScanFailed {
            run,
            guest: guest("g1"),
            attempt,
            failure: failure(),
        }),
        Event::BatchPlanned(BatchPlanned {
            run,
            batch: Batch {
                jobs: vec![job()],
                guests: [(
                    guest("g1"),
                    GuestPlan {
                        wants: Some([(cpv("dev-libs/libbeta-1.0"), job().id)].into()),
                        findings: Vec::new(),
                    },
                )]
                .into(),
                unserved: Default::default(),
            },
        }),
        Event::StoreSearched(StoreSearched {
            run,
            platform: platform(),
            attempt,
            builder: builder.clone(),
            held: [(job().id, binary(&key().key, 2))].into(),
        }),
        Event::SearchFailed(SearchFailed {
            run,
            platform: platform(),
            attempt,
            failure: failure(),
        }),
        built(&job()),
        Event::BuildFailed(BuildFailed {
            had: None,
            run,
            job: job().id,
            attempt,
            builder: Some(builder.clone()),
            failure: failure(),
        }),
        Event::GuestUpdated(GuestUpdated {
            run,
            guest: guest("g1"),
            attempt,
            changes: vec![change()],
            held: vec![held()],
            findings: vec![finding()],
        }),
        Event::InstallFailed(InstallFailed {
            run,
            guest: guest("g1"),
            attempt,
            failure: failure(),
            begun: true,
            changes: vec![change()],
            held: vec![held()],
            findings: vec![finding()],
            rolled_back: None,
        }),
        Event::BuilderCleaned(BuilderCleaned {
            run,
            builder: builder.clone(),
            attempt,
            removed: vec![PackageChange {
                before: Some(cpv("a/a-1")),
                after: None,
            }],
            kept: vec![finding()],
            updated: vec![change()],
            gone: Vec::new(),
            cruft: None,
        }),
        Event::CleanFailed(CleanFailed {
            run,
            builder,
            attempt,
            failure: failure(),
        }),
        Event::StoreCollected(store_collected(run, attempt)),
        Event::CollectFailed(CollectFailed {
            run,
            platform: platform(),
            attempt,
            failure: failure(),
        }),
        Event::TaskAbandoned(TaskAbandoned {
            work: work(),
            failure: failure(),
        }),
        Event::WaveEnded(WaveEnded {
            run,
            wave: "canary".parse().unwrap(),
        }),
        Event::GuestsLeftOut(GuestsLeftOut {
            run,
            guests: [guest("g1")].into(),
            failure: failure(),
        }),
        Event::RunFinished(RunFinished {
            run,
            outcome: RunOutcome::WithFailures,
            retries: 0,
        }),
        Event::WorkerRegistered(WorkerRegistered {
            worker: worker("builder@b1"),
            role: Role::Builder,
            queues: vec!["build.default".to_owned()],
            machine: None,
        }),
        Event::WorkerPaused(WorkerPaused {
            worker: worker("builder@b1"),
            builder: Some("b1".parse().unwrap()),
            failure: Some(failure()),
        }),
        Event::DurationsLearned(DurationsLearned {
            builder: "b1".parse().unwrap(),
            durations: [("sys-devel/gcc".parse().unwrap(), 3_600_000)].into(),
        }),
        Event::RetryRequested(RetryRequested { work: work() }),
        Event::PauseRequested(PauseRequested {
            target: PauseTarget::Role(Role::Builder),
            reason: Some("the room is too hot".to_owned()),
        }),
        Event::ResumeRequested(ResumeRequested {
            target: PauseTarget::Worker(worker("builder@b1")),
        }),
        Event::HoldRequested(HoldRequested {
            target: HoldTarget::Wave("canary".parse().unwrap()),
            reason: Some("it looks odd".to_owned()),
        }),
        Event::ApprovalGiven(ApprovalGiven {
            target: HoldTarget::Package(">=dev-libs/openssl-3.5".parse().unwrap()),
        }),
        Event::GuestRolledBack(GuestRolledBack {
            run,
            guest: guest("g1"),
            platform: platform(),
            packages: vec![cpv("a/a-2")],
            proven: true,
        }),
        Event::ScheduleAdopted(ScheduleAdopted {
            schedule: "nightly".parse().unwrap(),
            calendar: "30 2 * * *".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            since: Timestamp::UNIX_EPOCH,
        }),
        Event::OccurrencesMissed(OccurrencesMissed {
            schedule: "nightly".parse().unwrap(),
            first: Timestamp::UNIX_EPOCH,
            last: Timestamp::UNIX_EPOCH,
            count: 1,
            cause: MissedCause::RunWentOn { run },
        }),
        Event::WorkerAlive(WorkerAlive {
            worker: worker("builder@b1"),
            role: Role::Builder,
            working_on: vec![Ongoing {
                work: work(),
                since: Some(Timestamp::UNIX_EPOCH),
            }],
            slots: Some(1),
            paused: true,
            bus_trouble: Some("low on memory".to_owned()),
        }),
        Event::PlannerAlive(PlannerAlive {
            worker: worker("planner@1"),
            beat: 7,
        }),
    ]
}

fn commands() -> Vec<Command> {
    let (run, attempt) = (run_id(), 1);
    vec![
        Command::ScanGuest(ScanGuest {
            run,
            attempt,
            guest: guest("g1"),
            force: false,
            sync: false,
        }),
        Command::SearchStore(SearchStore {
            run,
            attempt,
            platform: platform(),
            wanted: [(
                job().id,
                Wanted {
                    key: key().key.as_ref().clone(),
                    compiled_as: None,
                },
            )]
            .into(),
        }),
        Command::BuildPackage(BuildPackage {
            run,
            attempt,
            job: job(),
            dependencies: vec![binary(&update("dev-libs/libalpha-2.0").slot("0/2").key, 4)],
            needs: Needs::default(),
        }),
        Command::InstallPackages(InstallPackages {
            run,
            attempt,
            guest: guest("g1"),
            platform: platform(),
            packages: vec![InstallPackage {
                key: key().key.as_ref().clone(),
                change: Change::Rebuild,
                binary: binary(&key().key, 2),
            }],
            held: vec![held()],
            begin_before: None,
        }),
        Command::SyncBuilder(SyncBuilder {
            run,
            attempt,
            builder: "b1".parse().unwrap(),
        }),
        Command::CleanBuilder(CleanBuilder {
            run,
            attempt,
            builder: "b1".parse().unwrap(),
        }),
        Command::CollectStore(CollectStore {
            run,
            attempt,
            platform: platform(),
        }),
    ]
}

/// The message in its envelope, with an id and a time that stay.
fn envelope<T>(message: T) -> Envelope<T>
where
    T: Serialize + DeserializeOwned,
{
    let mut envelope = Envelope::new(worker("test@1"), Timestamp::UNIX_EPOCH, message);
    envelope.id = EventId(Uuid::nil());
    envelope
}

/// `golden` has one file a kind, and `golden-options` those of fields that are left out otherwise.
fn check<T>(folder: &str, kind: &str, message: T)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + Clone,
{
    let envelope = envelope(message);
    let written: serde_json::Value = serde_json::from_slice(&envelope.encode().unwrap()).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/{folder}/{kind}.v1.json"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = serde_json::to_string_pretty(&written).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        written,
        golden,
        "{kind} is written otherwise than in {}",
        path.display()
    );
    assert_eq!(Envelope::<T>::decode(text.as_bytes()).unwrap(), envelope);
}

#[test]
fn every_event_is_written_as_its_golden_file_says() {
    for event in events() {
        check("golden", event.kind(), event.clone());
    }
}

#[test]
fn the_kinds_that_the_history_keeps_are_those_of_all_events_but_signs_of_life() {
    let events = events();
    let kept = events.iter().filter(|event| !event.is_alive());
    let kept: Vec<&str> = kept.map(Event::kind).collect();
    assert_eq!(kept, Event::KEPT_KINDS);
}

#[test]
fn every_command_is_written_as_its_golden_file_says() {
    for command in commands() {
        check("golden", command.kind(), command.clone());
    }
}
