//! The configuration as the program works with it: complete and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::checks::Check;
use super::cruft::CruftSettings;
use super::environment::BuildEnvironment;
use super::notifications::Notification;
use super::packages::{BuildLimits, Packages};
use super::url::StoreUrl;
use crate::decide::Patience;
use crate::name::{
    BuilderName, CheckName, GuestName, NotificationName, PlatformName, ScheduleName,
};
use crate::rollout::Rollout;
use crate::schedule::Schedule;

/// The configuration of a fleet.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where this machine keeps claims, results and the journal.
    pub state_directory: PathBuf,
    /// The broker; absent where all roles run in one process.
    pub broker: Option<Broker>,
    /// How long the history keeps what happened.
    pub history: History,
    /// How to reach machines.
    pub ssh: Ssh,
    /// The platforms.
    pub platforms: BTreeMap<PlatformName, Platform>,
    /// The builders.
    pub builders: BTreeMap<BuilderName, Builder>,
    /// The guests.
    pub guests: BTreeMap<GuestName, Guest>,
    /// What can be looked at on guests.
    pub checks: BTreeMap<CheckName, Check>,
    /// How updates reach all of them.
    pub(super) rollout: Rollout,
    /// Who is told what.
    pub notifications: BTreeMap<NotificationName, Notification>,
    /// Runs by calendar.
    pub schedules: BTreeMap<ScheduleName, Schedule>,
    /// What is known of single packages.
    pub packages: Vec<Packages>,
    /// Times and numbers.
    pub policy: Policy,
}

/// Where the broker is, and who may do what on it.
#[derive(Clone)]
pub struct Broker {
    /// `amqp://user:password@host:port/vhost`, or `amqps://…`.
    pub url: String,
    /// The certificate authorities of the broker, in PEM, beside those of the system.
    pub ca: Option<PathBuf>,
    /// Whether each role and each guest has a user of its own.
    pub access: Access,
    /// What the names of those users begin with.
    pub user_prefix: String,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL holds a password.
        f.debug_struct("Broker")
            .field("ca", &self.ca)
            .field("access", &self.access)
            .field("user_prefix", &self.user_prefix)
            .finish_non_exhaustive()
    }
}

/// Who may do what on the broker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// All workers share one user, and trust each other.
    #[default]
    Shared,
    /// Each role and each guest has a user of its own, which may say and read only what is its
    /// business. Readers check who says what.
    Separate,
}

/// How long the history keeps what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Events that are older may go.
    pub days: u32,
    /// How large it may get, in megabytes (10^6 bytes).
    pub megabytes: u32,
}

impl Default for History {
    fn default() -> Self {
        Self {
            days: 30,
            megabytes: 2000,
        }
    }
}

/// How to reach machines.
#[derive(Debug, Clone)]
pub struct Ssh {
    /// The configuration of `ssh` that is followed.
    pub config: SshConfig,
    /// The files of known host keys; `trust` writes to the first.
    pub known_hosts: Vec<PathBuf>,
    /// Whether the configuration names them; otherwise those of `ssh` count, too.
    pub known_hosts_are_given: bool,
    /// The private keys to log in with, in the order in which they are offered; those of `ssh`, and
    /// all of the agent, where the configuration names none.
    pub identity_files: Option<Vec<PathBuf>>,
    /// How long a connection may take to come up.
    pub connect_timeout: Duration,
}

/// Which configuration of `ssh` is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshConfig {
    /// None.
    None,
    /// What `ssh` reads by itself.
    OfSsh,
    /// This file alone.
    File(PathBuf),
}

/// A set of machines that share binaries.
#[derive(Debug, Clone)]
pub struct Platform {
    /// The folder of its binaries, at the same path on builders and guests.
    pub store: PathBuf,
    /// Whether its builders sign what they build.
    pub sign: bool,
    /// Where it is served over HTTP, for guests that have not mounted it.
    pub url: Option<StoreUrl>,
    /// The certificate authority of that server, in PEM, where it is none that guests trust anyway.
    pub url_ca: Option<PathBuf>,
}

/// A machine that compiles.
#[derive(Debug, Clone)]
pub struct Builder {
    /// `local` or `ssh://user@host:port`.
    pub address: String,
    /// Whose binaries it builds.
    pub platform: PlatformName,
    /// Whether a run that syncs brings its ebuild repositories up to date; they may be another
    /// machine's.
    pub sync: bool,
    /// How many packages it builds at once, where it has clean rooms; otherwise one.
    pub slots: u16,
    /// Where it builds.
    pub clean_room: CleanRoom,
    /// What its builds get beside what its `make.conf` says.
    pub environment: BuildEnvironment,
}

/// Where a builder builds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CleanRoom {
    /// In throw-away views of its root, where such can be had, and else on the machine itself.
    #[default]
    Auto,
    /// On the machine itself, from which the janitor removes what builds left.
    Never,
}

/// A machine to keep up to date.
#[derive(Debug, Clone)]
pub struct Guest {
    /// `local` or `ssh://user@host:port`.
    pub address: String,
    /// Whose binaries it installs.
    pub platform: PlatformName,
    /// Whether it takes the binaries of its platform whatever its own compiler flags are.
    pub any_flags: bool,
    /// Whether it keeps the build dependencies of what it has installed up to date too.
    pub build_dependencies: bool,
    /// Whether a run that syncs brings its ebuild repositories up to date; they may be another
    /// machine's.
    pub sync: bool,
    /// What becomes of its services that run on what an update replaced.
    pub restart_services: RestartServices,
    /// What becomes of packages that nothing on it needs any more.
    pub depclean: Depclean,
    /// How it comes by the binaries of its platform.
    pub store: StoreAccess,
    /// What shows that it is well, before an update and after it.
    pub checks: Vec<Check>,
    /// Whether it is put back to what it had when one of them fails after an update.
    pub rollback: bool,
}

/// How a guest comes by the binaries of its platform.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreAccess {
    /// It has the store mounted.
    #[default]
    Mount,
    /// It fetches them from `url` of its platform.
    Http,
}

/// What becomes of services that run on programs or libraries that an update replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RestartServices {
    /// They are named, with the commands that restart them.
    #[default]
    Report,
    /// They are restarted, but for those that a connection or a login may live on.
    Restart,
}

/// What becomes of packages that nothing on a guest needs any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depclean {
    /// They are named.
    #[default]
    Report,
    /// They are removed after an update that went well, but for kernels and compilers.
    Remove,
}

/// Times and numbers.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How often a task is tried, and with what pause.
    pub patience: Patience,
    /// How long a claim holds without a sign of life.
    pub lease: Duration,
    /// How often a worker says that it lives.
    pub heartbeat: Duration,
    /// How long work waits without a living worker that could do it.
    pub unserved: Duration,
    /// Whether a run brings the ebuild repositories of builders and guests up to date first.
    pub sync: bool,
    /// How long that may take on one machine.
    pub sync_timeout: Duration,
    /// How long a scan may take.
    pub scan_timeout: Duration,
    /// What one build may take, where `[[packages]]` does not say otherwise.
    pub build_limits: BuildLimits,
    /// How long one installation may take.
    pub install_timeout: Duration,
    /// How long a guest is waited for that does not answer any more in the middle of one.
    pub unreachable: Duration,
    /// How long a guest waits until its view of the store shows the expected binaries.
    pub store_wait: Duration,
    /// How long a worker that is told to stop waits for its work.
    pub grace: Duration,
    /// How many guests one scanner asks at once.
    pub parallel_scans: u16,
    /// On how many guests one installer works at once.
    pub parallel_installs: u16,
    /// How much space a builder needs in its store and where it builds, before it takes work.
    pub min_free_megabytes: u64,
    /// For how many days binaries are kept that nobody needs.
    pub keep_binaries_days: u32,
    /// How many gigabytes (10^9 bytes) all binaries of a store may take, where that is limited. What
    /// somebody needs is kept in any case.
    pub keep_binaries_gigabytes: Option<u64>,
    /// How many of the newest updates of the fleet count: what they built and what guests had
    /// before them is needed.
    pub keep_binaries_runs: u32,
    /// For how many days sources that nothing uses are kept on builders.
    pub keep_distfiles_days: u32,
    /// For how many days the logs of builds are kept in the store.
    pub keep_build_logs_days: u32,
    /// How many megabytes of them; those of the newest run are kept in any case.
    pub keep_build_logs_megabytes: u32,
    /// How files are dealt with that builds leave on builders beside packages.
    pub cruft: CruftSettings,
    /// Services that are restarted too where services are, although a connection or a login may
    /// live on them: `sshd`, `dbus` and their like.
    pub restart_also: BTreeSet<String>,
}
