//! `dashboard`: the fleet as pages in a browser.

mod arguments;
mod operations;

use std::sync::Arc;

use gentoo_updater_bus::Pulse;
use gentoo_updater_bus::embedded::{Embedded, OpenError};
use gentoo_updater_dashboard::{Dashboard, Options, Token};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_runtime::ServiceManager;
use gentoo_updater_runtime::monitor::{Vitals, monitor};
use gentoo_updater_server::Limits;

use self::operations::Here;
use crate::WrongUsage;
use crate::listen::Signals;
use crate::open;

pub(crate) use arguments::DashboardOptions;

/// Serves until it is told to stop.
pub(crate) async fn dashboard(
    settings: Arc<Settings>,
    options: DashboardOptions,
) -> anyhow::Result<u8> {
    let certificate = options.encryption.certificate(options.listen)?;
    let token = options.token_file.as_deref().map(Token::read).transpose();
    let token = token.map_err(|error| WrongUsage(error.to_string()))?;
    let (is_encrypted, may_change) = (certificate.is_some(), token.is_some());
    let limits = Limits {
        connections: options.connections.into(),
        of_one_address: match options.connections_per_address {
            0 => None,
            most => Some(most.into()),
        },
        grace: settings.policy.grace,
        ..Limits::default()
    };
    let signals = Signals::catch()?;
    let vitals = Vitals::default();
    let name = "gentoo-updater dashboard";
    let monitored = monitor(&options.monitor, name, &vitals, &signals.stop).await;
    monitored.map_err(|error| WrongUsage(error.to_string()))?;
    vitals.await_bus();
    let (manager, pulse) = (ServiceManager::of_environment(), Pulse::default());
    manager.say_status("waits for the bus");
    begin_history(&settings).await?;
    let Some(opened) = open::to_look(&settings).await? else {
        return crate::nothing_kept(&settings, false);
    };
    let bus = opened.bus.clone();
    // A long history may be read for longer than a start may take otherwise.
    let _watching = manager.watch(pulse.clone(), bus.health(), signals.stop.clone());
    let operations = Arc::new(Here::new(settings.clone(), opened));
    let opening = Dashboard::open(
        settings,
        bus.clone(),
        operations,
        Options {
            listen: options.listen,
            certificate,
            limits,
            names: options.name.into_iter().collect(),
            token,
            vitals,
        },
        signals.stop.clone(),
    );
    let served = async {
        let dashboard = opening.await?;
        let scheme = if is_encrypted { "https" } else { "http" };
        let changes = match may_change {
            true => "who shows the token may put dead letters back",
            false => "it only shows",
        };
        tracing::info!(
            "the dashboard is at {scheme}://{}/; {changes}",
            dashboard.address()?
        );
        if !is_encrypted && !options.listen.ip().is_loopback() {
            tracing::warn!(
                "what is shown is not encrypted, and neither is the token: whoever is on the way can \
                 read both"
            );
        }
        let renewal = dashboard.renewal();
        signals.serve(&pulse, renewal, dashboard.serve()).await
    };
    let served = served.await;
    bus.close().await;
    served.map(|()| crate::EXIT_DONE)
}

/// Where no broker is named and no run was yet, there is a history all the same from now on: that of a run
/// which is to come.
async fn begin_history(settings: &Settings) -> anyhow::Result<()> {
    let journal = open::journal(settings);
    if settings.broker.is_some() || journal.exists() {
        return Ok(());
    }
    match Embedded::open_and_keep(journal, settings.history).await {
        Ok(bus) => {
            gentoo_updater_bus::Bus::close(&bus).await;
            Ok(())
        }
        // Somebody else has just begun it.
        Err(OpenError::InUse { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
