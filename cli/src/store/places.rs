//! The stores of the configuration, and the machines on which they can be written.

use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::message::Failure;
use gentoo_updater_fleet::name::{BuilderName, PlatformName};
use gentoo_updater_hosts::Host;
use gentoo_updater_runtime::Machines;

use crate::WrongUsage;

/// Checks that the configuration has the platform that is asked for.
pub(super) fn check(settings: &Settings, platform: Option<&PlatformName>) -> anyhow::Result<()> {
    if let Some(name) = platform
        && !settings.platforms.contains_key(name)
    {
        let known: Vec<&str> = settings
            .platforms
            .keys()
            .map(|name| name.as_str())
            .collect();
        let known = known.join(", ");
        let message = format!("there is no platform {name}; the configuration has {known}");
        return Err(WrongUsage(message).into());
    }
    Ok(())
}

/// A builder of the platform that can be reached: they can write its store.
pub(super) async fn writer(
    settings: &Settings,
    machines: &Machines,
    platform: &PlatformName,
) -> anyhow::Result<(BuilderName, Arc<dyn Host>)> {
    let mut causes = Vec::new();
    for (name, builder) in &settings.builders {
        if builder.platform != *platform {
            continue;
        }
        match machines.builder(name).await {
            Ok(host) => return Ok((name.clone(), host)),
            Err(failure) => causes.push(format!("{name}: {failure}")),
        }
    }
    if causes.is_empty() {
        anyhow::bail!("there is no builder of it, and nobody else writes its store");
    }
    anyhow::bail!("no builder of it can be reached: {}", causes.join("; "))
}

/// A failure of a machine as an error of a command.
pub(super) fn said(failure: Failure) -> anyhow::Error {
    anyhow::anyhow!("{failure}")
}
