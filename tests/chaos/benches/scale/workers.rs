//! Workers whose work is made up and takes no time, in one process.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use gentoo_updater_bus::topology;
use gentoo_updater_bus::worker::{self, Handler, WorkerError, WorkerSpec};
use gentoo_updater_chaos::collected;
use gentoo_updater_fleet::message::{
    Binary, BuildPackage, BuilderCleaned, BuilderMachine, Command, Contents, Event, Failure,
    GuestScanned, GuestUpdated, Identity, InstallPackages, InstalledPackage, PackageBuilt,
    PackageChange, Role, ScanGuest, SearchStore, StoreSearched, SubslotBinding, Update,
};
use gentoo_updater_fleet::name::{BuilderName, GuestName, JobId};
use gentoo_updater_portage::build_key::{BindingTarget, HexDigest, Platform};
use gentoo_updater_runtime::{Context, worker_id, wrong_command};
use tokio::task::JoinSet;

use crate::fleets::Plans;
use crate::history::Sizes;
use crate::{BUILDERS, SLOTS};

/// How many packages each guest has that have no update.
const OTHERS: usize = 700;

/// All workers but the planner.
pub(crate) struct Workers {
    known: Arc<Known>,
    running: JoinSet<Result<(), WorkerError>>,
    context: Context,
}

/// What they share.
struct Known {
    guests: BTreeMap<GuestName, Guest>,
    built: Mutex<BTreeMap<JobId, usize>>,
    commands: Mutex<Sizes>,
}

/// What a guest says.
struct Guest {
    updates: Vec<Arc<Update>>,
    installed: Vec<Arc<InstalledPackage>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no worker has panicked")
}

impl Workers {
    pub(crate) fn start(context: &Context, plans: &Plans) -> Self {
        let known = Arc::new(Known {
            guests: guests(plans),
            built: Mutex::default(),
            commands: Mutex::default(),
        });
        let mut workers = Self {
            known,
            running: JoinSet::new(),
            context: context.clone(),
        };
        let policy = &context.settings.policy;
        let names = || context.settings.guests.keys();
        let scan = vec![topology::SCAN.to_owned()];
        workers.serve(Role::Scanner, "all", scan, policy.parallel_scans, None);
        let install = names().map(topology::install_queue).collect();
        workers.serve(
            Role::Installer,
            "all",
            install,
            policy.parallel_installs,
            None,
        );
        let builders = || context.settings.builders.keys();
        let clean = builders().map(topology::clean_queue);
        let collect = context
            .settings
            .platforms
            .keys()
            .map(topology::collect_queue);
        let queues = clean.chain(collect).collect();
        workers.serve(Role::Janitor, "all", queues, 1, None);
        for name in builders() {
            let queue = topology::build_queue(&"default".parse().expect("a platform"));
            let queues = vec![queue];
            workers.serve(Role::Builder, name.as_str(), queues, SLOTS, Some(name));
        }
        assert_eq!(workers.running.len(), BUILDERS + 3);
        workers
    }

    fn serve(
        &mut self,
        role: Role,
        instance: &str,
        queues: Vec<String>,
        slots: u16,
        builder: Option<&BuilderName>,
    ) {
        let id = worker_id(&role.to_string(), instance).expect("a worker id");
        let policy = &self.context.settings.policy;
        let spec = WorkerSpec {
            state_directory: self.context.state_of(&id),
            id,
            clock: self.context.clock.clone(),
            role,
            queues,
            slots,
            heartbeat: policy.heartbeat,
            grace: policy.grace,
            read_back: true,
            builder: builder.cloned(),
            pulse: self.context.pulse.clone(),
        };
        let handler = Arc::new(Worker {
            known: self.known.clone(),
            builder: builder.cloned(),
        });
        let (bus, stop) = (self.context.bus.clone(), self.context.stop.clone());
        self.running.spawn(worker::serve(bus, spec, handler, stop));
    }

    /// How often each job was built.
    pub(crate) fn built(&self) -> BTreeMap<JobId, usize> {
        lock(&self.known.built).clone()
    }

    /// How large the commands were.
    pub(crate) fn sizes(&self) -> Sizes {
        lock(&self.known.commands).clone()
    }

    /// Stops them. Each must end well.
    pub(crate) async fn end(mut self) {
        self.context.stop.cancel();
        while let Some(ended) = self.running.join_next().await {
            ended.expect("no worker panics").expect("it ends well");
        }
    }
}

fn variables() -> BTreeMap<String, String> {
    let pairs = [
        ("ARCH", "amd64"),
        ("CHOST", "x86_64-pc-linux-gnu"),
        ("CFLAGS", "-O2 -pipe"),
        ("CXXFLAGS", "-O2 -pipe"),
    ];
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// Each has a former version of all that it wants, bound to former libraries, and other packages.
fn guests(plans: &Plans) -> BTreeMap<GuestName, Guest> {
    let others: Vec<Arc<InstalledPackage>> = (0..OTHERS)
        .map(|number| {
            Arc::new(InstalledPackage {
                cpv: format!("other/package_{number}-1.0")
                    .parse()
                    .expect("a package"),
                slot: "0".parse().expect("a slot"),
                repository: "gentoo".parse().ok(),
                build_id: Some(1),
                bindings: Vec::new(),
            })
        })
        .collect();
    let mut former: HashMap<*const Update, Arc<InstalledPackage>> = HashMap::new();
    let mut guests = BTreeMap::new();
    for (name, updates) in &plans.guests {
        let had = updates.iter().map(|update| {
            let known = former.entry(Arc::as_ptr(update));
            known.or_insert_with(|| Arc::new(before(update))).clone()
        });
        let guest = Guest {
            installed: had.chain(others.iter().cloned()).collect(),
            updates: updates.clone(),
        };
        guests.insert(name.clone(), guest);
    }
    guests
}

fn before(update: &Update) -> InstalledPackage {
    let package = &update.key.cpv.category_package;
    let binding = |target: &BindingTarget| SubslotBinding {
        package: target.category_package.clone(),
        slot: "0/former".parse().expect("a slot"),
    };
    InstalledPackage {
        cpv: format!("{package}-0.1").parse().expect("a package"),
        slot: update.key.slot.clone(),
        repository: Some(update.key.repository.clone()),
        build_id: Some(1),
        bindings: update.key.bindings.keys().map(binding).collect(),
    }
}

struct Worker {
    known: Arc<Known>,
    builder: Option<BuilderName>,
}

#[async_trait]
impl Handler for Worker {
    async fn handle(&self, command: &Command) -> Event {
        let bytes = serde_json::to_vec(command)
            .expect("a command is JSON")
            .len();
        lock(&self.known.commands).note(command.kind(), bytes);
        match command {
            Command::ScanGuest(scan) => Event::GuestScanned(self.scan(scan)),
            Command::SearchStore(search) => Event::StoreSearched(self.search(search)),
            Command::BuildPackage(build) => Event::PackageBuilt(self.build(build)),
            Command::InstallPackages(set) => Event::GuestUpdated(install(set)),
            Command::CleanBuilder(clean) => Event::BuilderCleaned(BuilderCleaned {
                run: clean.run,
                builder: clean.builder.clone(),
                attempt: clean.attempt,
                removed: Vec::new(),
                kept: Vec::new(),
                updated: Vec::new(),
                gone: Vec::new(),
                cruft: None,
            }),
            Command::CollectStore(collect) => match collected(collect) {
                Ok(collected) => Event::StoreCollected(collected),
                Err(failure) => self.failed(command, failure),
            },
            Command::SyncBuilder(_) => self.failed(command, wrong_command(command)),
        }
    }

    fn machine(&self) -> Option<BuilderMachine> {
        let builder = self.builder.clone()?;
        let variables = variables();
        let value_of = |name: &str| variables.get(name).map(String::as_str);
        Some(BuilderMachine {
            capacity: None,
            builder,
            platform: "default".parse().expect("a platform"),
            compiles_as: Platform::from_variables(value_of, BTreeSet::new()).ok(),
            slots: Some(SLOTS),
        })
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        command.failed(self.builder.as_ref(), failure)
    }
}

impl Worker {
    fn scan(&self, scan: &ScanGuest) -> GuestScanned {
        let guest = &self.known.guests[&scan.guest];
        GuestScanned {
            run: scan.run,
            guest: scan.guest.clone(),
            attempt: scan.attempt,
            identity: Identity {
                settings: variables(),
                ..Identity::default()
            },
            updates: guest.updates.clone(),
            installed: guest.installed.clone(),
            findings: Vec::new(),
            unchanged_since: None,
            unsettled: false,
        }
    }

    /// The store of a fleet that has never been updated.
    fn search(&self, search: &SearchStore) -> StoreSearched {
        StoreSearched {
            run: search.run,
            platform: search.platform.clone(),
            attempt: search.attempt,
            builder: self.builder.clone().expect("a builder"),
            held: BTreeMap::new(),
        }
    }

    fn build(&self, build: &BuildPackage) -> PackageBuilt {
        let job = &build.job;
        let mut built = lock(&self.known.built);
        for need in &job.build_needs {
            assert!(built.contains_key(need), "{need} comes before {}", job.id);
        }
        *built.entry(job.id.clone()).or_default() += 1;
        let cpv = job.key.cpv.clone();
        let path = format!("{}/{}-1.gpkg.tar", cpv.category_package, cpv.pf());
        // As much as a builder finds in a middle-sized binary.
        let contents = Contents {
            sizes: [("usr".to_owned(), 1_000_000), ("etc".to_owned(), 1000)].into(),
            needs: [(
                "libc.so.6".to_owned(),
                ["GLIBC_2.2.5", "GLIBC_2.4", "GLIBC_2.34"]
                    .map(str::to_owned)
                    .into(),
            )]
            .into(),
        };
        PackageBuilt {
            run: build.run,
            job: job.id.clone(),
            attempt: build.attempt,
            builder: self.builder.clone().expect("a builder"),
            binary: Binary {
                slot: job.key.slot.clone(),
                build_id: 1,
                build_time: 1_767_225_600,
                path: path.parse().expect("a path"),
                size: 1_000_000,
                sha256: HexDigest::sha256(job.id.as_str().as_bytes()),
                contents,
                signed_by: None,
                cpv,
            },
            reused: false,
            duration_ms: 1000,
            findings: Vec::new(),
            log_path: None,
        }
    }
}

fn install(set: &InstallPackages) -> GuestUpdated {
    let changes = set.packages.iter().map(|package| PackageChange {
        before: None,
        after: Some(package.key.cpv.clone()),
    });
    GuestUpdated {
        run: set.run,
        guest: set.guest.clone(),
        attempt: set.attempt,
        changes: changes.collect(),
        held: set.held.clone(),
        findings: Vec::new(),
    }
}
