//! Fixtures: small updates, guests and histories.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(dead_code, unreachable_pub)]

pub mod building;
pub mod failing;
pub mod runs;

use std::collections::BTreeMap;
use std::sync::Arc;

use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::*;
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_portage::build_key::{BuildKey, HexDigest, Platform};
use gentoo_updater_portage::cpv::Cpv;
use jiff::Timestamp;
use uuid::Uuid;

pub fn run_id() -> RunId {
    RunId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001))
}

pub fn cpv(text: &str) -> Cpv {
    text.parse().unwrap()
}

pub fn guest(name: &str) -> GuestName {
    name.parse().unwrap()
}

pub fn worker(name: &str) -> WorkerId {
    name.parse().unwrap()
}

pub fn platform() -> PlatformName {
    "default".parse().unwrap()
}

/// A row of a plan: an upgrade in slot 0.
pub fn update(name: &str) -> Update {
    Update {
        key: BuildKey {
            cpv: cpv(name),
            slot: "0".parse().unwrap(),
            repository: "gentoo".parse().unwrap(),
            ebuild_digest: HexDigest::sha256(name.as_bytes()),
            use_flags: Default::default(),
            bindings: Default::default(),
            environment_digest: None,
            kernel: None,
        }
        .into(),
        change: Change::Upgrade,
        previous: Vec::new(),
        purpose: Purpose::Runtime,
        build_needs: Default::default(),
        runtime_needs: Default::default(),
        accepts: Default::default(),
        download: None,
        switched_flags: Default::default(),
    }
}

pub trait UpdateExt {
    fn flag(self, flag: &str, on: bool) -> Self;
    fn slot(self, slot: &str) -> Self;
    fn needs_to_build(self, name: &str) -> Self;
    fn needs_to_run(self, name: &str) -> Self;
    fn bound_to(self, package: &str, slot: &str) -> Self;
    fn only_for_builds(self) -> Self;
}

impl UpdateExt for Update {
    fn flag(mut self, flag: &str, on: bool) -> Self {
        let key = Arc::make_mut(&mut self.key);
        key.use_flags.insert(flag.parse().unwrap(), on);
        self
    }
    fn slot(mut self, slot: &str) -> Self {
        Arc::make_mut(&mut self.key).slot = slot.parse().unwrap();
        self
    }
    fn needs_to_build(mut self, name: &str) -> Self {
        self.build_needs.insert(cpv(name));
        self
    }
    fn needs_to_run(mut self, name: &str) -> Self {
        self.runtime_needs.insert(cpv(name));
        self
    }
    fn bound_to(mut self, package: &str, slot: &str) -> Self {
        Arc::make_mut(&mut self.key)
            .bindings
            .insert(package.parse().unwrap(), slot.parse().unwrap());
        self
    }
    fn only_for_builds(mut self) -> Self {
        self.purpose = Purpose::BuildOnly;
        self.change = Change::New;
        self
    }
}

pub fn installed(name: &str, slot: &str, bindings: &[(&str, &str)]) -> InstalledPackage {
    InstalledPackage {
        cpv: cpv(name),
        slot: slot.parse().unwrap(),
        repository: None,
        build_id: None,
        bindings: bindings
            .iter()
            .map(|(package, slot)| SubslotBinding {
                package: package.parse().unwrap(),
                slot: slot.parse().unwrap(),
            })
            .collect(),
    }
}

/// As a message carries them.
pub fn rows<T>(rows: impl IntoIterator<Item = T>) -> Vec<Arc<T>> {
    rows.into_iter().map(Arc::new).collect()
}

pub fn scanned(name: &str, updates: Vec<Update>, installed: Vec<InstalledPackage>) -> GuestScanned {
    GuestScanned {
        run: run_id(),
        guest: guest(name),
        attempt: 1,
        identity: Identity::default(),
        updates: rows(updates),
        installed: rows(installed),
        findings: Vec::new(),
        unchanged_since: None,
        unsettled: false,
    }
}

pub fn binary(key: &BuildKey, build_id: u32) -> Binary {
    Binary {
        cpv: key.cpv.clone(),
        slot: key.slot.clone(),
        build_id,
        build_time: 1_767_225_600,
        path: format!(
            "{}/{}-{build_id}.gpkg.tar",
            key.cpv.category_package,
            key.cpv.pf()
        )
        .parse()
        .unwrap(),
        size: 1000,
        sha256: HexDigest::sha256(key.digest().as_str().as_bytes()),
        contents: Contents::default(),
        signed_by: None,
    }
}

pub fn built(job: &Job) -> Event {
    Event::PackageBuilt(PackageBuilt {
        run: run_id(),
        job: job.id.clone(),
        attempt: 1,
        builder: "b1".parse().unwrap(),
        binary: binary(&job.key, 1),
        reused: false,
        duration_ms: 1000,
        findings: Vec::new(),
        log_path: None,
    })
}

/// The guest `g1` has its updates, but for these.
pub fn updated(held: Vec<HeldBack>) -> Event {
    Event::GuestUpdated(GuestUpdated {
        run: run_id(),
        guest: guest("g1"),
        attempt: 1,
        changes: vec![],
        held,
        findings: vec![],
    })
}

/// The builder `b1` is as it was before the run.
pub fn cleaned(run: RunId, attempt: u32) -> Event {
    Event::BuilderCleaned(BuilderCleaned {
        run,
        builder: "b1".parse().unwrap(),
        attempt,
        removed: vec![],
        kept: vec![],
        updated: vec![],
        gone: vec![],
        cruft: None,
    })
}

/// The store of the platform was collected, and some of it went.
pub fn store_collected(run: RunId, attempt: u32) -> StoreCollected {
    StoreCollected {
        run,
        platform: platform(),
        attempt,
        builder: "b1".parse().unwrap(),
        deleted: Deleted {
            binaries: 12,
            files: 1,
            bytes: 3_400_000_000,
        },
        too_large_by: 0,
        by_memory: Default::default(),
        unknown: Default::default(),
    }
}

pub fn permanent(cause: &str) -> Failure {
    Failure::new(FailureClass::Permanent, cause, "it does not work")
}

pub fn transient(cause: &str) -> Failure {
    Failure::new(FailureClass::Transient, cause, "it does not work now")
}

/// What a builder says of its machine; without flags it has not been asked yet.
pub fn machine(builder: &str, cflags: Option<&str>) -> BuilderMachine {
    let compiles_as = cflags.map(|cflags| {
        let settings = variables(cflags);
        let value_of = |name| settings.get(name).map(String::as_str);
        Platform::from_variables(value_of, [].into()).unwrap()
    });
    BuilderMachine {
        builder: builder.parse().unwrap(),
        platform: platform(),
        compiles_as,
        slots: None,
        capacity: None,
    }
}

/// The variables of a machine with these compiler flags.
pub fn variables(cflags: &str) -> BTreeMap<String, String> {
    let pairs = [
        ("ARCH", "amd64"),
        ("CHOST", "x86_64-pc-linux-gnu"),
        ("CFLAGS", cflags),
        ("CXXFLAGS", cflags),
    ];
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// A fleet with a clock that is set by hand.
#[derive(Default)]
pub struct History {
    pub fleet: Fleet,
    pub offset: u64,
    pub seconds: i64,
    pub events: Vec<(u64, Envelope<Event>)>,
}

impl History {
    /// A run of these guests has been requested.
    pub fn requested(guests: &[&str]) -> Self {
        let mut history = Self::default();
        history.say(Event::RunRequested(RunRequested {
            run: run_id(),
            kind: RunKind::Update,
            more_rounds: 0,
            follows: None,
            retries: 0,
            guests: guests
                .iter()
                .map(|name| (guest(name), platform()))
                .collect(),
            force: false,
            sync: Default::default(),
            rollout: Default::default(),
            schedule: None,
        }));
        history
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + self.seconds).unwrap()
    }

    pub fn say(&mut self, event: Event) {
        let envelope = Envelope::new(worker("test@1"), self.now(), event);
        self.fleet.apply(self.offset, &envelope);
        self.events.push((self.offset, envelope));
        self.offset += 1;
    }

    /// The stores of the batch were searched, and hold none of it.
    pub fn search_in_vain(&mut self) {
        let run = self.run();
        let (id, platforms) = (run.id, run.platforms().clone());
        for platform in platforms {
            self.say(Event::StoreSearched(StoreSearched {
                run: id,
                platform,
                attempt: 1,
                builder: "b1".parse().unwrap(),
                held: Default::default(),
            }));
        }
    }

    pub fn run(&self) -> &gentoo_updater_fleet::state::Run {
        &self.fleet.runs[&run_id()]
    }

    pub fn claim(&mut self, task: Task, attempt: u32, by: &str) {
        let work = WorkKey {
            run: run_id(),
            task,
            attempt,
        };
        self.say(Event::WorkStarted(WorkStarted {
            work,
            worker: worker(by),
            builder: None,
        }));
    }

    pub fn job(&self, name: &str) -> Job {
        let jobs = self.run().jobs.as_ref().unwrap();
        jobs.values()
            .find(|job| job.key.cpv == cpv(name))
            .unwrap()
            .clone()
    }
}
