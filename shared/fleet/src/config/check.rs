//! From what was written to what the program works with: defaults, and what must fit together.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::checks;
use super::cruft::CruftSettings;
use super::environment::BuildEnvironment;
use super::fragment::Fragment;
use super::invalid::Invalid;
use super::notifications;
use super::packages::{BuildLimits, Packages, demands, irreversible};
use super::rollout;
use super::schedules;
use super::settings::{
    Broker, Builder, CleanRoom, Guest, History, Platform, Policy, Settings, Ssh, SshConfig,
    StoreAccess,
};
use super::url::StoreUrl;
use crate::decide::Patience;
use crate::name::{BuilderName, GuestName, PlatformName};

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
        let windows = fragment.guests.iter();
        let windows =
            windows.filter_map(|(name, guest)| Some((name.clone(), guest.windows.clone()?)));
        let (windows, irreversible) = (windows.collect(), irreversible(&packages)?);
        let rollout = rollout::check(&fragment.rollout, &guests, windows, irreversible)?;
        let mut settings = Self {
            state_directory,
            broker,
            history,
            ssh,
            platforms,
            builders,
            guests,
            checks: checks::check(&fragment.checks)?,
            rollout,
            notifications: notifications::check(&fragment.notifications)?,
            schedules: BTreeMap::new(),
            packages,
            policy,
        };
        // They ask for runs as operators do, so they need all of the rest.
        settings.schedules = schedules::check(&fragment.schedules, &settings)?;
        Ok(settings)
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
        let sign = platform.sign.unwrap_or(false);
        let url = platform.url.as_deref();
        let url = url.map(|url| StoreUrl::check(&format!("platforms.{name}.url"), url));
        let url = url.transpose()?;
        let url_ca = platform.url_ca.clone();
        if let Some(authority) = &url_ca {
            absolute(&format!("platforms.{name}.url_ca"), authority)?;
            if !url.as_ref().is_some_and(StoreUrl::is_encrypted) {
                let platform = name.clone();
                return Err(Invalid::StoreAuthorityUnused { platform });
            }
        }
        platforms.insert(
            name.clone(),
            Platform {
                store,
                sign,
                url,
                url_ca,
            },
        );
    }
    if platforms.is_empty()
        && let Ok(name) = "default".parse()
    {
        platforms.insert(
            name,
            Platform {
                store: "/var/cache/binpkgs".into(),
                sign: false,
                url: None,
                url_ca: None,
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
            return Err(Invalid::Zero {
                key: format!("{table}.slots"),
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
    let builders = fragment.builders.iter().map(check);
    let builders = builders.collect::<Result<BTreeMap<_, _>, _>>()?;
    let mut seen: BTreeMap<(&str, &PlatformName), &BuilderName> = BTreeMap::new();
    for (name, builder) in &builders {
        let machine = (builder.address.as_str(), &builder.platform);
        // With a broker that is the machine of each one's worker.
        if builder.address == "local" {
            continue;
        }
        if let Some(first) = seen.insert(machine, name) {
            return Err(Invalid::SameBuilder {
                first: first.clone(),
                second: name.clone(),
                address: builder.address.clone(),
            });
        }
    }
    Ok(builders)
}

fn check_guests(
    fragment: &Fragment,
    platforms: &BTreeMap<PlatformName, Platform>,
) -> Result<BTreeMap<GuestName, Guest>, Invalid> {
    if fragment.guests.is_empty() {
        return Err(Invalid::NoGuests);
    }
    let checks = checks::check(&fragment.checks)?;
    let of_all = fragment.policy.checks.as_deref().unwrap_or_default();
    let of_all = checks::named("policy.checks", of_all, &checks)?;
    let check = |(name, guest): (&GuestName, &super::fragment::GuestFragment)| {
        let table = format!("guests.{name}");
        let address = present(&table, guest.address.as_ref())?;
        let platform = choose(&table, guest.platform.as_ref(), platforms)?;
        let build_dependencies = guest.build_dependencies.unwrap_or(false);
        let restart_services = guest.restart_services.or(fragment.policy.restart_services);
        let depclean = guest.depclean.or(fragment.policy.depclean);
        let store = guest.store.unwrap_or_default();
        if store == StoreAccess::Http && platforms[&platform].url.is_none() {
            let guest = name.clone();
            return Err(Invalid::StoreNotServed { guest, platform });
        }
        let checks = match &guest.checks {
            Some(names) => checks::named(&format!("{table}.checks"), names, &checks)?,
            None => of_all.clone(),
        };
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
                store,
                rollback: guest
                    .rollback
                    .or(fragment.policy.rollback)
                    .unwrap_or(!checks.is_empty()),
                checks,
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
        ("policy.sync_timeout_seconds", policy.sync_timeout_seconds),
        ("policy.scan_timeout_seconds", policy.scan_timeout_seconds),
        ("policy.build_timeout_seconds", policy.build_timeout_seconds),
        (
            "policy.install_timeout_seconds",
            policy.install_timeout_seconds,
        ),
        ("policy.unreachable_seconds", policy.unreachable_seconds),
        (
            "policy.build_memory_megabytes",
            policy.build_memory_megabytes,
        ),
        ("policy.build_log_megabytes", policy.build_log_megabytes),
        (
            "policy.keep_binaries_runs",
            policy.keep_binaries_runs.map(u64::from),
        ),
    ]) {
        if value == Some(0) {
            return Err(Invalid::OutOfRange {
                key,
                value: 0,
                rule: "at least 1",
            });
        }
    }
    for one in packages {
        let limit = one.memory_megabytes.or(policy.build_memory_megabytes);
        if let (Some(needs), Some(limit)) = (one.needs.memory_megabytes, limit)
            && needs > limit
        {
            return Err(Invalid::NeedsMoreThanAllowed {
                atom: one.atom.to_string(),
                needs,
                limit,
            });
        }
    }
    let patience = Patience {
        attempts,
        retry_delay: seconds(policy.retry_delay_seconds, 10),
        demands: demands(packages),
        collect_stores: policy.collect_stores.unwrap_or(true),
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
        unreachable: seconds(policy.unreachable_seconds, 900),
        store_wait: seconds(policy.store_wait_seconds, 90),
        grace: seconds(policy.grace_seconds, 30),
        parallel_scans: policy.parallel_scans.unwrap_or(8),
        parallel_installs: policy.parallel_installs.unwrap_or(8),
        min_free_megabytes: policy.min_free_megabytes.unwrap_or(500),
        keep_binaries_days: policy.keep_binaries_days.unwrap_or(60),
        keep_binaries_gigabytes: policy.keep_binaries_gigabytes,
        keep_binaries_runs: policy.keep_binaries_runs.unwrap_or(3),
        keep_distfiles_days: policy.keep_distfiles_days.unwrap_or(180),
        keep_build_logs_days: policy.keep_build_logs_days.unwrap_or(30),
        keep_build_logs_megabytes: policy.keep_build_logs_megabytes.unwrap_or(1000),
        cruft: CruftSettings::check(policy)?,
        restart_also: policy.restart_also.clone().unwrap_or_default(),
    })
}
