//! Fields that later versions added: left out where they say nothing, so that messages stay what they
//! were.

use gentoo_updater_fleet::rollout::{Barrier, Irreversible, Rollout, Wave, Window};
use gentoo_updater_fleet::schedule::Occurrence;

use super::*;

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
    let in_waves = Event::RunRequested(RunRequested {
        rollout: rollout(),
        ..run.clone()
    });
    check("golden-options", "RunRequested.rollout", in_waves);
    let scheduled = Event::RunRequested(RunRequested {
        schedule: Some(Occurrence {
            schedule: "nightly".parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
        }),
        ..run.clone()
    });
    check("golden-options", "RunRequested.schedule", scheduled);
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
fn a_package_that_a_build_removed_has_a_golden_file() {
    let cleaned = Event::BuilderCleaned(BuilderCleaned {
        run: run_id(),
        builder: "b1".parse().unwrap(),
        attempt: 1,
        removed: Vec::new(),
        kept: Vec::new(),
        updated: Vec::new(),
        gone: vec![PackageChange {
            before: Some("dev-libs/blocked-1".parse().unwrap()),
            after: None,
        }],
        cruft: None,
    });
    check("golden-options", "BuilderCleaned.gone", cleaned);
}

#[test]
fn what_builds_left_has_golden_files() {
    let listed = |count, first: Vec<&str>| Listed {
        count,
        first: first.into_iter().map(str::to_owned).collect(),
    };
    let cleaned = Event::BuilderCleaned(BuilderCleaned {
        run: run_id(),
        builder: "b1".parse().unwrap(),
        attempt: 1,
        removed: Vec::new(),
        kept: Vec::new(),
        updated: Vec::new(),
        gone: Vec::new(),
        cruft: Some(Box::new(Cruft {
            found: listed(51, vec!["/etc/foo.conf", r"/etc/\xff"]),
            archives: vec![CruftArchive {
                path: "/var/lib/gentoo-updater/cruft/run.1/files.tar.zst".to_owned(),
                files: 51,
                size: 1234,
            }],
            stays: Listed {
                count: 1,
                first: vec![Staying {
                    path: "/etc/bar".to_owned(),
                    why: "in use".to_owned(),
                }],
            },
            changed: Listed {
                count: 1,
                first: vec![ChangedFile {
                    path: "/etc/motd".to_owned(),
                    what: vec!["content".to_owned(), "mode".to_owned()],
                }],
            },
            users: vec!["foo".to_owned()],
            groups: vec!["foo".to_owned()],
            accounts_changed: vec!["games".to_owned()],
            trouble: Some("the disk is full".to_owned()),
        })),
    });
    check("golden-options", "BuilderCleaned.cruft", cleaned);
}

fn rollout() -> Rollout {
    let windows: Vec<Window> = vec!["Mon-Fri 22:00-06:00 Europe/Berlin".parse().unwrap()];
    Rollout {
        waves: vec![Wave {
            name: "canary".parse().unwrap(),
            guests: [guest("g1")].into(),
            soak_seconds: 3600,
            at_once: Some(1),
            windows: windows.clone(),
            needs_approval: true,
        }],
        windows: [(guest("g1"), windows)].into(),
        at_once: Some(5),
        budget: Some(2),
        patience_seconds: Some(86_400),
        ..Rollout::default()
    }
}

#[test]
fn what_cannot_be_undone_is_left_out_where_nobody_is_put_back() {
    let Event::RunRequested(run) = events().remove(0) else {
        panic!("the first event is a request")
    };
    let irreversible = |atom: &str, can_be_undone| Irreversible {
        atom: atom.parse().unwrap(),
        can_be_undone,
    };
    let rollout = Rollout {
        put_back: [guest("g1")].into(),
        irreversible: vec![
            irreversible("sys-libs/glibc", false),
            irreversible("=sys-libs/glibc-2.41", true),
        ],
        ..Rollout::default()
    };
    let requested = Event::RunRequested(RunRequested { rollout, ..run });
    check("golden-options", "RunRequested.irreversible", requested);
    let held = HeldBack {
        cpv: cpv("a/a-2"),
        reason: HoldReason::Irreversible(cpv("a/a-2")),
    };
    check(
        "golden-options",
        "GuestUpdated.irreversible",
        updated(vec![held]),
    );
}

#[test]
fn what_waves_and_windows_brought_is_left_out_where_there_are_none() {
    let order = |command: &Command| matches!(command, Command::InstallPackages(_));
    let Some(Command::InstallPackages(order)) = commands().into_iter().find(order) else {
        panic!("one command installs")
    };
    let in_time = Command::InstallPackages(InstallPackages {
        begin_before: Some(Timestamp::UNIX_EPOCH),
        ..order
    });
    check("golden-options", "InstallPackages.before", in_time);
    let failed = |event: &Event| matches!(event, Event::InstallFailed(_));
    let Some(Event::InstallFailed(failed)) = events().into_iter().find(failed) else {
        panic!("one event tells of an installation that failed")
    };
    let put_back = Event::InstallFailed(InstallFailed {
        rolled_back: Some(RolledBack {
            packages: vec![cpv("a/a-2")],
            failure: Some(failure()),
        }),
        ..failed
    });
    check("golden-options", "InstallFailed.back", put_back);
    let unsettled = Event::GuestScanned(GuestScanned {
        unsettled: true,
        ..scanned("g1", vec![], vec![])
    });
    check("golden-options", "GuestScanned.unsettled", unsettled);
}

#[test]
fn what_goes_first_is_left_out_where_nothing_does() {
    let Event::RunRequested(run) = events().remove(0) else {
        panic!("the first event is a request")
    };
    let atoms = |text: &str| vec![text.parse().unwrap()];
    let rollout = Rollout {
        barriers: vec![
            Barrier::Version(atoms("sys-libs/glibc")),
            Barrier::Slot(atoms("sys-devel/gcc")),
            Barrier::Subslot(atoms("dev-libs/openssl")),
            Barrier::Flags(vec!["python_targets_*".parse().unwrap()]),
        ],
        ..Rollout::default()
    };
    let requested = Event::RunRequested(RunRequested { rollout, ..run });
    check("golden-options", "RunRequested.barriers", requested);
    let held = HeldBack {
        cpv: cpv("a/a-2"),
        reason: HoldReason::Barrier(cpv("sys-libs/glibc-2.41")),
    };
    check(
        "golden-options",
        "GuestUpdated.barrier",
        updated(vec![held]),
    );
    let switching = Update {
        switched_flags: ["python_targets_python3_13".parse().unwrap()].into(),
        ..key()
    };
    let scanned = Event::GuestScanned(scanned("g1", vec![switching], vec![]));
    check("golden-options", "GuestScanned.switched", scanned);
}
