//! `store serve`: the stores of this machine over HTTP.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gentoo_updater_bus::{Health, Pulse};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_runtime::ServiceManager;
use gentoo_updater_runtime::monitor::{Check, Status, Vitals, describe, monitor};
use gentoo_updater_server::{Limits, Options, Server, meters};

use super::arguments::ServeOptions;
use super::places;
use crate::WrongUsage;
use crate::listen::Signals;

/// Serves until it is told to stop.
pub(super) async fn serve(settings: &Settings, options: ServeOptions) -> anyhow::Result<u8> {
    let stores = stores(settings, &options)?;
    let certificate = options.encryption.certificate(options.listen)?;
    let limits = Limits {
        connections: options.connections.into(),
        of_one_address: match options.connections_per_address {
            0 => None,
            most => Some(most.into()),
        },
        grace: settings.policy.grace,
        ..Limits::default()
    };
    let (is_encrypted, signals) = (certificate.is_some(), Signals::catch()?);
    let stop = signals.stop.clone();
    let vitals = Vitals::default();
    let monitored = monitor(
        &options.monitor,
        "gentoo-updater store serve",
        &vitals,
        &stop,
    )
    .await;
    monitored.map_err(|error| WrongUsage(error.to_string()))?;
    watch(&vitals, stores.clone());
    let named = stores.clone();
    let server = Server::open(Options {
        listen: options.listen,
        stores,
        certificate,
        limits,
    });
    let server = server.await?;
    let address = server.address()?;
    for (platform, store) in named {
        let scheme = if is_encrypted { "https" } else { "http" };
        tracing::info!(%platform, store = %store.display(), "served at {scheme}://{address}/{platform}");
    }
    if !is_encrypted {
        tracing::warn!(
            "what is fetched is not encrypted: only the signatures of binaries, and the checksums \
             that a run knows, protect it"
        );
    }
    let pulse = Pulse::default();
    // It has no bus that could be away.
    let (_, no_bus) = tokio::sync::watch::channel(Health::Good);
    let _watching = ServiceManager::of_environment().watch(pulse.clone(), no_bus, stop.clone());
    let renewal = server.renewal();
    signals.serve(&pulse, renewal, server.serve(stop)).await?;
    Ok(crate::EXIT_DONE)
}

/// Lets `/metrics` and `/health` tell of these stores.
fn watch(vitals: &Vitals, stores: BTreeMap<String, PathBuf>) {
    describe(meters::METRICS);
    let looked_at = stores.clone();
    vitals.measure(move || meters::measure(&stores));
    vitals.look(move || {
        let looked_at = looked_at.iter();
        looked_at
            .map(|(platform, path)| readable(platform, path))
            .collect()
    });
}

fn readable(platform: &str, path: &Path) -> Check {
    let check = Check::pass("store", Some(platform.to_owned()));
    match std::fs::read_dir(path) {
        Ok(_) => check,
        Err(error) => check.but(
            Status::Fail,
            format!("{} cannot be read: {error}", path.display()),
            "Mount the store, or give the user of this server the right to read it",
        ),
    }
}

/// The stores to be served: those that are named, or those that lie on this machine.
fn stores(
    settings: &Settings,
    options: &ServeOptions,
) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    for platform in &options.platform {
        places::check(settings, Some(platform))?;
    }
    let wanted = settings.platforms.iter();
    let wanted = wanted.filter(|(name, platform)| match options.platform.as_slice() {
        [] => platform.store.is_dir(),
        // Whether it is there the server says, with the cause.
        named => named.contains(name),
    });
    let stores: BTreeMap<String, PathBuf> = wanted
        .map(|(name, platform)| (name.to_string(), platform.store.clone()))
        .collect();
    if stores.is_empty() {
        let all = settings.platforms.iter();
        let all = all.map(|(name, platform)| format!("{name}: {}", platform.store.display()));
        let all: Vec<String> = all.collect();
        anyhow::bail!(
            "none of the stores lies on this machine ({}); serve on a machine that has them, or \
             mount them",
            all.join(", ")
        );
    }
    for (name, platform) in &settings.platforms {
        if !stores.contains_key(name.as_str()) {
            tracing::info!(platform = %name, store = %platform.store.display(), "not served");
        }
    }
    Ok(stores)
}
