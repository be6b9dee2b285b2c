//! What becomes of the files that builds leave on a builder beside packages.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::fragment::PolicyFragment;
use super::invalid::Invalid;

/// What becomes of files that builds left on the machine itself and no package owns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CruftPolicy {
    /// They are archived on the builder and removed.
    #[default]
    Archive,
    /// They are named, and stay.
    Report,
    /// Nobody looks for them.
    Off,
}

/// What is never looked at: logs and temporary files, what Portage keeps for itself, and what
/// gentoo-updater does.
pub const ALWAYS_LEFT: &[&str] = &[
    "/run",
    "/tmp",
    "/usr/portage",
    "/var/cache/binpkgs",
    "/var/cache/ccache",
    "/var/cache/distfiles",
    "/var/cache/edb",
    "/var/db/pkg",
    "/var/db/repos",
    "/var/lib/gentoo",
    "/var/lib/gentoo-updater",
    "/var/lib/portage",
    "/var/lock",
    "/var/log",
    "/var/run",
    "/var/tmp",
];

/// How files are dealt with that builds leave beside packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CruftSettings {
    /// What becomes of them.
    pub policy: CruftPolicy,
    /// The folders in which they are looked for.
    pub folders: Vec<PathBuf>,
    /// Files and folders that are left alone, beside [`ALWAYS_LEFT`].
    pub except: Vec<PathBuf>,
    /// For how many days their archives are kept.
    pub keep_days: u32,
}

impl CruftSettings {
    pub(super) fn check(policy: &PolicyFragment) -> Result<Self, Invalid> {
        let usual = || ["/etc", "/usr", "/var", "/opt"].map(PathBuf::from).to_vec();
        let folders = policy.cruft_folders.clone().unwrap_or_else(usual);
        let except = policy.cruft_except.clone().unwrap_or_default();
        for (key, path) in folders
            .iter()
            .map(|path| ("policy.cruft_folders", path))
            .chain(except.iter().map(|path| ("policy.cruft_except", path)))
        {
            if !is_below_root(path) {
                return Err(Invalid::NoFolderBelowRoot {
                    key,
                    path: path.display().to_string(),
                });
            }
        }
        let kind = policy.cruft.unwrap_or_default();
        let always = ALWAYS_LEFT.iter().map(Path::new);
        let left: Vec<&Path> = always.chain(except.iter().map(PathBuf::as_path)).collect();
        let is_left = |folder: &PathBuf| left.iter().any(|one| folder.starts_with(one));
        if kind != CruftPolicy::Off && folders.iter().all(is_left) {
            return Err(Invalid::NothingToLookAt);
        }
        Ok(Self {
            policy: kind,
            folders,
            except,
            keep_days: policy.keep_cruft_days.unwrap_or(90),
        })
    }
}

/// Whether it is an absolute path to something below the root.
fn is_below_root(path: &Path) -> bool {
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    path.is_absolute() && path.components().count() > 1 && path.components().all(is_plain)
}
