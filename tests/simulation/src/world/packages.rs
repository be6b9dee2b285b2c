//! What there is to update: packages that need each other in chains, diamonds and rings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gentoo_updater_fleet::message::{
    Change, GuestScanned, Identity, InstalledPackage, Purpose, ScanGuest, SubslotBinding, Update,
};
use gentoo_updater_fleet::name::{GuestName, JobId, PlatformName};
use gentoo_updater_portage::build_key::{BuildKey, HexDigest};
use gentoo_updater_portage::compact::CompactSet;
use gentoo_updater_portage::cpv::Cpv;

use super::machines::JobFate;
use crate::random::Dice;

/// What each guest needs, and what becomes of each job.
#[derive(Debug)]
pub struct Packages {
    plans: BTreeMap<GuestName, Vec<Arc<Update>>>,
    fates: BTreeMap<JobId, JobFate>,
}

struct Drawn {
    cpv: Cpv,
    build_needs: BTreeSet<usize>,
    runtime_needs: BTreeSet<usize>,
    is_library: bool,
    build_only: bool,
}

fn cpv(number: usize, version: u32) -> Cpv {
    let text = format!("cat/p{number}-{version}");
    text.parse().expect("a package and its version")
}

impl Packages {
    pub(super) fn draw<'a>(dice: &Dice, guests: impl Iterator<Item = &'a GuestName>) -> Self {
        let packages = draw_packages(dice);
        let platform = platform();
        let mut plans = BTreeMap::new();
        let mut fates = BTreeMap::new();
        for (index, guest) in guests.enumerate() {
            let wanted = wanted(dice, &packages, index == 0);
            let plan: Vec<Update> = wanted
                .iter()
                .map(|number| update(dice, &packages, *number, &wanted))
                .collect();
            for update in &plan {
                let job = JobId::of(&platform, &update.key);
                fates.entry(job).or_insert_with(|| fate(dice));
            }
            let plan: Vec<_> = plan.into_iter().map(Arc::new).collect();
            plans.insert(guest.clone(), plan);
        }
        Self { plans, fates }
    }

    /// What becomes of a job.
    pub fn fate(&self, job: &JobId) -> JobFate {
        self.fates.get(job).copied().unwrap_or(JobFate::Good)
    }

    /// How many jobs there are to build.
    pub fn jobs(&self) -> usize {
        self.fates.len()
    }

    /// What a guest answers.
    pub(super) fn answer(&self, scan: &ScanGuest) -> GuestScanned {
        let updates = self.plans.get(&scan.guest).cloned().unwrap_or_default();
        let installed = updates.iter().map(|update| Arc::new(installed(update)));
        let installed = installed.collect();
        GuestScanned {
            run: scan.run,
            guest: scan.guest.clone(),
            attempt: scan.attempt,
            identity: Identity::default(),
            updates,
            installed,
            findings: Vec::new(),
            unchanged_since: None,
            unsettled: false,
        }
    }
}

/// The one platform of these fleets.
pub fn platform() -> PlatformName {
    "default".parse().expect("a name of a platform")
}

fn draw_packages(dice: &Dice) -> Vec<Drawn> {
    let count = usize::try_from(dice.between(8, 12)).unwrap_or(8);
    let rings = dice.per_mille(250);
    let draw = |number: usize| {
        let mut drawn = Drawn {
            cpv: cpv(number, 2),
            build_needs: BTreeSet::new(),
            runtime_needs: BTreeSet::new(),
            is_library: dice.per_mille(250),
            build_only: dice.per_mille(80),
        };
        for other in 0..count {
            // Needs of builds lead to earlier packages only, but where there are rings.
            let leads_back = other < number || (rings && dice.per_mille(60));
            if other != number && leads_back && dice.per_mille(220) {
                drawn.build_needs.insert(other);
            }
            if other != number && dice.per_mille(80) {
                drawn.runtime_needs.insert(other);
            }
        }
        drawn
    };
    (0..count).map(draw).collect()
}

/// The packages that a guest wants, with all that they need.
fn wanted(dice: &Dice, packages: &[Drawn], all: bool) -> BTreeSet<usize> {
    let mut wanted: BTreeSet<usize> = (0..packages.len())
        .filter(|_| all || dice.per_mille(600))
        .collect();
    let mut open: Vec<usize> = wanted.iter().copied().collect();
    while let Some(number) = open.pop() {
        let drawn = &packages[number];
        for need in drawn.build_needs.iter().chain(&drawn.runtime_needs) {
            if wanted.insert(*need) {
                open.push(*need);
            }
        }
    }
    wanted
}

fn update(dice: &Dice, packages: &[Drawn], number: usize, wanted: &BTreeSet<usize>) -> Update {
    let drawn = &packages[number];
    let names = |needs: &BTreeSet<usize>| -> CompactSet<Cpv> {
        let needs = needs.intersection(wanted);
        needs.map(|need| packages[*need].cpv.clone()).collect()
    };
    let bindings = drawn
        .build_needs
        .iter()
        .filter(|need| packages[**need].is_library)
        .map(|need| {
            let target = format!("cat/p{need}").parse().expect("a package");
            (target, "0/2".parse().expect("a slot"))
        });
    let slot = if drawn.is_library { "0/2" } else { "0" };
    let flag = "x".parse().expect("a flag");
    Update {
        key: BuildKey {
            cpv: drawn.cpv.clone(),
            slot: slot.parse().expect("a slot"),
            repository: "gentoo".parse().expect("a repository"),
            ebuild_digest: HexDigest::sha256(drawn.cpv.to_string().as_bytes()),
            use_flags: [(flag, dice.per_mille(150))].into(),
            bindings: bindings.collect(),
            environment_digest: None,
            kernel: None,
        }
        .into(),
        change: Change::Upgrade,
        previous: vec!["1".to_owned()],
        purpose: if drawn.build_only {
            Purpose::BuildOnly
        } else {
            Purpose::Runtime
        },
        build_needs: names(&drawn.build_needs),
        runtime_needs: names(&drawn.runtime_needs),
        accepts: Default::default(),
        download: None,
        switched_flags: BTreeSet::new(),
    }
}

/// What was there before the update.
pub fn installed(update: &Update) -> InstalledPackage {
    let name = &update.key.cpv.category_package;
    let before = format!("{name}-1");
    let bindings = update.key.bindings.keys().map(|target| SubslotBinding {
        package: target.category_package.clone(),
        slot: "0/1".parse().expect("a slot"),
    });
    InstalledPackage {
        cpv: before.parse().expect("a package and its version"),
        slot: "0".parse().expect("a slot"),
        repository: None,
        build_id: None,
        bindings: bindings.collect(),
    }
}

fn fate(dice: &Dice) -> JobFate {
    match dice.between(0, 49) {
        0 | 1 => JobFate::Broken,
        2 | 3 => JobFate::FailsFirst(1),
        4 | 5 => JobFate::FailsFirst(2),
        6 => JobFate::Deadly,
        _ => JobFate::Good,
    }
}
