//! A fleet in the middle of a run: all guests have answered, half of the batch is built.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use gentoo_updater_bus::Bus;
use gentoo_updater_bus::embedded::Embedded;
use gentoo_updater_fleet::batch::{Answer, merge};
use gentoo_updater_fleet::message::{
    Batch, BatchPlanned, Binary, Contents, Envelope, Event, GuestScanned, GuestUpdated, Identity,
    Job, PackageBuilt, RunKind, RunRequested, Task, Update, WorkKey, WorkStarted,
};
use gentoo_updater_fleet::name::{GuestName, PlatformName, RunId};
use gentoo_updater_portage::build_key::HexDigest;
use jiff::Timestamp;

use crate::fleets::Plans;

const GUESTS: usize = 1000;
/// So many for each guest, of which every second one has patches of its own, come to a batch of about as many
/// jobs as are wanted.
const UPDATES: usize = 160;
const JOBS: usize = 5000;

/// The fleet, whose history this process writes.
pub(crate) struct Fleet {
    pub(crate) run: RunId,
    pub(crate) guests: Vec<GuestName>,
    /// By the order of their ids.
    pub(crate) jobs: Vec<Job>,
    /// How many of them are built.
    pub(crate) built: usize,
    bus: Embedded,
}

impl Fleet {
    /// Writes configuration and history into a folder.
    pub(crate) async fn begin(folder: &Path) -> Self {
        let mut plans = Plans::draw(GUESTS, UPDATES, true);
        patch(&mut plans);
        configure(folder, &plans);
        let platform: PlatformName = "default".parse().expect("a platform");
        let bus = Embedded::open(folder.join("state/journal.sqlite"))
            .await
            .expect("a journal");
        let answers = plans.guests.iter().map(|(guest, updates)| Answer {
            guest,
            platform: &platform,
            updates,
        });
        let mut batch = merge(&answers.collect::<Vec<_>>(), &BTreeMap::new());
        assert!(
            batch.jobs.len() >= JOBS,
            "the batch has {} jobs",
            batch.jobs.len()
        );
        cut(&mut batch);
        let mut jobs = batch.jobs.clone();
        jobs.sort_by(|a, b| a.id.cmp(&b.id));
        let guests = plans.guests.iter().map(|(name, _)| name.clone()).collect();
        let fleet = Self {
            run: RunId::generate(),
            guests,
            jobs,
            built: 0,
            bus,
        };
        fleet
            .say(Event::RunRequested(RunRequested {
                run: fleet.run,
                kind: RunKind::Update,
                guests: fleet
                    .guests
                    .iter()
                    .map(|name| (name.clone(), platform.clone()))
                    .collect(),
                force: false,
                sync: Default::default(),
                more_rounds: 0,
                follows: None,
                retries: 0,
                rollout: Default::default(),
                schedule: None,
            }))
            .await;
        for (guest, updates) in &plans.guests {
            fleet
                .say(Event::GuestScanned(GuestScanned {
                    run: fleet.run,
                    guest: guest.clone(),
                    attempt: 1,
                    identity: Identity::default(),
                    updates: updates.clone(),
                    installed: Vec::new(),
                    findings: Vec::new(),
                    unchanged_since: None,
                    unsettled: false,
                }))
                .await;
        }
        let run = fleet.run;
        fleet
            .say(Event::BatchPlanned(BatchPlanned { run, batch }))
            .await;
        let built = fleet.jobs.len() / 2;
        for place in 0..built {
            fleet.build(place).await;
        }
        Self { built, ..fleet }
    }

    /// A job is built.
    pub(crate) async fn build(&self, place: usize) {
        let job = &self.jobs[place];
        let binary = Binary {
            cpv: job.key.cpv.clone(),
            slot: job.key.slot.clone(),
            build_id: 1,
            build_time: 1_767_225_600,
            path: format!(
                "{}/{}-1.gpkg.tar",
                job.key.cpv.category_package,
                job.key.cpv.pf()
            )
            .parse()
            .expect("a path"),
            size: 1000,
            sha256: HexDigest::sha256(job.id.as_str().as_bytes()),
            contents: Contents::default(),
            signed_by: None,
        };
        self.say(Event::PackageBuilt(PackageBuilt {
            run: self.run,
            job: job.id.clone(),
            attempt: 1,
            builder: "b0".parse().expect("a builder"),
            binary,
            reused: false,
            duration_ms: 1000,
            findings: Vec::new(),
            log_path: None,
        }))
        .await;
    }

    /// A worker begins to build a job.
    pub(crate) async fn claim(&self, place: usize) {
        self.say(Event::WorkStarted(WorkStarted {
            work: WorkKey {
                run: self.run,
                task: Task::Build(self.jobs[place].id.clone()),
                attempt: 1,
            },
            worker: "builder@b0".parse().expect("a worker"),
            builder: Some("b0".parse().expect("a builder")),
        }))
        .await;
    }

    /// A guest has its updates.
    pub(crate) async fn update(&self, guest: &GuestName) {
        self.say(Event::GuestUpdated(GuestUpdated {
            run: self.run,
            guest: guest.clone(),
            attempt: 1,
            changes: Vec::new(),
            held: Vec::new(),
            findings: Vec::new(),
        }))
        .await;
    }

    async fn say(&self, event: Event) {
        let envelope = Envelope::new(
            "bench@1".parse().expect("a worker"),
            Timestamp::now(),
            event,
        );
        self.bus.publish(&envelope).await.expect("a journal");
    }
}

/// Gives every second guest a `package.env` of its own, so that it shares binaries with the like of it alone.
fn patch(plans: &mut Plans) {
    let digest = HexDigest::sha256(b"patched");
    let mut patched: BTreeMap<*const Update, Arc<Update>> = BTreeMap::new();
    for (_, updates) in plans.guests.iter_mut().step_by(2) {
        for update in updates {
            let own = patched.entry(Arc::as_ptr(update)).or_insert_with(|| {
                let mut own = update.as_ref().clone();
                Arc::make_mut(&mut own.key).environment_digest = Some(digest.clone());
                Arc::new(own)
            });
            *update = own.clone();
        }
    }
}

/// Leaves as many jobs as are wanted; what the others would have been is nobody's business then.
fn cut(batch: &mut Batch) {
    batch.jobs.truncate(JOBS);
    let known: std::collections::BTreeSet<_> =
        batch.jobs.iter().map(|job| job.id.clone()).collect();
    for job in &mut batch.jobs {
        job.build_needs.retain(|id| known.contains(id));
        job.runtime_needs.retain(|id| known.contains(id));
    }
    for plan in batch.guests.values_mut() {
        if let Some(wants) = &mut plan.wants {
            wants.retain(|_, id| known.contains(id));
        }
    }
}

fn configure(folder: &Path, plans: &Plans) {
    let mut text = format!(
        "state_directory = \"{0}/state\"\n[platforms.default]\nstore = \"{0}/store\"\n\
         [builders.b0]\naddress = \"local\"\n",
        folder.display()
    );
    for (name, _) in &plans.guests {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "[guests.{name}]\naddress = \"ssh://{name}\"");
    }
    std::fs::write(folder.join("fleet.toml"), text).expect("a configuration is written");
}
