//! The configuration of the simulated fleets.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gentoo_updater_fleet::config::{self, Settings};

/// `policy.lease_seconds` of these fleets.
pub const LEASE: Duration = Duration::from_secs(12);

const CONFIGURATION: &str = "
[builders.b1]
address = \"ssh://root@b1\"
[guests.g1]
address = \"ssh://root@g1\"
# The first builder of each fleet is too small for these.
[[packages]]
atom = \"cat/p1\"
memory_megabytes = 8000
[[packages]]
atom = \"cat/p3\"
memory_megabytes = 6000
[policy]
heartbeat_seconds = 4
lease_seconds = 12
retry_delay_seconds = 1
unserved_seconds = 90
grace_seconds = 3
";

/// The settings, which all schedules share.
pub fn settings() -> Arc<Settings> {
    static SETTINGS: OnceLock<Arc<Settings>> = OnceLock::new();
    let load = || {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), CONFIGURATION).expect("a file that can be written");
        Arc::new(config::load(file.path()).expect("the configuration of the simulation"))
    };
    SETTINGS.get_or_init(load).clone()
}
