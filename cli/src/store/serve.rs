//! `store serve`: the stores of this machine over HTTP.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_server::{Limits, Options, Server};

use super::arguments::ServeOptions;
use super::places;
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
    let (renewal, stop) = (server.renewal(), signals.stop.clone());
    signals.serve(renewal, server.serve(stop)).await?;
    Ok(crate::EXIT_DONE)
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
