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

/// How files are dealt with that builds leave beside packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CruftSettings {
    /// What becomes of them.
    pub policy: CruftPolicy,
    /// The folders in which they are looked for.
    pub folders: Vec<PathBuf>,
    /// Files and folders in these that are left alone, beside those that always are.
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
        Ok(Self {
            policy: policy.cruft.unwrap_or_default(),
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
