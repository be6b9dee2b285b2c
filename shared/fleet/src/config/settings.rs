//! The configuration as the program works with it: complete and checked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::fragment::Fragment;
use crate::decide::Patience;
use crate::name::{BuilderName, GuestName, PlatformName};

/// Why values do not fit together. Each names its key and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// No guest is named.
    #[error(
        "there is no guest; add a table such as [guests.web] with address = \"ssh://root@web\""
    )]
    NoGuests,
    /// No builder is named.
    #[error(
        "there is no builder; add a table such as [builders.fast] with address = \"ssh://root@fast\""
    )]
    NoBuilders,
    /// An address is missing.
    #[error("{table}.address is missing; write \"local\" or \"ssh://user@host:port\"")]
    AddressMissing {
        /// The table.
        table: String,
    },
    /// A platform is named that is not there.
    #[error("{table}.platform names {platform}, and there is no [platforms.{platform}]")]
    PlatformUnknown {
        /// The table.
        table: String,
        /// The platform.
        platform: PlatformName,
    },
    /// There are several platforms and none is named.
    #[error("{table}.platform is missing, and there are several: {platforms}")]
    PlatformMissing {
        /// The table.
        table: String,
        /// The choice.
        platforms: String,
    },
    /// A platform has guests and nobody who builds for it.
    #[error("no builder is of platform {platform}, and guest {guest} is; add a builder for it")]
    PlatformWithoutBuilder {
        /// The platform.
        platform: PlatformName,
        /// One of its guests.
        guest: GuestName,
    },
    /// A path must be absolute.
    #[error("{key} is {path}; it must be an absolute path")]
    PathNotAbsolute {
        /// The key.
        key: String,
        /// The path.
        path: String,
    },
    /// A number is too small or too large.
    #[error("{key} is {value}; it must be {rule}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// The value.
        value: u64,
        /// What is allowed.
        rule: &'static str,
    },
    /// Two guests are one machine.
    #[error(
        "guests.{first} and guests.{second} have one address, {address}; a machine is one guest"
    )]
    SameMachine {
        /// One.
        first: GuestName,
        /// The other.
        second: GuestName,
        /// Their address.
        address: String,
    },
    /// What the names of the broker's users begin with needs quoting.
    #[error("broker.user_prefix is {value:?}; it must be made of a-z A-Z 0-9 - and _")]
    UserPrefix {
        /// The value.
        value: String,
    },
    /// The URL of the broker has another scheme.
    #[error("broker.url must begin with amqp:// or amqps://")]
    BrokerUrl,
}

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
    /// The files of known host keys; `trust` writes to the first.
    pub known_hosts: Vec<PathBuf>,
    /// The private keys to log in with, in the order in which they are offered.
    pub identity_files: Vec<PathBuf>,
    /// How long a connection may take to come up.
    pub connect_timeout: Duration,
}

/// A set of machines that share binaries.
#[derive(Debug, Clone)]
pub struct Platform {
    /// The folder of its binaries, at the same path on builders and guests.
    pub store: PathBuf,
}

/// A machine that compiles.
#[derive(Debug, Clone)]
pub struct Builder {
    /// `local` or `ssh://user@host:port`.
    pub address: String,
    /// Whose binaries it builds.
    pub platform: PlatformName,
}

/// A machine to keep up to date.
#[derive(Debug, Clone)]
pub struct Guest {
    /// `local` or `ssh://user@host:port`.
    pub address: String,
    /// Whose binaries it installs.
    pub platform: PlatformName,
    /// Whether it keeps the build dependencies of what it has installed up to date too.
    pub build_dependencies: bool,
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
    /// How long a scan may take.
    pub scan_timeout: Duration,
    /// How long one build may take.
    pub build_timeout: Duration,
    /// How long one installation may take.
    pub install_timeout: Duration,
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
}

impl Settings {
    pub(super) fn check(fragment: Fragment) -> Result<Self, Invalid> {
        let platforms = check_platforms(&fragment)?;
        let builders = check_builders(&fragment, &platforms)?;
        let guests = check_guests(&fragment, &platforms)?;
        check_machines(&guests)?;
        for (name, guest) in &guests {
            if !builders
                .values()
                .any(|builder| builder.platform == guest.platform)
            {
                let platform = guest.platform.clone();
                return Err(Invalid::PlatformWithoutBuilder {
                    platform,
                    guest: name.clone(),
                });
            }
        }
        let state_directory = fragment
            .state_directory
            .clone()
            .unwrap_or_else(|| "/var/lib/gentoo-updater".into());
        absolute("state_directory", &state_directory)?;
        let broker = check_broker(&fragment)?;
        let history = check_history(&fragment)?;
        let ssh = Ssh {
            known_hosts: fragment
                .ssh
                .known_hosts
                .clone()
                .unwrap_or_else(|| vec![state_directory.join("known_hosts")]),
            identity_files: fragment.ssh.identity_files.clone().unwrap_or_else(|| {
                ["id_ed25519", "id_ecdsa", "id_rsa"]
                    .map(|name| PathBuf::from("/root/.ssh").join(name))
                    .into()
            }),
            connect_timeout: Duration::from_secs(
                fragment.ssh.connect_timeout_seconds.unwrap_or(20),
            ),
        };
        for path in ssh.known_hosts.iter().chain(&ssh.identity_files) {
            absolute("ssh", path)?;
        }
        let policy = check_policy(&fragment)?;
        Ok(Self {
            state_directory,
            broker,
            history,
            ssh,
            platforms,
            builders,
            guests,
            policy,
        })
    }
}

fn check_broker(fragment: &Fragment) -> Result<Option<Broker>, Invalid> {
    let Some(broker) = &fragment.broker else {
        return Ok(None);
    };
    let url = broker.url.clone();
    if !url.starts_with("amqp://") && !url.starts_with("amqps://") {
        return Err(Invalid::BrokerUrl);
    }
    if let Some(ca) = &broker.ca {
        absolute("broker.ca", ca)?;
    }
    let user_prefix = broker.user_prefix.clone();
    let user_prefix = user_prefix.unwrap_or_else(|| "gentoo-updater".to_owned());
    // It becomes a part of regular expressions and of shell commands.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if user_prefix.is_empty() || !user_prefix.chars().all(is_plain) {
        return Err(Invalid::UserPrefix { value: user_prefix });
    }
    Ok(Some(Broker {
        url,
        ca: broker.ca.clone(),
        access: broker.access.unwrap_or_default(),
        user_prefix,
    }))
}

fn check_history(fragment: &Fragment) -> Result<History, Invalid> {
    let default = History::default();
    let history = History {
        days: fragment.history.days.unwrap_or(default.days),
        megabytes: fragment.history.megabytes.unwrap_or(default.megabytes),
    };
    for (key, value, least, rule) in [
        ("history.days", history.days, 1, "at least 1"),
        ("history.megabytes", history.megabytes, 100, "at least 100"),
    ] {
        if value < least {
            let value = value.into();
            return Err(Invalid::OutOfRange { key, value, rule });
        }
    }
    Ok(history)
}

fn absolute(key: &str, path: &std::path::Path) -> Result<(), Invalid> {
    if path.is_absolute() {
        Ok(())
    } else {
        Err(Invalid::PathNotAbsolute {
            key: key.to_owned(),
            path: path.display().to_string(),
        })
    }
}

fn check_platforms(fragment: &Fragment) -> Result<BTreeMap<PlatformName, Platform>, Invalid> {
    let mut platforms = BTreeMap::new();
    for (name, platform) in &fragment.platforms {
        let store = platform
            .store
            .clone()
            .unwrap_or_else(|| "/var/cache/binpkgs".into());
        absolute(&format!("platforms.{name}.store"), &store)?;
        platforms.insert(name.clone(), Platform { store });
    }
    if platforms.is_empty()
        && let Ok(name) = "default".parse()
    {
        platforms.insert(
            name,
            Platform {
                store: "/var/cache/binpkgs".into(),
            },
        );
    }
    Ok(platforms)
}

fn check_builders(
    fragment: &Fragment,
    platforms: &BTreeMap<PlatformName, Platform>,
) -> Result<BTreeMap<BuilderName, Builder>, Invalid> {
    if fragment.builders.is_empty() {
        return Err(Invalid::NoBuilders);
    }
    let check = |(name, builder): (&BuilderName, &super::fragment::BuilderFragment)| {
        let table = format!("builders.{name}");
        let address = present(&table, builder.address.as_ref())?;
        let platform = choose(&table, builder.platform.as_ref(), platforms)?;
        Ok((name.clone(), Builder { address, platform }))
    };
    fragment.builders.iter().map(check).collect()
}

fn check_guests(
    fragment: &Fragment,
    platforms: &BTreeMap<PlatformName, Platform>,
) -> Result<BTreeMap<GuestName, Guest>, Invalid> {
    if fragment.guests.is_empty() {
        return Err(Invalid::NoGuests);
    }
    let check = |(name, guest): (&GuestName, &super::fragment::GuestFragment)| {
        let table = format!("guests.{name}");
        let address = present(&table, guest.address.as_ref())?;
        let platform = choose(&table, guest.platform.as_ref(), platforms)?;
        let build_dependencies = guest.build_dependencies.unwrap_or(false);
        Ok((
            name.clone(),
            Guest {
                address,
                platform,
                build_dependencies,
            },
        ))
    };
    fragment.guests.iter().map(check).collect()
}

/// Two installations at once on one machine would each find what the other did.
fn check_machines(guests: &BTreeMap<GuestName, Guest>) -> Result<(), Invalid> {
    let mut seen: BTreeMap<&str, &GuestName> = BTreeMap::new();
    for (name, guest) in guests {
        if let Some(first) = seen.insert(&guest.address, name) {
            let (first, second) = (first.clone(), name.clone());
            return Err(Invalid::SameMachine {
                first,
                second,
                address: guest.address.clone(),
            });
        }
    }
    Ok(())
}

fn present(table: &str, address: Option<&String>) -> Result<String, Invalid> {
    address.cloned().ok_or_else(|| Invalid::AddressMissing {
        table: table.to_owned(),
    })
}

/// The named platform, or the only one.
fn choose(
    table: &str,
    named: Option<&PlatformName>,
    platforms: &BTreeMap<PlatformName, Platform>,
) -> Result<PlatformName, Invalid> {
    let mut names = platforms.keys();
    match (named, names.next(), names.next()) {
        (Some(name), ..) if platforms.contains_key(name) => Ok(name.clone()),
        (Some(name), ..) => Err(Invalid::PlatformUnknown {
            table: table.to_owned(),
            platform: name.clone(),
        }),
        (None, Some(only), None) => Ok(only.clone()),
        (None, ..) => {
            let names: Vec<&str> = platforms.keys().map(PlatformName::as_str).collect();
            Err(Invalid::PlatformMissing {
                table: table.to_owned(),
                platforms: names.join(", "),
            })
        }
    }
}

fn check_policy(fragment: &Fragment) -> Result<Policy, Invalid> {
    let policy = &fragment.policy;
    let seconds = |value: Option<u64>, default: u64| Duration::from_secs(value.unwrap_or(default));
    let heartbeat = seconds(policy.heartbeat_seconds, 10);
    let lease = seconds(policy.lease_seconds, 180);
    if heartbeat.is_zero() {
        return Err(Invalid::OutOfRange {
            key: "policy.heartbeat_seconds",
            value: 0,
            rule: "at least 1",
        });
    }
    if lease < heartbeat * 3 {
        return Err(Invalid::OutOfRange {
            key: "policy.lease_seconds",
            value: lease.as_secs(),
            rule: "at least three times policy.heartbeat_seconds, or living workers are given up",
        });
    }
    let attempts = policy.attempts.unwrap_or(3);
    if attempts == 0 {
        return Err(Invalid::OutOfRange {
            key: "policy.attempts",
            value: 0,
            rule: "at least 1",
        });
    }
    for (key, value) in [
        ("policy.parallel_scans", policy.parallel_scans),
        ("policy.parallel_installs", policy.parallel_installs),
    ] {
        if value == Some(0) {
            return Err(Invalid::OutOfRange {
                key,
                value: 0,
                rule: "at least 1",
            });
        }
    }
    let patience = Patience {
        attempts,
        retry_delay: seconds(policy.retry_delay_seconds, 10),
    };
    Ok(Policy {
        patience,
        lease,
        heartbeat,
        unserved: seconds(policy.unserved_seconds, 900),
        scan_timeout: seconds(policy.scan_timeout_seconds, 900),
        build_timeout: seconds(policy.build_timeout_seconds, 24 * 3600),
        install_timeout: seconds(policy.install_timeout_seconds, 6 * 3600),
        store_wait: seconds(policy.store_wait_seconds, 90),
        grace: seconds(policy.grace_seconds, 30),
        parallel_scans: policy.parallel_scans.unwrap_or(8),
        parallel_installs: policy.parallel_installs.unwrap_or(8),
        min_free_megabytes: policy.min_free_megabytes.unwrap_or(500),
    })
}
