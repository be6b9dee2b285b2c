//! `config check`: what the configuration means.

mod doubts;
mod rollout;

use std::path::Path;
use std::time::Duration;

use gentoo_updater_bus::amqp::check_url;
use gentoo_updater_fleet::config::{
    BuildLimits, Builder, CleanRoom, Packages, Platform, Settings, StoreAccess, without_passwords,
};
use gentoo_updater_fleet::schedule::Schedule;
use gentoo_updater_fleet::words::counted;
use jiff::Timestamp;

use crate::WrongUsage;
use crate::notify::{occasions, of_notification};
use crate::output;

/// Says what a configuration, which was found to be right, means.
pub(crate) fn check(settings: &Settings, path: &Path) -> anyhow::Result<u8> {
    let wrong = |error: anyhow::Error| WrongUsage(format!("{}: {error:#}", path.display()));
    if let Some(broker) = &settings.broker {
        check_url(&broker.url).map_err(|error| wrong(error.into()))?;
    }
    for (name, notification) in &settings.notifications {
        gentoo_updater_notifier::check(settings, name, notification).map_err(wrong)?;
    }
    let text = text(settings, path, Timestamp::now());
    output::print(|output| output.write_all(text.as_bytes()))?;
    Ok(crate::EXIT_DONE)
}

fn text(settings: &Settings, path: &Path, now: Timestamp) -> String {
    let mut lines = vec![format!("{}: ok", path.display())];
    lines.push(match &settings.broker {
        None => "  bus: embedded, all roles in one process".to_owned(),
        Some(broker) => format!("  bus: RabbitMQ at {}", without_passwords(&broker.url)),
    });
    lines.push(format!("  state: {}", settings.state_directory.display()));
    for (name, platform) in &settings.platforms {
        lines.push(format!("  platform {name}: {}", of_platform(platform)));
    }
    for (name, builder) in &settings.builders {
        lines.push(format!("  builder {name}: {}", of_builder(builder)));
    }
    for (name, guest) in &settings.guests {
        let fetches = match guest.store {
            StoreAccess::Mount => "",
            StoreAccess::Http => ", fetches its binaries",
        };
        lines.push(format!(
            "  guest {name}: {} ({}){fetches}{}",
            guest.address,
            guest.platform,
            rollout::of_guest(guest)
        ));
    }
    lines.extend(rollout::lines(settings));
    for (name, notification) in &settings.notifications {
        let way = of_notification(notification);
        lines.push(format!(
            "  notification {name}: {way}, on {}",
            occasions(notification)
        ));
    }
    for (name, schedule) in &settings.schedules {
        lines.push(format!("  schedule {name}: {}", of_schedule(schedule)));
    }
    lines.push(format!(
        "  each build: {}",
        of_limits(&settings.policy.build_limits)
    ));
    for packages in &settings.packages {
        lines.push(format!(
            "  packages {}: {}",
            packages.atom,
            of_packages(packages)
        ));
    }
    lines.extend(doubts::lines(settings, now));
    output::harmless(&(lines.join("\n") + "\n"))
}

fn of_platform(platform: &Platform) -> String {
    let mut words = vec![format!("store {}", platform.store.display())];
    if platform.sign {
        words.push("signed".to_owned());
    }
    if let Some(url) = &platform.url {
        words.push(format!("served at {url}"));
        if !url.is_encrypted() {
            words.push("which is not encrypted".to_owned());
        }
    }
    words.join(", ")
}

fn of_builder(builder: &Builder) -> String {
    let rooms = match builder.clean_room {
        CleanRoom::Auto => "clean rooms where it can have them",
        CleanRoom::Never => "no clean rooms",
    };
    let mut words = vec![
        format!("{} ({})", builder.address, builder.platform),
        counted(u32::from(builder.slots), "slot"),
        rooms.to_owned(),
    ];
    let variables = builder.environment.variables.iter();
    words.extend(variables.map(|(name, value)| format!("{name}={value:?}")));
    words.extend(builder.environment.features.iter().map(ToString::to_string));
    words.join(", ")
}

fn of_schedule(schedule: &Schedule) -> String {
    let minutes = |length: Duration| length.as_secs() / 60;
    let mut words = vec![schedule.calendar.to_string()];
    if !schedule.jitter.is_zero() {
        words.push(format!(
            "with up to {} min of jitter",
            minutes(schedule.jitter)
        ));
    }
    words.push(format!("at most {} min late", minutes(schedule.late)));
    let guests = schedule.request.guests.len();
    words.push(counted(guests, "guest"));
    if !schedule.request.sync.is_empty() {
        words.push("synced first".to_owned());
    }
    if !schedule.windows.is_empty() {
        words.push(rollout::of_windows(&schedule.windows));
    }
    words.join(", ")
}

fn of_limits(limits: &BuildLimits) -> String {
    let memory = limits.memory_megabytes.map_or_else(
        || "all memory".to_owned(),
        |megabytes| format!("{megabytes} MB of memory"),
    );
    let (seconds, log) = (limits.timeout.as_secs(), limits.log_megabytes);
    format!("at most {seconds} s, {memory}, {log} MB of log")
}

fn of_packages(packages: &Packages) -> String {
    let limits = [
        packages
            .timeout
            .map(|limit| format!("{} s", limit.as_secs())),
        packages
            .memory_megabytes
            .map(|it| format!("{it} MB of memory")),
        packages.log_megabytes.map(|it| format!("{it} MB of log")),
    ];
    let limits: Vec<String> = limits.into_iter().flatten().collect();
    let needs = (!packages.needs.is_none()).then(|| format!("need {}", packages.needs));
    let limits = (!limits.is_empty()).then(|| format!("at most {}", limits.join(", ")));
    let irreversible = packages.irreversible.map(|cannot| match cannot {
        true => "cannot be undone, so new versions wait for an approval".to_owned(),
        false => "can be undone".to_owned(),
    });
    let words: Vec<String> = needs
        .into_iter()
        .chain(limits)
        .chain(irreversible)
        .collect();
    words.join("; ")
}
