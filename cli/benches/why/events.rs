//! A fleet at work, run after run: five guests that want twenty packages each, which are built and installed.
//! Packages come again every fifty runs, and the guests tell what they have installed.

use std::sync::Arc;

use gentoo_updater_fleet::batch::{Answer, merge};
use gentoo_updater_fleet::message::{
    BatchPlanned, Binary, BuilderCleaned, Change, CommandIssued, Envelope, Event, GuestScanned,
    GuestUpdated, InstalledPackage, PackageBuilt, PackageChange, Purpose, RunFinished, RunKind,
    RunOutcome, RunRequested, StoreSearched, Task, Update, WorkKey, WorkStarted,
};
use gentoo_updater_fleet::name::{CommandId, GuestName, PlatformName, RunId};
use gentoo_updater_portage::build_key::{BuildKey, HexDigest};
use jiff::Timestamp;
use uuid::Uuid;

pub(crate) const GUESTS: usize = 5;
const UPDATES: usize = 20;
const INSTALLED: usize = 50;
/// After how many runs a package comes again.
const AGAIN: usize = 50;

/// A history as it grows.
#[derive(Default)]
pub(crate) struct Events {
    /// How many runs there were.
    pub(crate) runs: usize,
    /// The first of them.
    pub(crate) oldest: Option<RunId>,
}

/// A package of a run.
pub(crate) fn package(run: usize, number: usize) -> String {
    format!("dev-libs/package{}x{number}", run % AGAIN)
}

impl Events {
    /// All that happens in one more run.
    pub(crate) fn run(&mut self) -> Vec<Envelope<Event>> {
        let run = RunId::generate();
        self.oldest.get_or_insert(run);
        let events = events(run, self.runs);
        self.runs += 1;
        let sender = || "bench@1".parse().unwrap();
        let envelope = |event| Envelope::new(sender(), Timestamp::now(), event);
        events.into_iter().map(envelope).collect()
    }
}

fn guest(number: usize) -> GuestName {
    format!("guest{number}").parse().unwrap()
}

fn platform() -> PlatformName {
    "default".parse().unwrap()
}

fn update(run: usize, number: usize) -> Update {
    let name = format!("{}-1.{run}", package(run, number));
    let flags = ["doc", "ssl", "static-libs", "test"];
    Update {
        key: BuildKey {
            cpv: name.parse().unwrap(),
            slot: "0".parse().unwrap(),
            repository: "gentoo".parse().unwrap(),
            ebuild_digest: HexDigest::sha256(name.as_bytes()),
            use_flags: flags
                .map(|flag| (flag.parse().unwrap(), flag == "ssl"))
                .into(),
            bindings: Default::default(),
            environment_digest: None,
            kernel: None,
        }
        .into(),
        change: Change::Upgrade,
        previous: vec!["1.0".to_owned()],
        purpose: Purpose::Runtime,
        build_needs: Default::default(),
        runtime_needs: Default::default(),
        accepts: Default::default(),
        download: None,
        switched_flags: Default::default(),
    }
}

fn installed(number: usize) -> InstalledPackage {
    InstalledPackage {
        cpv: format!("sys-apps/installed{number}-1.0").parse().unwrap(),
        slot: "0".parse().unwrap(),
        repository: None,
        build_id: Some(1),
        bindings: Vec::new(),
    }
}

fn events(run: RunId, number: usize) -> Vec<Event> {
    let plans: Vec<(GuestName, Vec<Arc<Update>>)> = (0..GUESTS)
        .map(|of| {
            let rows = (0..UPDATES).map(|row| update(number, of * UPDATES + row));
            (guest(of), rows.map(Arc::new).collect())
        })
        .collect();
    let platform = platform();
    let answers: Vec<Answer<'_>> = plans
        .iter()
        .map(|(guest, updates)| Answer {
            guest,
            platform: &platform,
            updates,
        })
        .collect();
    let batch = merge(&answers, &Default::default());
    let jobs = batch.jobs.clone();
    let mut events = vec![Event::RunRequested(RunRequested {
        run,
        kind: RunKind::Update,
        guests: plans
            .iter()
            .map(|(guest, _)| (guest.clone(), platform.clone()))
            .collect(),
        force: false,
        sync: Default::default(),
        more_rounds: 0,
        follows: None,
        retries: 0,
        rollout: Default::default(),
        schedule: None,
    })];
    let had: Vec<Arc<InstalledPackage>> =
        (0..INSTALLED).map(|row| Arc::new(installed(row))).collect();
    for (guest, updates) in &plans {
        claim(&mut events, run, Task::Scan(guest.clone()), "scan");
        events.push(Event::GuestScanned(GuestScanned {
            run,
            guest: guest.clone(),
            attempt: 1,
            identity: Default::default(),
            updates: updates.clone(),
            installed: had.clone(),
            findings: Vec::new(),
            unchanged_since: None,
            unsettled: false,
        }));
    }
    events.push(Event::BatchPlanned(BatchPlanned { run, batch }));
    events.push(Event::StoreSearched(StoreSearched {
        run,
        platform: platform.clone(),
        attempt: 1,
        builder: "b1".parse().unwrap(),
        held: Default::default(),
    }));
    for job in jobs {
        claim(
            &mut events,
            run,
            Task::Build(job.id.clone()),
            "build.default",
        );
        let path = format!(
            "{}/{}-1.gpkg.tar",
            job.key.cpv.category_package,
            job.key.cpv.pf()
        );
        events.push(Event::PackageBuilt(PackageBuilt {
            run,
            job: job.id,
            attempt: 1,
            builder: "b1".parse().unwrap(),
            binary: Binary {
                slot: job.key.slot.clone(),
                build_id: 1,
                build_time: 1_767_225_600,
                path: path.parse().unwrap(),
                size: 1_000_000,
                sha256: HexDigest::sha256(path.as_bytes()),
                contents: Default::default(),
                signed_by: None,
                cpv: job.key.cpv.clone(),
            },
            reused: false,
            duration_ms: 60_000,
            findings: Vec::new(),
            log_path: None,
        }));
    }
    for (guest, updates) in &plans {
        claim(&mut events, run, Task::Install(guest.clone()), "install");
        let changes = updates.iter().map(|update| PackageChange {
            before: None,
            after: Some(update.key.cpv.clone()),
        });
        events.push(Event::GuestUpdated(GuestUpdated {
            run,
            guest: guest.clone(),
            attempt: 1,
            changes: changes.collect(),
            held: Vec::new(),
            findings: Vec::new(),
        }));
    }
    let builder = || "b1".parse().unwrap();
    claim(&mut events, run, Task::Clean(builder()), "clean.b1");
    events.push(Event::BuilderCleaned(BuilderCleaned {
        run,
        builder: builder(),
        attempt: 1,
        removed: Vec::new(),
        kept: Vec::new(),
        updated: Vec::new(),
        gone: Vec::new(),
        cruft: None,
    }));
    events.push(Event::RunFinished(RunFinished {
        run,
        outcome: RunOutcome::Complete,
        retries: 0,
    }));
    events
}

fn claim(events: &mut Vec<Event>, run: RunId, task: Task, queue: &str) {
    let work = WorkKey {
        run,
        task,
        attempt: 1,
    };
    events.push(Event::CommandIssued(CommandIssued {
        command: CommandId(Uuid::now_v7()),
        work: work.clone(),
        queue: queue.to_owned(),
    }));
    events.push(Event::WorkStarted(WorkStarted {
        work,
        worker: "worker@1".parse().unwrap(),
        builder: None,
    }));
}
