//! The way to the history, for commands that do not run roles.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::Bus;
use gentoo_updater_bus::embedded::{Embedded, EmbeddedReader};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_runtime::Context;
use tokio_util::sync::CancellationToken;

/// How long a command waits for the broker.
const BROKER_LIMIT: Duration = Duration::from_secs(60);

/// Where the embedded bus keeps its history.
pub(crate) fn journal(settings: &Settings) -> PathBuf {
    settings.state_directory.join("journal.sqlite")
}

/// The history, to be read only; none where there was no run yet.
pub(crate) async fn read_only(settings: &Arc<Settings>) -> anyhow::Result<Option<Arc<dyn Bus>>> {
    if settings.broker.is_some() {
        return Ok(Some(
            with_broker(settings.clone(), CancellationToken::new())
                .await?
                .bus,
        ));
    }
    if !journal(settings).exists() {
        return Ok(None);
    }
    Ok(Some(Arc::new(reader(settings).await?)))
}

/// The broker, which an operator does not want to wait for without end.
pub(crate) async fn with_broker(
    settings: Arc<Settings>,
    stop: CancellationToken,
) -> anyhow::Result<Context> {
    let opening = Context::with_broker(settings, "gentoo-updater", stop);
    tokio::time::timeout(BROKER_LIMIT, opening)
        .await
        .map_err(|_| {
            anyhow::anyhow!(
                "the broker did not answer within {} s; is it up, and is broker.url right?",
                BROKER_LIMIT.as_secs()
            )
        })?
}

/// The journal of another process.
pub(crate) async fn reader(settings: &Settings) -> anyhow::Result<EmbeddedReader> {
    Ok(EmbeddedReader::open(journal(settings)).await?)
}

/// Whether somebody is there to go on with a run: with a broker the workers are, without one the
/// process that holds the journal.
pub(crate) async fn is_worked_on(settings: &Settings) -> bool {
    if settings.broker.is_some() {
        return true;
    }
    match Embedded::open(journal(settings)).await {
        Ok(bus) => {
            bus.close().await;
            false
        }
        Err(_) => true,
    }
}
