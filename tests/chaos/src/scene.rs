//! What the guests of a synthetic fleet need.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gentoo_updater_fleet::message::{Change, GuestScanned, Identity, Purpose, ScanGuest, Update};
use gentoo_updater_fleet::name::{GuestName, JobId};
use gentoo_updater_portage::build_key::{BuildKey, HexDigest};
use gentoo_updater_portage::cpv::Cpv;
use serde::{Deserialize, Serialize};

/// What the guests need, and where the fleet keeps its things.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scene {
    /// The folder of the fleet: store, machines, and the record of what ran.
    pub folder: PathBuf,
    /// How long a build takes, in milliseconds.
    pub build_milliseconds: u64,
    /// What takes longer: a package by its name, or all builds of a machine. In milliseconds.
    pub slow: BTreeMap<String, u64>,
    /// What each guest needs.
    pub guests: BTreeMap<GuestName, BTreeSet<Cpv>>,
    /// What a package needs before it can be compiled, and when it runs.
    pub needs: BTreeMap<Cpv, BTreeSet<Cpv>>,
}

fn cpv(name: &str) -> Cpv {
    format!("app-chaos/{name}-1.0")
        .parse()
        .expect("a package of a scene")
}

fn packages(names: &str) -> BTreeSet<Cpv> {
    names
        .split(' ')
        .filter(|name| !name.is_empty())
        .map(cpv)
        .collect()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Scene {
    fn new(
        folder: &Path,
        build: Duration,
        guests: &[(&str, &str)],
        needs: &[(&str, &str)],
    ) -> Self {
        let guest = |name: &str| name.parse().expect("a guest of a scene");
        Self {
            folder: folder.to_owned(),
            build_milliseconds: milliseconds(build),
            slow: BTreeMap::new(),
            guests: guests
                .iter()
                .map(|(name, all)| (guest(name), packages(all)))
                .collect(),
            needs: needs
                .iter()
                .map(|(name, all)| (cpv(name), packages(all)))
                .collect(),
        }
    }

    /// Three guests whose needs are eight jobs, some of which wait for others.
    pub fn full(folder: &Path, build: Duration) -> Self {
        let guests = [
            ("g1", "zlib openssl curl git"),
            ("g2", "zlib curl nginx nano"),
            ("g3", "zlib openssl lua vim"),
        ];
        let needs = [
            ("curl", "zlib openssl"),
            ("git", "curl zlib"),
            ("nginx", "zlib"),
            ("vim", "lua"),
        ];
        Self::new(folder, build, &guests, &needs)
    }

    /// One guest and one job: for who runs through it often.
    pub fn small(folder: &Path, build: Duration) -> Self {
        Self::new(folder, build, &[("g1", "zlib")], &[])
    }

    /// One guest, and so many jobs, each of which needs the one before.
    pub fn chain(folder: &Path, jobs: usize) -> Self {
        let mut scene = Self::new(folder, Duration::ZERO, &[], &[]);
        let link = |number: usize| cpv(&format!("link{number}"));
        let guest = "g1".parse().expect("a guest of a scene");
        scene.guests.insert(guest, (0..jobs).map(link).collect());
        let needs = (1..jobs).map(|number| (link(number), BTreeSet::from([link(number - 1)])));
        scene.needs = needs.collect();
        scene
    }

    /// The same, with a package, or a machine, that takes longer.
    #[must_use]
    pub fn with_slow(mut self, name: &str, build: Duration) -> Self {
        self.slow.insert(name.to_owned(), milliseconds(build));
        self
    }

    /// The packages of all guests: each is one job, for all guests build them alike.
    pub fn jobs(&self) -> BTreeSet<&Cpv> {
        self.guests.values().flatten().collect()
    }

    /// How long this package takes to build on this machine.
    pub fn build_time(&self, package: &Cpv, machine: &str) -> Duration {
        let name = package.category_package.package.as_str();
        let slow = self.slow.get(name).or_else(|| self.slow.get(machine));
        Duration::from_millis(*slow.unwrap_or(&self.build_milliseconds))
    }

    /// Where a job's binary is when it is built.
    pub fn stored(&self, job: &JobId) -> PathBuf {
        self.folder.join("store").join(job.to_string())
    }

    /// The folder of a machine.
    pub fn machine(&self, name: &str) -> PathBuf {
        self.folder.join("machines").join(name)
    }

    /// The record of what ran: see [`crate::program`].
    pub fn record(&self) -> PathBuf {
        self.folder.join("record")
    }

    /// What a guest answers.
    pub fn answer(&self, scan: &ScanGuest) -> GuestScanned {
        let wanted = self.guests.get(&scan.guest).into_iter().flatten();
        GuestScanned {
            run: scan.run,
            guest: scan.guest.clone(),
            attempt: scan.attempt,
            identity: Identity::default(),
            updates: wanted
                .map(|package| Arc::new(self.update(scan, package)))
                .collect(),
            installed: Vec::new(),
            findings: Vec::new(),
            unchanged_since: None,
            unsettled: false,
        }
    }

    /// The ebuilds of every run are others, so that nothing of an earlier run is reused.
    fn update(&self, scan: &ScanGuest, package: &Cpv) -> Update {
        let needs = self.needs.get(package).cloned().unwrap_or_default();
        Update {
            key: BuildKey {
                cpv: package.clone(),
                slot: "0".parse().expect("a slot"),
                repository: "gentoo".parse().expect("a repository"),
                ebuild_digest: HexDigest::sha256(format!("{} {package}", scan.run).as_bytes()),
                use_flags: Default::default(),
                bindings: Default::default(),
                environment_digest: None,
                kernel: None,
            }
            .into(),
            change: Change::Upgrade,
            previous: Vec::new(),
            purpose: Purpose::Runtime,
            build_needs: needs.clone().into(),
            runtime_needs: needs.into(),
            accepts: Default::default(),
            download: None,
            switched_flags: BTreeSet::new(),
        }
    }

    /// Reads a scene.
    ///
    /// # Errors
    /// When the file cannot be read or is none.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Writes it, and makes the folders that it names.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn write(&self, path: &Path) {
        for folder in ["store", "machines"] {
            fs::create_dir_all(self.folder.join(folder)).expect("a folder of a test");
        }
        let text = serde_json::to_string(self).expect("a scene is written as JSON");
        fs::write(path, text).expect("a file of a test");
    }
}
