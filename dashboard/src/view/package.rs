//! One package: where it was built, and who has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use gentoo_updater_fleet::inspect::{PlanProgress, job_progress};
use gentoo_updater_fleet::name::{BuilderName, GuestName, PlatformName, RunId};
use gentoo_updater_fleet::needs::Needs;
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_portage::name::CategoryPackage;
use serde::Serialize;

use super::past::{Past, PastBuild};

/// One package.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PackageDocument {
    /// Category and package.
    pub package: String,
    /// How long the newest build of it took, in milliseconds, or a builder's log says that it takes.
    pub duration_ms: Option<u64>,
    /// The builder whose log says that.
    pub learnt_from: Option<BuilderName>,
    /// What its builds need at least, as was learnt from those that had too little.
    pub needs: Needs,
    /// The jobs that build it, the newest run first.
    pub jobs: Vec<PackageJob>,
    /// Its builds of former runs, the newest first.
    pub former: Vec<PastBuild>,
    /// Who had which version when they were asked last.
    pub installed: Vec<InstalledOn>,
}

/// A job that builds a package.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PackageJob {
    /// The run.
    pub run: RunId,
    /// The first digits of its id.
    pub job: String,
    /// Package and version.
    pub cpv: String,
    /// The platform.
    pub platform: PlatformName,
    /// How far it is.
    pub progress: PlanProgress,
    /// How many guests want it.
    pub wanted_by: usize,
    /// How long its build took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Bytes of the binary.
    pub size: Option<u64>,
}

/// The guests that have a version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InstalledOn {
    /// Package and version.
    pub cpv: String,
    /// The guests.
    pub guests: Vec<GuestName>,
}

impl PackageDocument {
    /// This package; nothing where nothing is known of it.
    pub fn of(fleet: &Fleet, past: &Past, package: &CategoryPackage) -> Option<Self> {
        let mut jobs = Vec::new();
        for run in fleet.runs.values().rev() {
            let progress = run.progress();
            let all = run.jobs.iter().flat_map(|jobs| jobs.values());
            let of_it = all.filter(|job| job.key.cpv.category_package == *package);
            jobs.extend(of_it.map(|job| {
                let built = run.built.get(&job.id);
                PackageJob {
                    run: run.id,
                    job: job.id.short().to_owned(),
                    cpv: job.key.cpv.to_string(),
                    platform: job.platform.clone(),
                    progress: job_progress(run, &job.id, progress.get(&job.id)),
                    wanted_by: job.wanted_by.len(),
                    duration_ms: built.filter(|it| !it.reused).map(|it| it.duration_ms),
                    size: built.map(|it| it.binary.size),
                }
            }));
        }
        let builds = past.builds.iter().rev();
        let former: Vec<PastBuild> = builds
            .filter(|build| !fleet.runs.contains_key(&build.run) && build.is_of(package))
            .cloned()
            .collect();
        let installed = installed(fleet, package);
        let duration_ms = fleet.durations.get(package).copied();
        if jobs.is_empty() && former.is_empty() && installed.is_empty() && duration_ms.is_none() {
            return None;
        }
        Some(Self {
            package: package.to_string(),
            duration_ms,
            learnt_from: fleet.learnt_from.get(package).cloned(),
            needs: fleet.needs.get(package).copied().unwrap_or_default(),
            jobs,
            former,
            installed,
        })
    }
}

/// Of each guest what the newest run has heard.
fn installed(fleet: &Fleet, package: &CategoryPackage) -> Vec<InstalledOn> {
    let mut newest = BTreeMap::new();
    for run in fleet.runs.values().map(Arc::as_ref) {
        let heard = run.guests.iter();
        newest.extend(heard.filter_map(|(name, guest)| Some((name, guest.scan.as_ref()?))));
    }
    let mut versions: BTreeMap<String, Vec<GuestName>> = BTreeMap::new();
    for (name, scan) in newest {
        let of_it = scan.installed.iter();
        for installed in of_it.filter(|it| it.cpv.category_package == *package) {
            let guests = versions.entry(installed.cpv.to_string()).or_default();
            guests.push(name.clone());
        }
    }
    let versions = versions.into_iter();
    versions
        .map(|(cpv, guests)| InstalledOn { cpv, guests })
        .collect()
}
