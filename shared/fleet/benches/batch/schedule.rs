//! Builds a batch in thought: the planner's own fold and decisions, and builders that take as long
//! as the batch says.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_fleet::decide::{Order, Patience, decide, observe};
use gentoo_updater_fleet::graph::Graph;
use gentoo_updater_fleet::liveness::Liveness;
use gentoo_updater_fleet::message::{
    Binary, BuildPackage, BuilderMachine, Change, Command, CommandIssued, Contents, Envelope,
    Event, GuestScanned, Identity, PackageBuilt, Purpose, Role, RunKind, RunRequested,
    StoreSearched, Update, WorkStarted, WorkerRegistered,
};
use gentoo_updater_fleet::name::{JobId, PlatformName, RunId, WorkerId};
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_portage::build_key::{BuildKey, HexDigest, Platform};
use gentoo_updater_portage::cpv::Cpv;
use jiff::Timestamp;

use crate::graphs::Batch;

fn name(number: usize) -> Cpv {
    let text = format!("category/package_{number}-1");
    text.parse().expect("a package and its version")
}

fn update(batch: &Batch, number: usize) -> Update {
    let job = batch.jobs.get(number).expect("a job");
    Update {
        key: BuildKey {
            cpv: name(number),
            slot: "0".parse().expect("a slot"),
            repository: "gentoo".parse().expect("a repository"),
            ebuild_digest: HexDigest::sha256(number.to_string().as_bytes()),
            use_flags: Default::default(),
            bindings: Default::default(),
            environment_digest: None,
            kernel: None,
        }
        .into(),
        change: Change::Upgrade,
        previous: Vec::new(),
        purpose: Purpose::Runtime,
        build_needs: job.build_needs.iter().map(|need| name(*need)).collect(),
        runtime_needs: job.runtime_needs.iter().map(|need| name(*need)).collect(),
        accepts: Default::default(),
        download: Some(job.sources),
        switched_flags: BTreeSet::new(),
    }
}

/// A fleet of one guest that wants all of a batch.
pub(crate) struct Building<'a> {
    batch: &'a Batch,
    fleet: Fleet,
    liveness: Liveness,
    run: RunId,
    builder: WorkerId,
    /// Which job of the batch it is.
    numbers: BTreeMap<JobId, usize>,
    offset: u64,
    /// The time, in milliseconds since the batch was planned.
    now: u64,
    /// What is built, by the time when it ends.
    running: BinaryHeap<Reverse<(u64, usize, JobId)>>,
}

impl<'a> Building<'a> {
    /// With so many slots, and what the history knows of the durations of jobs, in milliseconds.
    pub(crate) fn new(batch: &'a Batch, slots: u16, known: impl Fn(usize) -> Option<u64>) -> Self {
        let second = Duration::from_secs(1);
        let mut building = Self {
            batch,
            fleet: Fleet::default(),
            liveness: Liveness::new(180 * second, 600 * second, second),
            run: RunId(uuid::Uuid::from_u128(1)),
            builder: "builder@fast".parse().expect("a name"),
            numbers: BTreeMap::new(),
            offset: 0,
            now: 0,
            running: BinaryHeap::new(),
        };
        for number in 0..batch.jobs.len() {
            if let Some(duration) = known(number) {
                let package = name(number).category_package;
                building.fleet.durations.insert(package, duration);
            }
        }
        building.begin(slots);
        building
    }

    fn begin(&mut self, slots: u16) {
        let guest = "guest".parse().expect("a name");
        let platform: PlatformName = "default".parse().expect("a name");
        let variable = |name: &str| match name {
            "CHOST" => Some("x86_64-pc-linux-gnu"),
            "ARCH" => Some("amd64"),
            _ => Some(""),
        };
        self.say(Event::WorkerRegistered(WorkerRegistered {
            worker: self.builder.clone(),
            role: Role::Builder,
            queues: vec!["build.default".to_owned()],
            machine: Some(BuilderMachine {
                builder: "fast".parse().expect("a name"),
                platform: platform.clone(),
                // It has told what it is when it is asked to build.
                compiles_as: Platform::from_variables(variable, BTreeSet::new()).ok(),
                slots: Some(slots),
                capacity: None,
            }),
        }));
        self.say(Event::RunRequested(RunRequested {
            run: self.run,
            kind: RunKind::Update,
            more_rounds: 0,
            retries: 0,
            follows: None,
            guests: BTreeMap::from([("guest".parse().expect("a name"), platform)]),
            force: false,
            sync: Default::default(),
            rollout: Default::default(),
            schedule: None,
        }));
        let updates = (0..self.batch.jobs.len()).map(|number| Arc::new(update(self.batch, number)));
        self.say(Event::GuestScanned(GuestScanned {
            run: self.run,
            guest,
            attempt: 1,
            identity: Identity::default(),
            updates: updates.collect(),
            installed: Vec::new(),
            findings: Vec::new(),
            unchanged_since: None,
            unsettled: false,
        }));
        self.obey();
        let run = self.fleet.runs.get(&self.run).expect("the run");
        for job in run.jobs.as_ref().expect("the batch is planned").values() {
            let package = job.key.cpv.package().as_str();
            let number = package.rsplit('_').next().expect("a number");
            let number = number.parse().expect("a number");
            self.numbers.insert(job.id.clone(), number);
        }
    }

    fn say(&mut self, event: Event) {
        let at = i64::try_from(self.now).expect("a short time");
        let at = Timestamp::from_millisecond(1_700_000_000_000 + at).expect("a time");
        let envelope = Envelope::new(self.builder.clone(), at, event);
        self.fleet.apply(self.offset, &envelope);
        self.offset += 1;
    }

    /// Does what is decided.
    fn obey(&mut self) {
        observe(&self.fleet, &mut self.liveness);
        for order in decide(
            &self.fleet,
            &self.liveness,
            &Patience::default(),
            Timestamp::now(),
        ) {
            match order {
                Order::Publish(event @ Event::BatchPlanned(_)) => self.say(event),
                Order::Issue(Command::BuildPackage(build)) => self.start(build),
                _ => {}
            }
        }
    }

    fn start(&mut self, build: BuildPackage) {
        let number = self
            .numbers
            .get(&build.job.id)
            .copied()
            .expect("a job of the batch");
        let duration = self.batch.jobs.get(number).expect("a job").duration;
        let id = build.job.id.clone();
        let command = Command::BuildPackage(build);
        self.say(Event::CommandIssued(CommandIssued {
            command: command.id().expect("a command is JSON"),
            work: command.work(),
            queue: "build.default".to_owned(),
        }));
        self.say(Event::WorkStarted(WorkStarted {
            work: command.work(),
            worker: self.builder.clone(),
            builder: None,
        }));
        self.running
            .push(Reverse((self.now + duration, number, id)));
    }

    /// Builds all, and gives the time that it took, in milliseconds. The store is empty.
    pub(crate) fn build(mut self) -> u64 {
        self.say(Event::StoreSearched(StoreSearched {
            run: self.run,
            platform: "default".parse().expect("a name"),
            attempt: 1,
            builder: "fast".parse().expect("a name"),
            held: BTreeMap::new(),
        }));
        self.obey();
        let mut built = 0;
        while let Some(Reverse((at, number, job))) = self.running.pop() {
            self.now = at;
            built += 1;
            let cpv = name(number);
            let path = format!("{}/{}-1.gpkg.tar", cpv.category_package, cpv.pf());
            self.say(Event::PackageBuilt(PackageBuilt {
                run: self.run,
                job,
                attempt: 1,
                builder: "fast".parse().expect("a name"),
                binary: Binary {
                    slot: "0".parse().expect("a slot"),
                    build_id: 1,
                    build_time: 1,
                    path: path.parse().expect("a path"),
                    size: 1,
                    sha256: HexDigest::sha256(cpv.to_string().as_bytes()),
                    contents: Contents::default(),
                    signed_by: None,
                    cpv,
                },
                reused: true,
                duration_ms: 0,
                log_path: None,
                findings: Vec::new(),
            }));
            self.obey();
        }
        assert_eq!(built, self.batch.jobs.len(), "every job is built once");
        self.now
    }

    /// What waits for what, and the place of each job of the batch in it.
    pub(crate) fn graph(&self) -> (&Graph, Vec<usize>) {
        let run = self.fleet.runs.get(&self.run).expect("the run");
        let graph = run.graph().expect("the batch is planned");
        let numbers = graph.ids().iter().map(|id| self.numbers.get(id).copied());
        (
            graph,
            numbers.map(|number| number.expect("a job")).collect(),
        )
    }
}

/// The same with builders that take what can be built first, first.
pub(crate) fn first_in_first_out(building: &Building<'_>, slots: u16) -> u64 {
    let (graph, numbers) = building.graph();
    let mut missing: Vec<usize> = (0..graph.len())
        .map(|place| graph.waits_for(place).len())
        .collect();
    let mut queue: VecDeque<usize> = (0..graph.len())
        .filter(|p| missing.get(*p) == Some(&0))
        .collect();
    let (mut now, mut running) = (0, BinaryHeap::new());
    let mut built = 0;
    loop {
        while running.len() < usize::from(slots) {
            let Some(place) = queue.pop_front() else {
                break;
            };
            let job = numbers
                .get(place)
                .and_then(|number| building.batch.jobs.get(*number));
            running.push(Reverse((now + job.expect("a job").duration, place)));
        }
        let Some(Reverse((at, place))) = running.pop() else {
            break;
        };
        (now, built) = (at, built + 1);
        for next in graph.releases(place) {
            let left = missing.get_mut(*next).expect("a job");
            *left -= 1;
            if *left == 0 {
                queue.push_back(*next);
            }
        }
    }
    assert_eq!(built, graph.len(), "every job is built once");
    now
}
