//! What tests of several commands share.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use gentoo_updater_bus::topology::HISTORY;
use gentoo_updater_bus::{BusError, DeadLetter, Health, Inspect, LetterId, NoWayBack, Retried};
use gentoo_updater_fleet::batch::{Answer, merge};
use gentoo_updater_fleet::message::{
    BatchPlanned, Change, Envelope, Event, Failure, FailureClass, GuestScanned, Job, Purpose,
    RunKind, RunRequested, Task, Update, WorkKey, WorkStarted,
};
use gentoo_updater_fleet::name::{GuestName, PlatformName, RunId};
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_portage::build_key::{BuildKey, HexDigest};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

/// The time at which tests look.
pub(crate) fn now() -> Timestamp {
    "2026-01-05T12:00:00Z".parse().unwrap()
}

/// So many seconds before [`now`].
pub(crate) fn before(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

/// The body of a message as the golden files of `fleet` have it. They are about one run of g1, in
/// which builder@b1 builds dev-libs/libbeta-1.0.
pub(crate) fn body(kind: &str) -> Vec<u8> {
    let path = format!("../shared/fleet/tests/golden/{kind}.v1.json");
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// That event.
pub(crate) fn event(kind: &str) -> Event {
    Envelope::<Event>::decode(&body(kind)).unwrap().message
}

/// The state after these events, each so many seconds before [`now`].
pub(crate) fn fleet(events: &[(i64, Event)]) -> Fleet {
    let mut fleet = Fleet::default();
    for (offset, (seconds, event)) in events.iter().enumerate() {
        let sender = "test@1".parse().unwrap();
        let envelope = Envelope::new(sender, before(*seconds), event.clone());
        fleet.apply(offset as u64, &envelope);
    }
    fleet
}

/// Compares a document with its golden file: its fields are what programs read. Where a
/// difference is meant, `UPDATE_GOLDEN=1 cargo test -p gentoo-updater-cli` writes the file anew.
pub(crate) fn golden(name: &str, document: &impl Serialize) {
    let written = serde_json::to_value(document).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.json"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = serde_json::to_string_pretty(&written).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        written,
        golden,
        "{name} is written otherwise than in {}",
        path.display()
    );
}

/// Compares a text with its golden file, as [`golden`] does.
pub(crate) fn golden_text(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, golden, "not as in {}", path.display());
}

/// Dead letters in memory.
pub(crate) struct DeadLetters(pub(crate) Mutex<Vec<DeadLetter>>);

impl DeadLetters {
    fn take(&self, wanted: &BTreeSet<LetterId>) -> Vec<LetterId> {
        let mut letters = self.0.lock().unwrap();
        let taken = letters.extract_if(.., |letter| wanted.contains(&letter.id));
        taken.map(|letter| letter.id).collect()
    }
}

#[async_trait]
impl Inspect for DeadLetters {
    async fn purge(&self, _: &str) -> Result<u64, BusError> {
        Err(BusError::ReadOnly)
    }

    async fn dead_letters(&self, most: usize) -> Result<Vec<DeadLetter>, BusError> {
        let letters = self.0.lock().unwrap();
        Ok(letters.iter().take(most).cloned().collect())
    }

    /// What comes from the history has no way back.
    async fn retry_dead(&self, letters: &BTreeSet<LetterId>) -> Result<Retried, BusError> {
        let is_stuck = |letter: &DeadLetter| letter.queue == HISTORY;
        let stuck = self.0.lock().unwrap().clone();
        let stuck = stuck
            .into_iter()
            .filter(|letter| letters.contains(&letter.id) && is_stuck(letter));
        let stayed: Vec<NoWayBack> = stuck
            .map(|letter| NoWayBack {
                letter: letter.id,
                queue: letter.queue,
                cause: "this is no queue of commands".to_owned(),
            })
            .collect();
        let rest = letters
            .iter()
            .filter(|id| stayed.iter().all(|it| it.letter != **id));
        let returned = self.take(&rest.cloned().collect());
        Ok(Retried { returned, stayed })
    }

    async fn drop_dead(&self, letters: &BTreeSet<LetterId>) -> Result<Vec<LetterId>, BusError> {
        Ok(self.take(letters))
    }

    async fn probe(&self) -> Result<Health, BusError> {
        Ok(Health::Good)
    }
}

/// The run of [`batch`].
pub(crate) fn run_of_batch() -> RunId {
    RunId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001))
}

fn row(name: &str, flag: Option<bool>, build: &[&str], runtime: &[&str]) -> Update {
    let cpvs = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
    let flags = flag.map(|on| ("ssl".parse().unwrap(), on));
    Update {
        key: BuildKey {
            cpv: name.parse().unwrap(),
            slot: "0".parse().unwrap(),
            repository: "gentoo".parse().unwrap(),
            ebuild_digest: HexDigest::sha256(name.as_bytes()),
            use_flags: flags.into_iter().collect(),
            bindings: Default::default(),
            environment_digest: None,
            kernel: None,
        }
        .into(),
        change: Change::Upgrade,
        previous: Vec::new(),
        purpose: Purpose::Runtime,
        build_needs: cpvs(build),
        runtime_needs: cpvs(runtime),
        accepts: Default::default(),
        download: None,
        switched_flags: Default::default(),
    }
}

/// A batch of two guests that want `app` with other flags: `lib` is needed by both to build, `tool`
/// and `gen` need each other to build, `doc` needs `lib` when it is read.
pub(crate) fn batch() -> Vec<Event> {
    let run = run_of_batch();
    let rows = |ssl| {
        [
            row("a/app-2", Some(ssl), &["a/lib-2"], &[]),
            row("a/lib-2", None, &[], &[]),
            row("a/doc-1", None, &[], &["a/lib-2"]),
            row("b/tool-1", None, &["b/gen-1"], &[]),
            row("b/gen-1", None, &["b/tool-1"], &[]),
        ]
        .map(Arc::new)
        .to_vec()
    };
    let guests: [GuestName; 2] = ["db", "web"].map(|name| name.parse().unwrap());
    let platform: PlatformName = "default".parse().unwrap();
    let plans = [rows(false), rows(true)];
    let answers: Vec<Answer<'_>> = guests
        .iter()
        .zip(&plans)
        .map(|(guest, updates)| Answer {
            guest,
            platform: &platform,
            updates,
        })
        .collect();
    let batch = merge(&answers, &Default::default());
    let requested = RunRequested {
        run,
        kind: RunKind::Update,
        guests: guests.clone().map(|guest| (guest, platform.clone())).into(),
        force: false,
        sync: Default::default(),
        more_rounds: 0,
        follows: None,
        retries: 0,
        rollout: Default::default(),
        schedule: None,
    };
    let scanned = guests.iter().zip(&plans).map(|(guest, updates)| {
        Event::GuestScanned(GuestScanned {
            run,
            guest: guest.clone(),
            attempt: 1,
            identity: Default::default(),
            updates: updates.clone(),
            installed: Vec::new(),
            findings: Vec::new(),
            unchanged_since: None,
            unsettled: false,
        })
    });
    let mut events = vec![Event::RunRequested(requested)];
    events.extend(scanned);
    events.push(Event::BatchPlanned(BatchPlanned { run, batch }));
    events
}

/// That job of a fleet with [`batch`].
pub(crate) fn job_of_batch(fleet: &Fleet, name: &str) -> Job {
    let jobs = fleet.runs[&run_of_batch()].jobs.as_ref().unwrap();
    let mut jobs = jobs.values();
    let job = jobs.find(|job| job.key.cpv.to_string() == name);
    job.unwrap().clone()
}

/// It was built on b1 within so many milliseconds.
pub(crate) fn built(job: &Job, duration_ms: u64) -> Event {
    let mut event = event("PackageBuilt");
    if let Event::PackageBuilt(built) = &mut event {
        (built.run, built.job) = (run_of_batch(), job.id.clone());
        (built.duration_ms, built.reused) = (duration_ms, false);
        (built.binary.cpv, built.binary.slot) = (job.key.cpv.clone(), job.key.slot.clone());
    }
    event
}

/// Its first attempt failed for good.
pub(crate) fn failed(job: &Job) -> Event {
    let mut event = event("BuildFailed");
    if let Event::BuildFailed(failed) = &mut event {
        (failed.run, failed.job, failed.attempt) = (run_of_batch(), job.id.clone(), 1);
        failed.failure = Failure::new(FailureClass::Permanent, "CompileFailure", "exit code 1");
    }
    event
}

/// Its first attempt is claimed.
pub(crate) fn claimed(job: &Job) -> Event {
    Event::WorkStarted(WorkStarted {
        work: WorkKey {
            run: run_of_batch(),
            task: Task::Build(job.id.clone()),
            attempt: 1,
        },
        worker: "builder@b1".parse().unwrap(),
        builder: Some("b1".parse().unwrap()),
    })
}
