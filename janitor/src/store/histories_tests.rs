//! Over generated histories of a fleet nothing is ever deleted that somebody needs.
//!
//! The history is made of the fleet's own events, and what is needed is read from them. What guests have,
//! and could go back to, the test knows by itself. The store is collected by an operator, and at the end of
//! each run, before that is said to be over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::*;
use gentoo_updater_portage::build_key::HexDigest;
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_runtime::vdb::{Build, Installed};
use proptest::prelude::*;
use uuid::Uuid;

use super::catalog::{Catalog, Stored, Total};
use super::collect::{Cause, JUST_COME, Limits, decide};
use super::collection::without_asking;
use super::fleet::judge;
use super::orphans::Orphan;
use super::testing;
use super::told::Told;

const PACKAGES: usize = 5;
const SIZE: u64 = 100;
const DAY: u64 = 24 * 3600;

/// A binary: which package, which version, which number.
type Binaries = BTreeMap<usize, (u32, u32)>;

/// Something that happens.
#[derive(Debug, Clone)]
enum Happening {
    /// Packages get a new version, or the same one is built anew, and guests install them. Some
    /// guests fail.
    Update {
        newer: BTreeSet<usize>,
        rebuilt: BTreeSet<usize>,
        failing: BTreeSet<usize>,
        /// What is built anew for a further round, where there is one.
        further: Option<usize>,
    },
    /// A run only asks.
    Scan,
    /// A guest comes, with the newest of everything.
    NewGuest,
    /// A guest is switched off or on.
    Switched(usize),
    /// A builder dies when the binary of a package is in the store, and before its record is.
    Crashed(usize),
    /// The record of the newest binary of a package gets lost, whoever has it installed.
    RecordLost(usize),
    /// A guest goes back to what it had before one of the updates that count, and is asked.
    Rollback(usize, usize),
    /// Time passes.
    Days(u64),
    /// The store is collected, with a budget of so many binaries.
    Collected(Option<u64>),
}

fn happening() -> impl Strategy<Value = Happening> {
    let some = || proptest::collection::btree_set(0..PACKAGES, 0..3);
    let guests = proptest::collection::btree_set(0..4_usize, 0..2);
    let further = proptest::option::of(0..PACKAGES);
    let budget = proptest::option::of(0..20_u64);
    let update =
        (some(), some(), guests, further).prop_map(|(newer, rebuilt, failing, further)| {
            Happening::Update {
                newer,
                rebuilt,
                failing,
                further,
            }
        });
    prop_oneof![
        6 => update,
        1 => Just(Happening::Scan),
        1 => Just(Happening::NewGuest),
        2 => (0..4_usize).prop_map(Happening::Switched),
        2 => (0..PACKAGES).prop_map(Happening::Crashed),
        2 => (0..PACKAGES).prop_map(Happening::RecordLost),
        2 => (0..4_usize, 0..3_usize).prop_map(|(guest, back)| Happening::Rollback(guest, back)),
        4 => (0..50_u64).prop_map(Happening::Days),
        6 => budget.prop_map(Happening::Collected),
    ]
}

#[derive(Debug, Clone)]
struct Guest {
    has: Binaries,
    is_off: bool,
}

/// A fleet, its store, and what really is.
struct World {
    told: Told,
    runs: u128,
    now: u64,
    newest: Binaries,
    guests: Vec<Guest>,
    store: BTreeMap<(usize, u32, u32), Stored>,
    /// Which of them no record names.
    without_record: BTreeSet<(usize, u32, u32)>,
    /// The last number of each version that was given to a build.
    numbers: BTreeMap<(usize, u32), u32>,
    /// What guests had before each update that asked them.
    before: Vec<Vec<Option<Binaries>>>,
    /// What each update built, with its further round.
    built: Vec<Vec<(usize, u32, u32)>>,
    /// Whether runs collect the store, with a budget of so many bytes.
    at_the_end: Option<Option<u64>>,
    /// How many updates count.
    updates: usize,
    collected: usize,
    deleted: usize,
    orphans_went: usize,
}

fn name(guest: usize) -> GuestName {
    format!("g{guest}").parse().unwrap()
}

fn platform() -> PlatformName {
    "default".parse().unwrap()
}

fn cpv(package: usize, version: u32) -> Cpv {
    format!("a/p{package}-{version}").parse().unwrap()
}

impl World {
    fn new(updates: usize, at_the_end: Option<Option<u64>>) -> Self {
        let mut world = Self {
            told: Told::default(),
            runs: 0,
            now: 1_700_000_000,
            newest: (0..PACKAGES).map(|package| (package, (1, 1))).collect(),
            guests: Vec::new(),
            store: BTreeMap::new(),
            without_record: BTreeSet::new(),
            numbers: BTreeMap::new(),
            before: Vec::new(),
            built: Vec::new(),
            at_the_end,
            updates,
            collected: 0,
            deleted: 0,
            orphans_went: 0,
        };
        for (package, (version, _)) in world.newest.clone() {
            let id = world.number(package, version);
            world.build(package, version, id);
        }
        for _ in 0..2 {
            world.happens(&Happening::NewGuest);
        }
        world
    }

    fn say(&mut self, event: &Event) {
        self.told.event(event);
    }

    fn number(&mut self, package: usize, version: u32) -> u32 {
        let last = self.numbers.entry((package, version)).or_default();
        *last += 1;
        *last
    }

    fn build(&mut self, package: usize, version: u32, build_id: u32) -> Binary {
        let cpv = cpv(package, version);
        let path = format!("a/p{package}/p{package}-{version}-{build_id}.gpkg.tar");
        let path: StorePath = path.parse().unwrap();
        let key = HexDigest::sha256(path.as_str().as_bytes());
        let stored = Stored {
            key: key.clone(),
            cpv: cpv.clone(),
            build_id,
            path: path.clone(),
            size: SIZE,
            modified: self.now,
        };
        self.store.insert((package, version, build_id), stored);
        Binary {
            cpv,
            slot: "0".parse().unwrap(),
            build_id,
            build_time: self.now,
            path,
            size: SIZE,
            sha256: key,
            contents: Contents::default(),
            signed_by: None,
        }
    }

    fn begin(&mut self, kind: RunKind, follows: Option<RunId>) -> RunId {
        self.runs += 1;
        let run = RunId(Uuid::from_u128(
            0x0190_0000_0000_7000_8000_0000_0000_0000 + self.runs,
        ));
        let guests = (0..self.guests.len()).map(|guest| (name(guest), platform()));
        self.say(&Event::RunRequested(RunRequested {
            run,
            kind,
            more_rounds: 0,
            follows,
            retries: 0,
            guests: guests.collect(),
            force: false,
            sync: ToSync::default(),
        }));
        for guest in 0..self.guests.len() {
            let Guest { has, is_off } = self.guests[guest].clone();
            if is_off {
                continue;
            }
            let package = |(package, (version, id)): (&usize, &(u32, u32))| {
                Arc::new(InstalledPackage {
                    cpv: cpv(*package, *version),
                    slot: "0".parse().unwrap(),
                    repository: None,
                    build_id: Some(*id),
                    bindings: Vec::new(),
                })
            };
            self.say(&Event::GuestScanned(GuestScanned {
                run,
                guest: name(guest),
                attempt: 1,
                identity: Identity::default(),
                updates: Vec::new(),
                installed: has.iter().map(package).collect(),
                findings: Vec::new(),
                unchanged_since: None,
            }));
        }
        run
    }

    fn end(&mut self, run: RunId) {
        self.say(&Event::RunFinished(RunFinished {
            run,
            outcome: RunOutcome::Complete,
            retries: 0,
        }));
        self.now += 60;
    }

    fn happens(&mut self, happening: &Happening) {
        match happening {
            Happening::Update {
                newer,
                rebuilt,
                failing,
                further,
            } => {
                self.update(newer, rebuilt, failing, *further);
            }
            Happening::Scan => {
                let run = self.begin(RunKind::ScanOnly, None);
                self.end(run);
            }
            Happening::NewGuest if self.guests.len() < 4 => {
                let has = self.newest.clone();
                let is_there = |(package, (version, id)): (&usize, &(u32, u32))| {
                    self.store.contains_key(&(*package, *version, *id))
                };
                // Whoever sets a guest up does so from what the store has.
                if has.iter().all(is_there) {
                    self.guests.push(Guest { has, is_off: false });
                }
            }
            Happening::NewGuest => {}
            Happening::Switched(guest) => {
                if let Some(guest) = self.guests.get_mut(*guest) {
                    guest.is_off = !guest.is_off;
                }
            }
            Happening::Crashed(package) => {
                let (version, _) = self.newest[package];
                let id = self.number(*package, version);
                self.build(*package, version, id);
                self.without_record.insert((*package, version, id));
            }
            Happening::RecordLost(package) => {
                let (version, id) = self.newest[package];
                if self.store.contains_key(&(*package, version, id)) {
                    self.without_record.insert((*package, version, id));
                }
            }
            Happening::Rollback(guest, back) => self.roll_back(*guest, *back),
            Happening::Days(days) => self.now += days * DAY,
            Happening::Collected(budget) => self.collect(budget.map(|files| files * SIZE), None),
        }
    }

    fn update(
        &mut self,
        newer: &BTreeSet<usize>,
        rebuilt: &BTreeSet<usize>,
        failing: &BTreeSet<usize>,
        further: Option<usize>,
    ) {
        // Who is off has no part in it, and nothing to go back to.
        let before = self
            .guests
            .iter()
            .map(|guest| (!guest.is_off).then(|| guest.has.clone()));
        self.before.push(before.collect());
        self.built.push(Vec::new());
        let mut run = self.begin(RunKind::Update, None);
        self.round(run, newer, rebuilt, failing);
        if let Some(package) = further {
            self.end(run);
            run = self.begin(RunKind::Update, Some(run));
            self.round(run, &BTreeSet::new(), &[package].into(), failing);
        }
        // The last round collects, when all else is done.
        if let Some(budget) = self.at_the_end {
            self.collect(budget, Some(run));
        }
        self.end(run);
    }

    /// Builds, and installs what was built.
    fn round(
        &mut self,
        run: RunId,
        newer: &BTreeSet<usize>,
        rebuilt: &BTreeSet<usize>,
        failing: &BTreeSet<usize>,
    ) {
        let mut fresh = Binaries::new();
        for package in newer.union(rebuilt).copied() {
            let (version, _) = self.newest[&package];
            let version = version + u32::from(newer.contains(&package));
            let next = (version, self.number(package, version));
            self.newest.insert(package, next);
            fresh.insert(package, next);
            let binary = self.build(package, next.0, next.1);
            let update = self.built.last_mut().expect("an update");
            update.push((package, next.0, next.1));
            let key = testing::key(&binary.cpv.to_string(), next.1);
            self.say(&Event::PackageBuilt(PackageBuilt {
                run,
                job: JobId::of(&platform(), &key),
                attempt: 1,
                builder: "b1".parse().unwrap(),
                binary,
                reused: false,
                duration_ms: 1,
                findings: Vec::new(),
                log_path: None,
            }));
        }
        for (number, guest) in self.guests.iter_mut().enumerate() {
            if !guest.is_off && !failing.contains(&number) {
                guest.has.extend(&fresh);
            }
        }
    }

    fn roll_back(&mut self, guest: usize, back: usize) {
        let counted = self.before.iter().rev().take(self.updates);
        let former = counted.clone().nth(back).and_then(|all| all.get(guest));
        let Some(former) = former.cloned().flatten() else {
            return;
        };
        let Some(own) = self.guests.get_mut(guest).filter(|guest| !guest.is_off) else {
            return;
        };
        own.has = former;
        self.check("a rollback");
        let run = self.begin(RunKind::ScanOnly, None);
        self.end(run);
    }

    /// By an operator, or at the end of a run.
    fn collect(&mut self, budget: Option<u64>, run: Option<RunId>) {
        let mut told = self.told.clone();
        if let Some(run) = run {
            told.ends(run);
        }
        let answers = self.guests.iter().enumerate().map(|(number, guest)| {
            let told = match guest.is_off {
                true => Err(Failure::new(FailureClass::Transient, "Unreachable", "off")),
                false => Ok(installed(&guest.has)),
            };
            (name(number), told)
        });
        let answer = judge(answers.collect(), &told, self.updates);
        if !answer.unknown.is_empty() {
            return;
        }
        let is_orphan = |number: &(usize, u32, u32)| self.without_record.contains(number);
        let recorded = self.store.iter().filter(|(number, _)| !is_orphan(number));
        let orphans = self.store.iter().filter(|(number, _)| is_orphan(number));
        let orphan = |((package, ..), stored): (&(usize, u32, u32), &Stored)| Orphan {
            stored: stored.clone(),
            sha256: stored.key.clone(),
            is_duplicate: package % 2 == 0,
        };
        let catalog = Catalog {
            ours: recorded.map(|(_, stored)| stored.clone()).collect(),
            orphans: orphans.map(orphan).collect(),
            foreign: Total {
                files: 1,
                bytes: 50,
            },
            ..Catalog::default()
        };
        let limits = Limits {
            days: 30,
            bytes: budget,
        };
        let decision = decide(&catalog, &answer.needed, &limits, self.now);
        let unasked = without_asking(&catalog, &told, self.updates, &limits, self.now);
        if let Some(unasked) = unasked {
            assert_eq!(unasked.removals, decision.removals, "whatever guests have");
            assert_eq!(unasked.too_large_by, decision.too_large_by);
        }
        let gone: BTreeSet<StorePath> = decision.paths().cloned().collect();
        let (loose, kept) = (decision.too_large_by, decision.kept);
        self.orphans_went += decision
            .removals
            .iter()
            .filter(|removal| matches!(removal.cause, Cause::Orphan | Cause::Duplicate))
            .count();
        self.store.retain(|_, stored| !gone.contains(&stored.path));
        let store = &self.store;
        self.without_record
            .retain(|number| store.contains_key(number));
        self.collected += 1;
        self.deleted += gone.len();
        self.check("a collection");

        // It ends within its budget unless all that is left cannot go.
        let left: u64 = self.store.values().map(|stored| stored.size).sum::<u64>() + 50;
        assert_eq!(loose, budget.map_or(0, |most| left.saturating_sub(most)));
        let may_go = |stored: &Stored| {
            let is_new = self.now - stored.modified < JUST_COME;
            answer.needed.why(&stored.cpv, stored.build_id).is_none() && !is_new
        };
        let can_go = self.store.values().filter(|stored| may_go(stored)).count();
        let orphans = self.without_record.iter();
        assert!(
            !orphans.map(|number| &self.store[number]).any(may_go),
            "an orphan that nobody needs stays"
        );
        assert!(loose == 0 || can_go == 0, "{can_go} more could go");
        assert!(
            kept.young.files >= can_go as u64,
            "what is young is counted"
        );
    }

    /// What guests have is there, what they had before the updates that count, and what those built.
    fn check(&self, after: &str) {
        for built in self.built.iter().rev().take(self.updates).flatten() {
            assert!(
                self.store.contains_key(built),
                "after {after} {built:?} is gone"
            );
        }
        let now = self.guests.iter().map(|guest| &guest.has);
        let former = self.before.iter().rev().take(self.updates);
        for has in now.chain(former.flatten().flatten()) {
            for (package, (version, id)) in has {
                assert!(
                    self.store.contains_key(&(*package, *version, *id)),
                    "after {after} p{package}-{version}-{id} is gone"
                );
            }
        }
    }
}

fn installed(has: &Binaries) -> Installed {
    let build = |(package, (version, id)): (&usize, &(u32, u32))| {
        let build = Build {
            id: Some(*id),
            time: Some(1),
        };
        (cpv(*package, *version), build)
    };
    has.iter().map(build).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_goes_that_a_guest_a_run_or_a_rollback_needs(
        updates in 1..=3_usize,
        at_the_end in proptest::option::of(proptest::option::of(0..20_u64)),
        happenings in proptest::collection::vec(happening(), 1..60),
    ) {
        let at_the_end = at_the_end.map(|budget| budget.map(|files| files * SIZE));
        let mut world = World::new(updates, at_the_end);
        for happening in &happenings {
            world.happens(happening);
        }
    }
}

/// The test above could pass because nothing is ever deleted.
#[test]
fn much_goes_of_a_history_without_accidents() {
    let mut world = World::new(2, None);
    for number in 0..20 {
        let update = Happening::Update {
            newer: [number % PACKAGES, (number + 2) % PACKAGES].into(),
            rebuilt: [(number + 1) % PACKAGES].into(),
            failing: BTreeSet::new(),
            further: None,
        };
        world.happens(&update);
        world.happens(&Happening::Crashed(number % PACKAGES));
        world.happens(&Happening::Days(10));
        world.happens(&Happening::Collected(None));
    }
    assert_eq!(world.collected, 20);
    // Of 65 binaries stay the newest five, what the last two updates replaced, and a month's.
    assert!(world.deleted > 60, "{} went", world.deleted);
    assert_eq!(world.orphans_went, 20);
}

/// Nobody has to ask for it.
#[test]
fn runs_alone_keep_a_store_as_small_as_an_operator_does() {
    let update = |number: usize| Happening::Update {
        newer: [number % PACKAGES, (number + 2) % PACKAGES].into(),
        rebuilt: [(number + 1) % PACKAGES].into(),
        failing: BTreeSet::new(),
        further: Some((number + 3) % PACKAGES),
    };
    let mut by_runs = World::new(2, Some(None));
    let mut by_hand = World::new(2, None);
    for number in 0..20 {
        for world in [&mut by_runs, &mut by_hand] {
            world.happens(&update(number));
        }
        by_hand.happens(&Happening::Collected(None));
        assert_eq!(by_runs.store.len(), by_hand.store.len());
        for world in [&mut by_runs, &mut by_hand] {
            world.happens(&Happening::Days(10));
        }
    }
    assert!(by_runs.deleted > 40, "{} went", by_runs.deleted);
}
