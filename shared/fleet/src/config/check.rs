//! From what was written to what the program works with: defaults, and what must fit together.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::environment::BuildEnvironment;
use super::fragment::Fragment;
use super::packages::{BuildLimits, Packages, demands};
use super::settings::{
    Broker, Builder, CleanRoom, Guest, History, Platform, Policy, Settings, Ssh, SshConfig,
};
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
    /// A builder that builds on the machine itself is to build several packages at once there.
    #[error(
        "builders.{builder} has slots = {slots} and clean_room = \"never\"; without clean rooms one \
         package is built at a time, so leave one of the two out"
    )]
    SlotsWithoutRooms {
        /// The builder.
        builder: BuilderName,
        /// Its slots.
        slots: u16,
    },
    /// What the builds of a builder are to get cannot be that.
    #[error("{key} is {value:?}; it must be {rule}")]
    Environment {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What is allowed.
        rule: String,
    },
    /// What a table of packages speaks of is no atom.
    #[error(
        "the atom of [[packages]] number {number} is {value:?}: {cause}; write it as in \
         package.use, for example \"www-client/chromium\" or \">=dev-qt/qtwebengine-6\""
    )]
    Atom {
        /// Which of the tables, from 1.
        number: usize,
        /// The value.
        value: String,
        /// Why it is none.
        cause: String,
    },
    /// A table of packages has nothing but an atom.
    #[error("[[packages]] of {atom} says nothing; add memory_megabytes, for example")]
    PackagesSayNothing {
        /// The atom.
        atom: String,
    },
    /// A value of a table of packages is zero.
    #[error("{key} in {table} is 0; it must be at least 1, or be left out")]
    PackagesZero {
        /// The table.
        table: String,
        /// The key.
        key: &'static str,
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
        let ssh = check_ssh(&fragment, &state_directory)?;
        let packages = fragment.packages.iter().enumerate();
        let packages = packages.map(|(place, one)| Packages::check(place + 1, one));
        let packages = packages.collect::<Result<Vec<_>, _>>()?;
        let policy = check_policy(&fragment, &packages)?;
        Ok(Self {
            state_directory,
            broker,
            history,
            ssh,
            platforms,
            builders,
            guests,
            packages,
            policy,
        })
    }
}

fn check_ssh(fragment: &Fragment, state_directory: &Path) -> Result<Ssh, Invalid> {
    let ssh = &fragment.ssh;
    let own_file = || vec![state_directory.join("known_hosts")];
    let ssh = Ssh {
        config: match &ssh.config {
            None => SshConfig::OfSsh,
            Some(none) if none == Path::new("none") => SshConfig::None,
            Some(file) => SshConfig::File(file.clone()),
        },
        known_hosts: ssh.known_hosts.clone().unwrap_or_else(own_file),
        known_hosts_are_given: ssh.known_hosts.is_some(),
        identity_files: ssh.identity_files.clone(),
        connect_timeout: Duration::from_secs(ssh.connect_timeout_seconds.unwrap_or(20)),
    };
    let config = match &ssh.config {
        SshConfig::File(file) => Some(file),
        SshConfig::None | SshConfig::OfSsh => None,
    };
    let identity_files = ssh.identity_files.iter().flatten();
    for path in ssh.known_hosts.iter().chain(identity_files).chain(config) {
        absolute("ssh", path)?;
    }
    Ok(ssh)
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
        let slots = builder.slots.unwrap_or(1);
        if slots == 0 {
            return Err(Invalid::OutOfRange {
                key: "builders.NAME.slots",
                value: 0,
                rule: "at least 1",
            });
        }
        let clean_room = builder.clean_room.unwrap_or_default();
        if slots > 1 && clean_room == CleanRoom::Never {
            let builder = name.clone();
            return Err(Invalid::SlotsWithoutRooms { builder, slots });
        }
        let environment = BuildEnvironment::check(&table, &builder.environment)?;
        let builder = Builder {
            address,
            platform,
            sync: builder.sync.unwrap_or(true),
            slots,
            clean_room,
            environment,
        };
        Ok((name.clone(), builder))
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
        let restart_services = guest.restart_services.or(fragment.policy.restart_services);
        let depclean = guest.depclean.or(fragment.policy.depclean);
        Ok((
            name.clone(),
            Guest {
                address,
                platform,
                any_flags: guest.any_flags.unwrap_or(false),
                build_dependencies,
                sync: guest.sync.unwrap_or(true),
                restart_services: restart_services.unwrap_or_default(),
                depclean: depclean.unwrap_or_default(),
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

fn check_policy(fragment: &Fragment, packages: &[Packages]) -> Result<Policy, Invalid> {
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
    ]
    .map(|(key, value)| (key, value.map(u64::from)))
    .into_iter()
    .chain([
        (
            "policy.build_memory_megabytes",
            policy.build_memory_megabytes,
        ),
        ("policy.build_log_megabytes", policy.build_log_megabytes),
    ]) {
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
        demands: demands(packages),
    };
    Ok(Policy {
        patience,
        lease,
        heartbeat,
        unserved: seconds(policy.unserved_seconds, 900),
        sync: policy.sync.unwrap_or(false),
        sync_timeout: seconds(policy.sync_timeout_seconds, 3600),
        scan_timeout: seconds(policy.scan_timeout_seconds, 900),
        build_limits: BuildLimits {
            timeout: seconds(policy.build_timeout_seconds, 24 * 3600),
            memory_megabytes: policy.build_memory_megabytes,
            log_megabytes: policy.build_log_megabytes.unwrap_or(1000),
        },
        install_timeout: seconds(policy.install_timeout_seconds, 6 * 3600),
        store_wait: seconds(policy.store_wait_seconds, 90),
        grace: seconds(policy.grace_seconds, 30),
        parallel_scans: policy.parallel_scans.unwrap_or(8),
        parallel_installs: policy.parallel_installs.unwrap_or(8),
        min_free_megabytes: policy.min_free_megabytes.unwrap_or(500),
        keep_build_logs_days: policy.keep_build_logs_days.unwrap_or(30),
        keep_build_logs_megabytes: policy.keep_build_logs_megabytes.unwrap_or(1000),
        restart_also: policy.restart_also.clone().unwrap_or_default(),
    })
}
