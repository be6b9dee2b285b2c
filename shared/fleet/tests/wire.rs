//! The form of every message on the wire, held fast by golden files.
//!
//! A difference means that workers of two versions no longer understand each other. Where it is
//! meant, `UPDATE_GOLDEN=1 cargo test -p gentoo-updater-fleet --test wire` writes the files anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

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
        }),
        Event::CleanFailed(CleanFailed {
            run,
            builder,
            attempt,
            failure: failure(),
        }),
        Event::TaskAbandoned(TaskAbandoned {
            work: work(),
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
                key: key().key,
                change: Change::Rebuild,
                binary: binary(&key().key, 2),
            }],
            held: vec![held()],
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

#[test]
fn what_is_left_out_where_it_says_nothing_is_written_as_the_golden_files_say() {
    let Event::RunRequested(run) = events().remove(0) else {
        panic!("the first event is a request")
    };
    let forced = Event::RunRequested(RunRequested {
        force: true,
        ..run.clone()
    });
    check("golden-options", "RunRequested.force", forced);
    let synced = Event::RunRequested(RunRequested {
        sync: ToSync {
            builders: ["b1".parse().unwrap()].into(),
            guests: [guest("g1")].into(),
        },
        ..run.clone()
    });
    check("golden-options", "RunRequested.sync", synced);
    let after_retries = Event::RunRequested(RunRequested { retries: 2, ..run });
    check("golden-options", "RunRequested.retries", after_retries);
    let after_retries = Event::RunFinished(RunFinished {
        run: run_id(),
        outcome: RunOutcome::Complete,
        retries: 2,
    });
    check("golden-options", "RunFinished.retries", after_retries);
    let Command::ScanGuest(scan) = commands().remove(0) else {
        panic!("the first command is a scan")
    };
    let forced = Command::ScanGuest(ScanGuest {
        force: true,
        ..scan.clone()
    });
    assert_ne!(
        forced.id().unwrap(),
        Command::ScanGuest(scan.clone()).id().unwrap(),
        "who asks anew issues another command"
    );
    check("golden-options", "ScanGuest.force", forced);
    let synced = Command::ScanGuest(ScanGuest { sync: true, ..scan });
    check("golden-options", "ScanGuest.sync", synced);
    let accepting = Job {
        accepts: [cpv("dev-libs/libalpha-1.0")].into(),
        revision: Some("2026-01-05".to_owned()),
        ..job()
    };
    let accepting = Command::BuildPackage(BuildPackage {
        run: run_id(),
        attempt: 1,
        job: accepting,
        dependencies: Vec::new(),
        needs: Needs::default(),
    });
    check("golden-options", "BuildPackage.accepts", accepting);
    let sized = Update {
        download: Some(1_048_576),
        ..key()
    };
    let sized = Event::GuestScanned(scanned("g1", vec![sized], vec![]));
    check("golden-options", "GuestScanned.download", sized);
    let sized = Job {
        download: Some(1_048_576),
        ..job()
    };
    let sized = Command::BuildPackage(BuildPackage {
        run: run_id(),
        attempt: 1,
        job: sized,
        dependencies: Vec::new(),
        needs: Needs::default(),
    });
    check("golden-options", "BuildPackage.download", sized);
    let former = Event::GuestScanned(GuestScanned {
        unchanged_since: Some(Timestamp::UNIX_EPOCH),
        ..scanned("g1", vec![], vec![])
    });
    check("golden-options", "GuestScanned.unchanged", former);
    let described = Event::WorkerRegistered(WorkerRegistered {
        worker: worker("builder@b1"),
        role: Role::Builder,
        queues: vec!["build.default".to_owned()],
        machine: Some(machine("b1", Some("-march=x86-64-v3 -O2"))),
    });
    check("golden-options", "WorkerRegistered.machine", described);
    let roomy = Event::WorkerRegistered(WorkerRegistered {
        worker: worker("builder@b1"),
        role: Role::Builder,
        queues: vec!["build.default".to_owned()],
        machine: Some(BuilderMachine {
            slots: Some(4),
            ..machine("b1", None)
        }),
    });
    check("golden-options", "WorkerRegistered.slots", roomy);
    let capacity = Capacity {
        memory_megabytes: 16_000,
        disk_megabytes: 114_688,
    };
    let measured = Event::WorkerRegistered(WorkerRegistered {
        worker: worker("builder@b1"),
        role: Role::Builder,
        queues: vec!["build.default".to_owned()],
        machine: Some(BuilderMachine {
            capacity: Some(capacity),
            ..machine("b1", None)
        }),
    });
    check("golden-options", "WorkerRegistered.capacity", measured);
    let killed = Event::BuildFailed(BuildFailed {
        run: run_id(),
        job: job().id,
        attempt: 1,
        builder: Some("b1".parse().unwrap()),
        had: Some(capacity.share(1, 2)),
        failure: Failure::new(FailureClass::Transient, "BuildKilled", "killed"),
    });
    check("golden-options", "BuildFailed.had", killed);
    let needs = Needs {
        memory_megabytes: Some(8_000),
        disk_megabytes: Some(20_000),
    };
    let heavy = Command::BuildPackage(BuildPackage {
        run: run_id(),
        attempt: 2,
        job: Job { needs, ..job() },
        dependencies: Vec::new(),
        needs,
    });
    check("golden-options", "BuildPackage.needs", heavy);
    let Event::PackageBuilt(logged) = built(&job()) else {
        panic!("it is built")
    };
    let log_path = Some("b1:/var/cache/binpkgs/.gentoo-updater/logs/a.log.gz".to_owned());
    let logged = Event::PackageBuilt(PackageBuilt { log_path, ..logged });
    check("golden-options", "PackageBuilt.log", logged);
    let compiled_as = machine("b1", Some("-O2")).compiles_as;
    let job = Job {
        compiled_as,
        ..job()
    };
    let plan = GuestPlan {
        wants: Some([(cpv("dev-libs/libbeta-1.0"), job.id.clone())].into()),
        findings: vec![finding()],
    };
    let planned = Event::BatchPlanned(BatchPlanned {
        run: run_id(),
        batch: Batch {
            jobs: vec![job],
            guests: [(guest("g1"), plan)].into(),
            unserved: [(guest("g2"), permanent("PlatformUnserved"))].into(),
        },
    });
    check("golden-options", "BatchPlanned.platforms", planned);
    // As it is planned today: what guests want follows from their answers.
    let job = Job {
        wanted_by: Default::default(),
        ..self::job()
    };
    let planned = Event::BatchPlanned(BatchPlanned {
        run: run_id(),
        batch: Batch {
            jobs: vec![job],
            guests: [(guest("g1"), GuestPlan::default())].into(),
            unserved: Default::default(),
        },
    });
    check("golden-options", "BatchPlanned.following", planned);
}

#[test]
fn fields_that_a_newer_program_adds_are_passed_over() {
    let mut value = serde_json::to_value(envelope(events().remove(0))).unwrap();
    value["colour"] = "red".into();
    value["body"]["colour"] = "red".into();
    Envelope::<Event>::decode(value.to_string().as_bytes()).unwrap();
}

#[test]
fn a_sign_of_life_of_an_older_worker_is_read() {
    let alive = |body: &str| {
        let text = format!(
            r#"{{"v":1,"id":"{}","at":"1970-01-01T00:00:00Z","sender":"builder@b1",
                "type":"WorkerAlive","body":{body}}}"#,
            Uuid::nil()
        );
        match Envelope::<Event>::decode(text.as_bytes()).unwrap().message {
            Event::WorkerAlive(alive) => alive,
            other => panic!("{}", other.kind()),
        }
    };
    let work = serde_json::to_string(&work()).unwrap();
    let old = alive(&format!(
        r#"{{"worker":"builder@b1","role":"builder","working_on":[{work}]}}"#
    ));
    assert_eq!(old.working_on[0].work, self::work());
    assert_eq!((old.working_on[0].since, old.slots), (None, None));
    // And an older worker reads what this one says: all that is new stands beside what it knows.
    let new = serde_json::to_value(Ongoing {
        work: self::work(),
        since: Some(Timestamp::UNIX_EPOCH),
    });
    assert_eq!(
        serde_json::from_value::<WorkKey>(new.unwrap()).unwrap(),
        self::work()
    );
}

#[test]
fn an_unknown_version_and_an_unknown_type_are_refused() {
    let mut value = serde_json::to_value(envelope(events().remove(0))).unwrap();
    value["v"] = 2.into();
    let error = Envelope::<Event>::decode(value.to_string().as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the message has version 2, this program reads version 1"
    );
    value["v"] = 1.into();
    value["type"] = "FleetDeleted".into();
    Envelope::<Event>::decode(value.to_string().as_bytes()).unwrap_err();
}

#[test]
fn a_package_that_is_no_package_is_refused_with_its_name() {
    let event = Event::GuestScanned(scanned("g1", vec![update("cat/pkg-1")], vec![]));
    let text = serde_json::to_string(&envelope(event)).unwrap();
    let hostile = text.replace("\"cat/pkg-1\"", "\"cat/pkg-1;touch x\"");
    assert_ne!(text, hostile);
    let error = Envelope::<Event>::decode(hostile.as_bytes())
        .unwrap_err()
        .to_string();
    assert!(error.contains("cat/pkg-1;touch x"), "{error}");
}

#[test]
fn what_findings_and_binaries_say_beyond_the_first_version_is_optional() {
    let old = serde_json::json!({"kind": "ConfigurationPending", "text": "/etc/a waits"});
    let old: Finding = serde_json::from_value(old).unwrap();
    assert_eq!((old.subject, old.details), (None, vec![]));
    let new = Finding::new(FindingKind::ConfigurationPending, "/etc/a waits")
        .about("/etc/a")
        .with_details(vec!["-listen = 1".to_owned()]);
    let text = serde_json::to_string(&new).unwrap();
    assert_eq!(serde_json::from_str::<Finding>(&text).unwrap(), new);
    let mut known = binary(&key().key, 1);
    let plain = serde_json::to_value(&known).unwrap();
    assert!(plain.get("contents").is_none(), "{plain}");
    assert_eq!(serde_json::from_value::<Binary>(plain).unwrap(), known);
    known.contents.sizes.insert("usr".to_owned(), 1000);
    known.contents.needs = [("libc.so.6".to_owned(), ["GLIBC_2.34".to_owned()].into())].into();
    let text = serde_json::to_string(&known).unwrap();
    assert_eq!(serde_json::from_str::<Binary>(&text).unwrap(), known);
}
