//! The configuration as it is written: everything optional, nothing checked but its form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;

use super::checks::CheckFragment;
use super::cruft::CruftPolicy;
use super::environment::EnvironmentFragment;
use super::notifications::NotificationFragment;
use super::packages::PackagesFragment;
use super::rollout::RolloutFragment;
use super::schedules::ScheduleFragment;
use super::settings::{Access, CleanRoom, Depclean, RestartServices, StoreAccess};
use crate::name::{
    BuilderName, CheckName, GuestName, NotificationName, PlatformName, ScheduleName,
};
use crate::rollout::Window;

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fragment {
    pub(super) state_directory: Option<PathBuf>,
    pub(super) broker: Option<BrokerFragment>,
    #[serde(default)]
    pub(super) history: HistoryFragment,
    #[serde(default)]
    pub(super) ssh: SshFragment,
    #[serde(default)]
    pub(super) platforms: BTreeMap<PlatformName, PlatformFragment>,
    #[serde(default)]
    pub(super) builders: BTreeMap<BuilderName, BuilderFragment>,
    #[serde(default)]
    pub(super) guests: BTreeMap<GuestName, GuestFragment>,
    #[serde(default)]
    pub(super) checks: BTreeMap<CheckName, CheckFragment>,
    #[serde(default)]
    pub(super) packages: Vec<PackagesFragment>,
    #[serde(default)]
    pub(super) rollout: RolloutFragment,
    #[serde(default)]
    pub(super) notifications: BTreeMap<NotificationName, NotificationFragment>,
    #[serde(default)]
    pub(super) schedules: BTreeMap<ScheduleName, ScheduleFragment>,
    #[serde(default)]
    pub(super) policy: PolicyFragment,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BrokerFragment {
    pub(super) url: String,
    pub(super) ca: Option<PathBuf>,
    pub(super) access: Option<Access>,
    pub(super) user_prefix: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryFragment {
    pub(super) days: Option<u32>,
    pub(super) megabytes: Option<u32>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SshFragment {
    pub(super) config: Option<PathBuf>,
    pub(super) known_hosts: Option<Vec<PathBuf>>,
    pub(super) identity_files: Option<Vec<PathBuf>>,
    pub(super) connect_timeout_seconds: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlatformFragment {
    pub(super) store: Option<PathBuf>,
    pub(super) sign: Option<bool>,
    pub(super) url: Option<String>,
    pub(super) url_ca: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BuilderFragment {
    pub(super) address: Option<String>,
    pub(super) platform: Option<PlatformName>,
    pub(super) sync: Option<bool>,
    pub(super) slots: Option<u16>,
    pub(super) clean_room: Option<CleanRoom>,
    #[serde(default)]
    pub(super) environment: EnvironmentFragment,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GuestFragment {
    pub(super) address: Option<String>,
    pub(super) platform: Option<PlatformName>,
    pub(super) any_flags: Option<bool>,
    pub(super) build_dependencies: Option<bool>,
    pub(super) sync: Option<bool>,
    pub(super) restart_services: Option<RestartServices>,
    pub(super) depclean: Option<Depclean>,
    pub(super) store: Option<StoreAccess>,
    pub(super) windows: Option<Vec<Window>>,
    pub(super) checks: Option<Vec<CheckName>>,
    pub(super) rollback: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyFragment {
    pub(super) attempts: Option<u32>,
    pub(super) retry_delay_seconds: Option<u64>,
    pub(super) lease_seconds: Option<u64>,
    pub(super) heartbeat_seconds: Option<u64>,
    pub(super) unserved_seconds: Option<u64>,
    pub(super) sync: Option<bool>,
    pub(super) sync_timeout_seconds: Option<u64>,
    pub(super) scan_timeout_seconds: Option<u64>,
    pub(super) build_timeout_seconds: Option<u64>,
    pub(super) build_memory_megabytes: Option<u64>,
    pub(super) build_log_megabytes: Option<u64>,
    pub(super) install_timeout_seconds: Option<u64>,
    pub(super) unreachable_seconds: Option<u64>,
    pub(super) store_wait_seconds: Option<u64>,
    pub(super) grace_seconds: Option<u64>,
    pub(super) parallel_scans: Option<u16>,
    pub(super) parallel_installs: Option<u16>,
    pub(super) min_free_megabytes: Option<u64>,
    pub(super) keep_binaries_days: Option<u32>,
    pub(super) keep_binaries_gigabytes: Option<u64>,
    pub(super) keep_binaries_runs: Option<u32>,
    pub(super) collect_stores: Option<bool>,
    pub(super) keep_distfiles_days: Option<u32>,
    pub(super) keep_build_logs_days: Option<u32>,
    pub(super) keep_build_logs_megabytes: Option<u32>,
    pub(super) cruft: Option<CruftPolicy>,
    pub(super) cruft_folders: Option<Vec<PathBuf>>,
    pub(super) cruft_except: Option<Vec<PathBuf>>,
    pub(super) keep_cruft_days: Option<u32>,
    pub(super) restart_services: Option<RestartServices>,
    pub(super) depclean: Option<Depclean>,
    pub(super) restart_also: Option<BTreeSet<String>>,
    pub(super) rollback: Option<bool>,
    pub(super) checks: Option<Vec<CheckName>>,
}
