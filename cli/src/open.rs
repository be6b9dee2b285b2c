//! The way to the history, for commands that do not run roles.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::Bus;
use gentoo_updater_bus::embedded::EmbeddedReader;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_runtime::Context;

/// How long a command waits for the broker.
const BROKER_LIMIT: Duration = Duration::from_secs(60);

/// Where the embedded bus keeps its history.
pub(crate) fn journal(settings: &Settings) -> PathBuf {
    settings.state_directory.join("journal.sqlite")
}

/// The history, to be read only; none where there was no run yet.
pub(crate) async fn read_only(settings: &Arc<Settings>) -> anyhow::Result<Option<Arc<dyn Bus>>> {
    if settings.broker_url.is_some() {
        return Ok(Some(with_broker(settings.clone()).await?.bus));
    }
    if !journal(settings).exists() {
        return Ok(None);
    }
    Ok(Some(Arc::new(reader(settings).await?)))
}

/// The broker, which an operator does not want to wait for without end.
pub(crate) async fn with_broker(settings: Arc<Settings>) -> anyhow::Result<Context> {
    let opening = Context::with_broker(settings, "gentoo-updater");
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

/// Waits for a run that is not over.
pub(crate) async fn unfinished_run(view: &FleetView) -> anyhow::Result<RunId> {
    view.wait_until(|fleet| fleet.unfinished().next().is_some())
        .await?;
    view.read(|fleet| fleet.unfinished().map(|run| run.id).last())
        .ok_or_else(|| anyhow::anyhow!("the run that was followed is over"))
}
